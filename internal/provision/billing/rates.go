package billing

import (
	"slices"
	"strings"
	"time"

	api "google.golang.org/api/cloudbilling/v1"
)

// The units that prices are per, as the catalog writes them.
const (
	perHour    = "h"
	perGBHour  = "GiBy.h"
	perGBMonth = "GiBy.mo"
)

// part is something that has one price in a region.
type part struct {
	name string // what it is, such as "e2 core"
	spot bool
}

// What clusters need besides machines.
var (
	management     = part{name: "management"}
	address        = part{name: "address"}
	forwardingRule = part{name: "forwardingRule"}
	standardDisk   = part{name: "pd-standard"}
	balancedDisk   = part{name: "pd-balanced"}
)

// known says how the catalog describes a part: its description begins so, in
// any case. Only what is sold alike everywhere may be in the region "global":
// there are forwarding rules of that name that are something else.
type known struct {
	service, begins, unit, name string
	global                      bool
}

var catalog = []known{
	{computeEngine, "e2 instance core ", perHour, "e2 core", false},
	{computeEngine, "e2 instance ram ", perGBHour, "e2 ram", false},
	{computeEngine, "n1 predefined instance core ", perHour, "n1 core", false},
	{computeEngine, "n1 predefined instance ram ", perGBHour, "n1 ram", false},
	{computeEngine, "n2 instance core ", perHour, "n2 core", false},
	{computeEngine, "n2 instance ram ", perGBHour, "n2 ram", false},
	{computeEngine, "n2d amd instance core ", perHour, "n2d core", false},
	{computeEngine, "n2d amd instance ram ", perGBHour, "n2d ram", false},
	{computeEngine, "storage pd capacity", perGBMonth, standardDisk.name, false},
	{computeEngine, "balanced pd capacity", perGBMonth, balancedDisk.name, false},
	{computeEngine, "external ip charge on a standard vm", perHour, address.name, true},
	{kubernetesEngine, "zonal kubernetes clusters", perHour, management.name, true},
	{networking, "cloud load balancer forwarding rule minimum", perHour, forwardingRule.name, false},
	{computeEngine, "network load balancing: forwarding rule minimum", perHour, forwardingRule.name, false},
}

// rates are the prices of parts in one region, read from SKUs.
type rates struct {
	region   string
	regional bool // something was found that is priced for this region
	usd      map[part]float64
	asOf     map[part]time.Time
}

func newRates(region string) *rates {
	return &rates{region: region, usd: map[part]float64{}, asOf: map[part]time.Time{}}
}

// add takes a SKU's price when it is one of a known part here. Of several the
// dearest counts, so that an estimate errs upwards.
func (r *rates) add(service string, sku *api.Sku) {
	if sku == nil || sku.Category == nil {
		return
	}
	p, unit, ok := r.partOf(service, sku)
	if !ok {
		return
	}
	usd, since, ok := priceOf(sku, unit)
	if !ok || usd <= r.usd[p] {
		return
	}
	r.usd[p], r.asOf[p] = usd, since
	r.regional = r.regional || slices.Contains(sku.ServiceRegions, r.region)
}

func (r *rates) partOf(service string, sku *api.Sku) (p part, unit string, ok bool) {
	text := strings.ToLower(sku.Description)
	switch sku.Category.UsageType {
	case "OnDemand":
	case "Preemptible":
		p.spot = true
		text = strings.TrimPrefix(strings.TrimPrefix(text, "spot "), "preemptible ")
	default: // commitments
		return p, "", false
	}
	for _, k := range catalog {
		here := slices.Contains(sku.ServiceRegions, r.region) || k.global && slices.Contains(sku.ServiceRegions, "global")
		if k.service == service && here && strings.HasPrefix(text, k.begins) {
			p.name = k.name
			return p, k.unit, true
		}
	}
	return p, "", false
}

// priceOf is what one unit costs after what is free at first: that is given to
// an account once, not to each environment. ok is false when there is no price,
// or not one per that unit.
func priceOf(sku *api.Sku, unit string) (usd float64, since time.Time, ok bool) {
	if len(sku.PricingInfo) == 0 {
		return 0, since, false
	}
	info := sku.PricingInfo[len(sku.PricingInfo)-1] // in the order of time
	if info == nil || info.PricingExpression == nil || info.PricingExpression.UsageUnit != unit {
		return 0, since, false
	}
	since, err := time.Parse(time.RFC3339, info.EffectiveTime)
	if err != nil {
		return 0, since, false
	}
	for _, tier := range info.PricingExpression.TieredRates {
		if tier == nil || tier.UnitPrice == nil || tier.UnitPrice.CurrencyCode != "USD" {
			continue
		}
		if usd = float64(tier.UnitPrice.Units) + float64(tier.UnitPrice.Nanos)/1e9; usd > 0 {
			return usd, since, true
		}
	}
	return 0, since, false
}
