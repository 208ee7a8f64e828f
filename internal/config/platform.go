package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// Platform is a registration of daskbot at a learning platform (LTI 1.3); its
// pages on external tools show all of these.
type Platform struct {
	Issuer      string   `json:"issuer"`
	ClientID    string   `json:"clientId"`
	Deployments []string `json:"deployments"` // ids that may launch; "*" for any
	AuthURL     string   `json:"authUrl"`
	TokenURL    string   `json:"tokenUrl"` // without it rosters are not read
	JWKSURL     string   `json:"jwksUrl"`
	// TokenAudience is who a request for a token is meant for, where that is not
	// tokenUrl.
	TokenAudience string `json:"tokenAudience"`
	// TrustEmails joins whoever is launched to the person with the same e-mail
	// address: only for platforms whose people cannot choose their address.
	TrustEmails bool `json:"trustEmails"`
	// UserIDFrom is the custom parameter that carries the id by which the
	// platform's hooks name people, where that is not the launch's subject.
	UserIDFrom string `json:"userIdFrom"`
	// FrameOrigins may show daskbot in a frame, beside the platform's own.
	FrameOrigins []string `json:"frameOrigins"`
}

// Platforms are the learning platforms of the configuration, by name.
func (c *Config) Platforms() []environment.Platform {
	var all []environment.Platform
	for _, name := range slices.Sorted(maps.Keys(c.LMS.Platforms)) {
		p := c.LMS.Platforms[name]
		all = append(all, environment.Platform{Name: name, Issuer: p.Issuer, ClientID: p.ClientID, Deployments: p.Deployments,
			AuthURL: p.AuthURL, TokenURL: p.TokenURL, JWKSURL: p.JWKSURL, TokenAudience: p.TokenAudience,
			TrustEmails: p.TrustEmails, UserIDFrom: p.UserIDFrom, FrameOrigins: p.FrameOrigins})
	}
	return all
}

func (c *Config) checkPlatforms(k *checker) {
	k.cron("lms.rosterSchedule", c.LMS.RosterSchedule)
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.LMS.Platforms)) {
		p, at := c.LMS.Platforms[name], "lms.platforms."+name
		k.label(at, name, "moodle")
		p.check(k, at)
		if other := seen[p.Issuer+" "+p.ClientID]; other != "" {
			k.r.add(at, "is the same registration (issuer and clientId) as %s", other)
		}
		seen[p.Issuer+" "+p.ClientID] = name
	}
}

func (p Platform) check(k *checker, at string) {
	k.domain(at+".issuer", environment.ValidPlatformURL("issuer", p.Issuer))
	k.domain(at+".authUrl", environment.ValidPlatformURL("authUrl", p.AuthURL))
	k.domain(at+".jwksUrl", environment.ValidPlatformURL("jwksUrl", p.JWKSURL))
	if p.TokenURL != "" {
		k.domain(at+".tokenUrl", environment.ValidPlatformURL("tokenUrl", p.TokenURL))
	}
	if p.ClientID == "" {
		k.r.add(at+".clientId", "is missing; the platform shows it once daskbot is registered there")
	}
	if len(p.Deployments) == 0 {
		k.r.add(at+".deployments", "is missing; list the deployment ids that may launch, or [\"*\"] for any of this client id's")
	}
	for _, origin := range p.FrameOrigins {
		if strings.ContainsAny(origin, " ;,'\"") || !strings.HasPrefix(origin, "https://") && !strings.HasPrefix(origin, "http://") {
			k.r.add(at+".frameOrigins", "%q is not an origin, such as https://school.instructure.com or https://*.instructure.com", origin)
		}
	}
}
