package billing

import (
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// farthest is how many times dearer or cheaper than the base a price may be.
// Beyond it, it is likelier that a description changed its meaning.
const farthest = 5

// gbPerCore is the memory that a family's predefined types have.
var gbPerCore = map[string]map[string]float64{
	"e2":  {"standard": 4, "highmem": 8, "highcpu": 1},
	"n1":  {"standard": 3.75, "highmem": 6.5, "highcpu": 0.9},
	"n2":  {"standard": 4, "highmem": 8, "highcpu": 1},
	"n2d": {"standard": 4, "highmem": 8, "highcpu": 1},
}

// sharedCore are the types that have, and pay for, a part of a core.
var sharedCore = map[string]struct{ cores, gb float64 }{
	"e2-micro": {0.25, 1}, "e2-small": {0.5, 2}, "e2-medium": {1, 4},
}

// size is what a predefined type is made of, such as n1-standard-4.
func size(machineType string) (family string, cores, gb float64, ok bool) {
	parts := strings.Split(machineType, "-")
	if shared, known := sharedCore[machineType]; known {
		return parts[0], shared.cores, shared.gb, true
	}
	if len(parts) != 3 {
		return "", 0, 0, false
	}
	each, known := gbPerCore[parts[0]][parts[1]]
	count, err := strconv.Atoi(parts[2])
	if !known || err != nil || count < 1 {
		return "", 0, 0, false
	}
	return parts[0], float64(count), float64(count) * each, true
}

// composition puts prices in the place of a base's, and keeps count of the
// rest.
type composition struct {
	*rates
	newest   time.Time
	missing  []string
	doubtful []string
}

// compose is base with what was found, where that is believable.
func (r *rates) compose(base environment.Prices, log *slog.Logger) environment.Prices {
	c, out := &composition{rates: r}, base
	out.Management = c.single(management, base.Management)
	out.ForwardingRule = c.single(forwardingRule, base.ForwardingRule)
	out.Address = c.single(address, base.Address)
	out.DiskGBMonth = c.single(standardDisk, base.DiskGBMonth)
	out.BalancedGBMonth = c.single(balancedDisk, base.BalancedGBMonth)
	out.Machines = c.machines(base.Machines, false)
	out.Spot = c.machines(base.Spot, true)
	if !c.newest.IsZero() {
		out.AsOf = c.newest.UTC().Format(time.DateOnly)
	}
	if len(c.missing) > 0 {
		log.Info("the catalog has no price for some things, which keep the one they had", "kept", c.missing)
	}
	if len(c.doubtful) > 0 {
		log.Warn("the catalog's price for some things is too far from the one they had, which they keep", "kept", c.doubtful)
	}
	return out
}

func (c *composition) single(p part, base float64) float64 {
	return c.believe(p.name, base, c.usd[p], c.asOf[p])
}

// machines prices every type that the base lists.
func (c *composition) machines(base map[string]float64, spot bool) map[string]float64 {
	out := maps.Clone(base)
	for _, machineType := range slices.Sorted(maps.Keys(base)) {
		name := machineType
		if spot {
			name += " (Spot)"
		}
		family, cores, gb, _ := size(machineType)
		core, ram := part{family + " core", spot}, part{family + " ram", spot}
		usd := 0.0
		if c.usd[core] > 0 && c.usd[ram] > 0 {
			usd = cores*c.usd[core] + gb*c.usd[ram]
		}
		out[machineType] = c.believe(name, base[machineType], usd, later(c.asOf[core], c.asOf[ram]))
	}
	return out
}

// believe is the new price, or the old one when there is no new one or it is
// too far off. An old price of nothing is somebody's choice and stays.
func (c *composition) believe(name string, old, usd float64, since time.Time) float64 {
	switch {
	case usd == 0:
		c.missing = append(c.missing, name)
		return old
	case usd > farthest*old || usd < old/farthest:
		c.doubtful = append(c.doubtful, name)
		return old
	}
	c.newest = later(c.newest, since)
	return usd
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
