package config

import (
	"encoding/hex"
	"net/netip"
	"strconv"

	"github.com/daskbot/daskbot/internal/environment"
)

// Telemetry is where traces go.
type Telemetry struct {
	// Endpoint is the URL of an OTLP receiver over HTTP; "" sends nothing.
	Endpoint string `json:"endpoint"`
	// Authorization is sent with the traces, "" for none.
	Authorization environment.Secret `json:"authorization"`
	Ratio         float64            `json:"ratio"` // of requests that are traced, 0 to 1
}

func (t Telemetry) check(k *checker) {
	if t.Endpoint != "" {
		k.url("server.telemetry.endpoint", t.Endpoint, "https", "http")
	}
	if !(t.Ratio >= 0 && t.Ratio <= 1) { // so that not a number is refused, too
		k.r.add("server.telemetry.ratio", "%v is not a share from 0 to 1", t.Ratio)
	}
}

// OIDC says whose bearer tokens are taken besides daskbot's own.
type OIDC struct {
	// Issuer is the URL of the identity provider; "" takes none.
	Issuer string `json:"issuer"`
	// Audience must be among the token's.
	Audience string `json:"audience"`
	// SubjectClaim is who somebody is: email (which must be verified), or any
	// other claim that no person can choose, such as sub.
	SubjectClaim string `json:"subjectClaim"`
	// RolesClaim is a list in the token; AdminRoles are those of its values that
	// make an admin. Who is staff of a course the course says.
	RolesClaim string   `json:"rolesClaim"`
	AdminRoles []string `json:"adminRoles"`
}

func (o OIDC) check(k *checker) {
	if o.Issuer == "" {
		return
	}
	schemes := []string{"https"}
	if k.sandbox {
		schemes = append(schemes, "http")
	}
	k.url("auth.oidc.issuer", o.Issuer, schemes...)
	if o.Audience == "" {
		k.r.add("auth.oidc.audience", "is missing; without one, tokens made for any other program would open this one")
	}
	if len(o.AdminRoles) > 0 && o.RolesClaim == "" {
		k.r.add("auth.oidc.rolesClaim", "is missing although adminRoles are given; name the claim that lists them, such as groups")
	}
}

// Rate bounds how often somebody asks.
type Rate struct {
	// PerSecond is how many requests a caller may send on average, Burst how
	// many at once; 0 for no limit. An admin's limits are ten times as high.
	PerSecond float64 `json:"perSecond"`
	Burst     int     `json:"burst"`
	// Refused is how many requests a minute one address may get refused before
	// it is not listened to; 0 for no limit.
	Refused int `json:"refused"`
}

func (r Rate) check(k *checker) {
	if !amount(r.PerSecond) {
		k.r.add("limits.rate.perSecond", "%v is not a number of requests, for example 20; 0 is no limit", r.PerSecond)
	}
	k.atLeast("limits.rate.burst", int64(r.Burst), 0)
	k.atLeast("limits.rate.refused", int64(r.Refused), 0)
	if r.PerSecond > 0 && r.Burst == 0 {
		k.r.add("limits.rate.burst", "is 0, so that no request would pass; give at least 1")
	}
}

// proxies checks addresses whose X-Forwarded-For is believed.
func (k *checker) proxies(path string, all []string) {
	for _, p := range all {
		if _, err := netip.ParsePrefix(p); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(p); err != nil {
			k.r.add(path, "%q is no address and no range of them, such as 10.0.0.0/8", p)
		}
	}
}

// storeKey checks one key; its value is a secret and not repeated.
func (k *checker) storeKey(path string, key environment.Secret) {
	if b, err := hex.DecodeString(key.Reveal()); err != nil || (len(b) != 16 && len(b) != 32) {
		k.r.add(path, "is not 16 or 32 bytes in hexadecimal; make one with: openssl rand -hex 32")
	}
}

// OldKeyBytes returns the keys that only open, as bytes.
func (s Store) OldKeyBytes() [][]byte {
	var keys [][]byte
	for _, old := range s.OldKeys {
		key, _ := hex.DecodeString(old.Reveal()) // checked when loading
		keys = append(keys, key)
	}
	return keys
}

func (s Store) checkKeys(k *checker) {
	if !s.Key.IsZero() {
		k.storeKey("store.key", s.Key)
	}
	for i, old := range s.OldKeys {
		k.storeKey("store.oldKeys["+strconv.Itoa(i)+"]", old)
	}
}
