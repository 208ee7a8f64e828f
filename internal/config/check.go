package config

import (
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

var (
	// A Kubernetes name that is also safe in a cloud label.
	labelPattern = regexp.MustCompile(`^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	// A zone (europe-west1-b) or region (europe-west1).
	locationPattern = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+(?:-[a-z])?$`)
	// Five fields, or one of cron's short forms. What the fields hold is
	// checked by whoever runs the schedule.
	cronPattern = regexp.MustCompile(`^(?:@(?:hourly|daily|weekly|monthly|every [0-9hms]+)|\S+(?: +\S+){4})$`)
	datePattern = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

// checker names the checks that many fields share. Each takes the path first
// and says what would be valid.
type checker struct {
	r *report
	// sandbox is set where the clouds can only be the sandbox.
	sandbox bool
}

func (c *Config) checker(r *report) *checker {
	return &checker{r: r, sandbox: c.GKE.TokenFrom == TokenFromStatic}
}

func (k *checker) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.r.add(path, "%q is none of %s", value, strings.Join(allowed, ", "))
	}
}

func (k *checker) label(path, value, example string) {
	if !labelPattern.MatchString(value) {
		k.r.add(path, "%q must be at most 63 lower-case letters, digits and -, starting with a letter, such as %s", value, example)
	}
}

func (k *checker) url(path, value string, schemes ...string) {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		k.r.add(path, "%q is not a URL, such as %s://host.example", value, schemes[0])
	}
}

func (k *checker) hostPort(path, value string) {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		k.r.add(path, "%q is not host:port, such as 127.0.0.1:8080", value)
	}
}

func (k *checker) atLeast(path string, value, least int64) {
	if value < least {
		k.r.add(path, "%d is too small; the least is %d", value, least)
	}
}

// amount reports whether a number can be an amount of something: YAML's .nan is
// below nothing and above nothing, so that no limit would ever be reached.
func amount(x float64) bool { return x >= 0 && !math.IsInf(x, 1) }

func (k *checker) amount(path string, x float64) {
	if !amount(x) {
		k.r.add(path, "%v is not an amount of US dollars, for example 5; 0 is no limit", x)
	}
}

// shortest is the least that a limit on idleness may be. Nobody works on the
// sandbox, and what tries the reaper on it cannot wait so long.
func (k *checker) shortest(d time.Duration) time.Duration {
	if k.sandbox {
		return time.Second
	}
	return d
}

// domain applies one of the domain's own checks.
func (k *checker) domain(path string, err error) {
	if err != nil {
		k.r.add(path, "%s", environment.MessageOf(err))
	}
}

// check reports everything that decoding could not see.
func (c *Config) check(r *report) {
	k := c.checker(r)
	k.hostPort("server.addr", c.Server.Addr)
	if c.Server.MetricsAddr != "" {
		k.hostPort("server.metricsAddr", c.Server.MetricsAddr)
	}
	k.url("server.externalUrl", c.Server.ExternalURL, "http", "https")
	k.proxies("server.trustedProxies", c.Server.TrustedProxies)
	c.Server.Telemetry.check(k)
	c.Auth.OIDC.check(k)
	c.Store.check(k)
	c.GKE.check(k, c.makesClusters(), c.NeedsCloud())
	c.checkClusters(k)
	c.checkRecipes(k)
	c.checkCourses(k)
	checkPolicy(k, "policy", c.Defaults, environment.Policy{})
	c.checkSchedules(k)
	c.checkSlack(k)
	c.checkLMS(k)
	c.Limits.check(k)
	c.checkPricing(k)
	k.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", c.Log.Format, "auto", "json", "text")
}

func (s Store) check(k *checker) {
	scheme, rest, _ := strings.Cut(s.URL, ":")
	if !slices.Contains([]string{"sqlite", "postgres", "postgresql"}, scheme) || rest == "" {
		k.r.add("store.url", "is neither sqlite:PATH, such as sqlite:/var/lib/daskbot/daskbot.db, nor postgres://user@host/database")
	}
	for path, d := range map[string]time.Duration{"store.keepEvents": s.KeepEvents, "store.keepDeliveries": s.KeepDeliveries} {
		if d != 0 && d < 24*time.Hour {
			k.r.add(path, "is shorter than a day, within which what is over is still told and repeated; give 1d or more, or 0s for ever")
		}
	}
	s.checkKeys(k)
}

// NeedsCloud reports whether clusters are to be made, or may be in a project that
// is named here; an installation with given clusters only needs no cloud, nor
// credentials for one.
func (c *Config) NeedsCloud() bool { return c.makesClusters() || len(c.Projects()) > 0 }

// makesClusters reports whether the default profile does; built-in ones that do
// are always there.
func (c *Config) makesClusters() bool {
	p, ok := c.profiles[c.Recipes.Default]
	return !ok || p.Given == ""
}

func (g GKE) check(k *checker, makes, needed bool) {
	if makes || g.Project != "" {
		k.domain("gke.project", environment.ValidProject(g.Project))
	}
	if needed && g.Installation == "" {
		k.r.add("gke.installation", "is missing; give this installation a name of its own, such as physics-dask")
	}
	if g.Installation != "" {
		k.label("gke.installation", g.Installation, "physics-dask")
	}
	for _, p := range g.Projects {
		k.domain("gke.projects", environment.ValidProject(p))
	}
	for _, l := range g.Locations {
		checkLocation(k, "gke.locations", l)
	}
	g.checkEndpoints(k)
	k.domain("gke.serviceAccount", environment.ValidEmail(g.ServiceAccount))
	if n := g.NodeServiceAccount; n != "" && (environment.ValidEmail(n) != nil || !strings.HasSuffix(n, ".iam.gserviceaccount.com")) {
		k.r.add("gke.nodeServiceAccount", "is not NAME@PROJECT.iam.gserviceaccount.com; name an account that a project made, or leave it out for each project's default one")
	}
}

// checkEndpoints looks at where the cloud is, and how daskbot says there who it
// is.
func (g GKE) checkEndpoints(k *checker) {
	k.oneOf("gke.tokenFrom", g.TokenFrom, TokenFromADC, TokenFromStatic)
	if g.TokenFrom == TokenFromStatic && g.StaticToken.IsZero() {
		k.r.add("gke.staticToken", "is missing although tokenFrom is static; write {fromEnv: NAME}")
	}
	if g.Endpoint != "" {
		k.hostPort("gke.endpoint", g.Endpoint)
	}
	if g.Insecure && !loopback(g.Endpoint) {
		k.r.add("gke.insecure", "is only for an emulator on this machine; set gke.endpoint to a loopback address such as 127.0.0.1:8090, or remove it")
	}
	if g.ComputeEndpoint != "" {
		k.url("gke.computeEndpoint", g.ComputeEndpoint, "https", "http")
	}
}

func loopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

func checkLocation(k *checker, path, value string) {
	if !locationPattern.MatchString(value) {
		k.r.add(path, "%q is neither a zone, such as europe-west1-b, nor a region, such as europe-west1", value)
	}
}

func (c *Config) checkClusters(k *checker) {
	for name, given := range c.Clusters {
		at := "clusters." + name
		k.label(at, name, "lab")
		if (given.Kubeconfig == "") == !given.InCluster {
			k.r.add(at, "give either kubeconfig: PATH or inCluster: true")
		}
	}
}

func (c *Config) checkRecipes(k *checker) {
	if _, ok := c.profiles[c.Recipes.Default]; !ok {
		k.r.add("profiles.default", "there is no profile %q%s", c.Recipes.Default, suggestion(c.Recipes.Default, c.profileNames()))
	}
	for from, to := range c.Recipes.Repositories {
		k.url("profiles.repositories."+from, to, "https", "http")
	}
}

func (c *Config) profileNames() []string {
	var names []string
	for _, p := range c.Profiles() {
		names = append(names, p.Name)
	}
	return names
}

func checkPolicy(k *checker, path string, p, wider environment.Policy) {
	p = p.Over(wider)
	if p.TTL > p.MaxTTL && p.MaxTTL > 0 {
		k.r.add(path+".ttl", "%s is longer than maxTtl, %s", environment.FormatDuration(p.TTL), environment.FormatDuration(p.MaxTTL))
	}
	if p.Idle > 0 && p.Idle < k.shortest(15*time.Minute) {
		k.r.add(path+".idle", "%s is too short: a hub's last activity is up to 6 minutes old; the least is 15m", environment.FormatDuration(p.Idle))
	}
	if p.Adaptive && (p.IdleMin < k.shortest(12*time.Minute) || p.IdleMax < p.IdleMin) {
		k.r.add(path+".adaptive", "needs idleMin of at least 12m and idleMax of at least idleMin, for example 12m and 90m")
	}
	for _, lead := range p.Warnings {
		if lead < k.shortest(time.Minute) {
			k.r.add(path+".warnings", "%s is too short to be read in time; the least is 1m, for example [30m, 10m]", environment.FormatDuration(lead))
		}
	}
	if err := environment.ValidQuietHours(path+".quietHours", p.QuietHours); err != nil {
		k.r.add(path+".quietHours", "%q is not a span of hours, for example \"22:00-07:00\", with a time zone behind it unless it is UTC or the course's", p.QuietHours)
	}
	k.atLeast(path+".extensions", int64(p.Extensions), 0)
	k.atLeast(path+".weeklyHours", int64(p.WeeklyHours), 0)
	k.amount(path+".ownerBudget", p.OwnerBudget)
	k.amount(path+".courseBudget", p.CourseBudget)
	k.atLeast(path+".maxPerOwner", int64(p.MaxPerOwner), 0)
	k.atLeast(path+".maxPerCourse", int64(p.MaxPerCourse), 0)
	k.atLeast(path+".maxTotal", int64(p.MaxTotal), 0)
}

func (l Limits) check(k *checker) {
	k.atLeast("limits.concurrentCreates", int64(l.ConcurrentCreates), 1)
	k.atLeast("limits.concurrentDeletes", int64(l.ConcurrentDeletes), 1)
	k.atLeast("limits.concurrentHelm", int64(l.ConcurrentHelm), 1)
	k.atLeast("limits.workers", int64(l.Workers), 1)
	l.Rate.check(k)
	k.atLeast("limits.bodyBytes", l.BodyBytes, 1024)
	k.atLeast("limits.members", int64(l.Members), 1)
	k.atLeast("limits.rosterBytes", l.RosterBytes, 1024)
}

func (k *checker) prices(path string, prices map[string]float64) {
	for key, price := range prices {
		if !amount(price) {
			k.r.add(path+"."+key, "%v is not a price in US dollars, for example 0.1", price)
		}
	}
}

func (c *Config) checkPricing(k *checker) {
	p := c.Pricing
	if !datePattern.MatchString(p.AsOf) {
		k.r.add("pricing.asOf", "%q is not a date, such as 2026-07-30", p.AsOf)
	}
	k.prices("pricing", map[string]float64{"management": p.Management, "forwardingRule": p.ForwardingRule, "address": p.Address,
		"diskGbMonth": p.DiskGBMonth, "balancedGbMonth": p.BalancedGBMonth, "freeTierMonth": p.FreeTierMonth})
	k.prices("pricing.machines", p.Machines)
	k.prices("pricing.spot", p.Spot)
	if p.Endpoint != "" {
		k.url("pricing.endpoint", p.Endpoint, "http", "https")
	}
	if p.Refresh && c.PriceRegion() == "" {
		k.r.add("pricing.refresh", "needs to know where: name pricing.region, such as europe-west1, or gke.locations")
	}
}
