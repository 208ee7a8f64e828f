package config

import (
	"net/netip"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// LMS holds the learning platforms that may send hooks, those that launch
// daskbot as a tool, and where courses may have notifications sent.
type LMS struct {
	Platforms map[string]Platform `json:"platforms"` // by the name that courses are bound to them by
	// RosterSchedule is when the rosters of courses are read from the platforms
	// (cron, five fields, UTC).
	RosterSchedule string            `json:"rosterSchedule"`
	Keep           time.Duration     `json:"keep"`    // how long what was received is remembered
	Sources        map[string]Source `json:"sources"` // by the name in /hooks/lms/{source}
	Notifications  Notifications     `json:"notifications"`
}

// Source is one learning platform that may send hooks.
type Source struct {
	Kind string `json:"kind"` // generic (when empty), canvas, moodle or bearer
	// Secret and PreviousSecret are both good: whsec_… for generic, what every
	// message carries for moodle and bearer.
	Secret         environment.Secret `json:"secret"`
	PreviousSecret environment.Secret `json:"previousSecret"`
	PublicKeys     []string           `json:"publicKeys"`  // generic: whpk_…
	JWKSURL        string             `json:"jwksUrl"`     // canvas
	RootAccount    string             `json:"rootAccount"` // canvas: the school's, by its uuid
	Course         string             `json:"course"`      // the only one it may speak of; "" for all
	AutoProvision  string             `json:"autoProvision"`
	CreateCourses  bool               `json:"createCourses"`
	PerMinute      int                `json:"perMinute"`
}

// Notifications bound where a course may have notifications sent.
type Notifications struct {
	// Allowed are networks that are taken besides public addresses.
	Allowed []string `json:"allowed"`
}

// checkLMS looks at what can be said without the secrets' meaning, which the
// hooks check themselves.
func (c *Config) checkLMS(k *checker) {
	c.checkPlatforms(k)
	if c.LMS.Keep < 24*time.Hour {
		k.r.add("lms.keep", "is shorter than a day, in which platforms still send copies; for example 30d")
	}
	for name, s := range c.LMS.Sources {
		at := "lms.sources." + name
		k.label(at, name, "canvas")
		if s.Course != "" {
			k.domain(at+".course", environment.ValidCourse(s.Course))
		}
		if s.JWKSURL != "" {
			k.domain(at+".jwksUrl", environment.ValidPlatformURL("jwksUrl", s.JWKSURL)) // the keys are as true as the way to them
		}
		if s.AutoProvision != "" {
			k.oneOf(at+".autoProvision", s.AutoProvision, "off", "on_launch", "on_enroll")
		}
		if s.PerMinute < 0 {
			k.r.add(at+".perMinute", "is negative; 0 is the usual 20000")
		}
	}
	for _, network := range c.LMS.Notifications.Allowed {
		if _, err := netip.ParsePrefix(network); err != nil {
			k.r.add("lms.notifications.allowed", "%q is not a network, such as 10.1.0.0/16", network)
		}
	}
}
