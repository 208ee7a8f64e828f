package config

import (
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// defaults is what holds when the file says nothing.
func defaults() *Config {
	return &Config{
		Server: Server{Addr: "127.0.0.1:8080", ShutdownGrace: 30 * time.Second, Telemetry: Telemetry{Ratio: 1}},
		Store:  Store{URL: "sqlite:daskbot.db", KeepEvents: 400 * 24 * time.Hour, KeepDeliveries: 30 * 24 * time.Hour},
		Auth:   Auth{AdminTokenFile: "admin.token", OIDC: OIDC{SubjectClaim: "email"}},
		GKE:    GKE{TokenFrom: TokenFromADC, Fallback: true},
		Recipes: Recipes{
			Default: "daskhub",
		},
		Defaults: environment.Policy{
			TTL: 4 * time.Hour, MaxTTL: 12 * time.Hour, Idle: 45 * time.Minute,
			MaxPerOwner: 3, MaxPerCourse: 100, MaxTotal: 200, Extension: 4 * time.Hour,
			Unused: 2 * time.Hour, Grace: 24 * time.Hour, MaxBusy: 12 * time.Hour, Warnings: []time.Duration{30 * time.Minute, 10 * time.Minute},
			IdleMin: 12 * time.Minute, IdleMax: 90 * time.Minute,
		},
		Reaper:  Reaper{Schedule: "* * * * *", MaxPerRun: 50, MaxShare: 0.5, Probes: 32, OrphanSchedule: "17 * * * *", OrphanGrace: 24 * time.Hour},
		Slack:   Slack{Members: MembersKnown},
		LMS:     LMS{RosterSchedule: "30 2 * * *", Keep: 30 * 24 * time.Hour},
		Pricing: Pricing{Prices: environment.ListPrices()},
		Limits:  Limits{ConcurrentCreates: 4, ConcurrentDeletes: 8, ConcurrentHelm: 4, Workers: 100, BodyBytes: 64 << 10, Rate: Rate{PerSecond: 20, Burst: 100, Refused: 120}, Members: 2000, RosterBytes: 1 << 20},
		Log:     Log{Level: "info", Format: "auto"},
	}
}

// deriveDefaults fills in what depends on other values.
func (c *Config) deriveDefaults() {
	if c.Server.ExternalURL == "" {
		c.Server.ExternalURL = "http://" + c.Server.Addr
	}
	for i := range c.Courses {
		if c.Courses[i].Timezone == "" {
			c.Courses[i].Timezone = "UTC"
		}
		// A course's quiet hours are those of its clock.
		if q := c.Courses[i].Policy.QuietHours; q != "" && !strings.Contains(q, " ") {
			c.Courses[i].Policy.QuietHours = q + " " + c.Courses[i].Timezone
		}
		if c.Courses[i].Title == "" {
			c.Courses[i].Title = c.Courses[i].ID
		}
	}
}
