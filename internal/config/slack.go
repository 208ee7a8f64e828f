package config

import (
	"slices"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// Who is served in Slack.
const (
	MembersKnown = "known" // people an admin registered, found by Slack id or e-mail address
	MembersAll   = "all"   // every member of the workspace; strangers become people by their e-mail address
)

// Slack is the Slack application. Without a bot token there is none.
type Slack struct {
	BotToken environment.Secret `json:"botToken"` // xoxb-…
	// SigningSecret verifies what Slack sends over HTTP. With AppToken (xapp-…)
	// daskbot connects to Slack instead, by Socket Mode.
	SigningSecret environment.Secret `json:"signingSecret"`
	AppToken      environment.Secret `json:"appToken"`
	Members       string             `json:"members"` // known or all
	Course        string             `json:"course"`  // what /dask means when no course is named
	// ClientID and ClientSecret let the app be installed in other workspaces,
	// from a browser; without them there is only the one of BotToken.
	ClientID     string             `json:"clientId"`
	ClientSecret environment.Secret `json:"clientSecret"`
	// Workspaces are the ids (T…) of those whose e-mail addresses are believed.
	Workspaces []string `json:"workspaces"`
	APIURL     string   `json:"apiUrl"` // replaces Slack's, for the sandbox
}

// Configured reports whether there is a Slack application to talk to.
func (s Slack) Configured() bool { return !s.BotToken.IsZero() }

func (c *Config) checkSlack(k *checker) {
	s := c.Slack
	if s.APIURL != "" {
		k.url("slack.apiUrl", s.APIURL, "https", "http")
	}
	incoming := !s.SigningSecret.IsZero() || !s.AppToken.IsZero()
	if incoming != s.Configured() {
		k.r.add("slack", "botToken is needed together with signingSecret (HTTP) or appToken (Socket Mode); the Slack application's pages show them")
	}
	// The values are secrets: they are not repeated.
	if s.Configured() && !strings.Contains(s.BotToken.Reveal(), "xoxb-") {
		k.r.add("slack.botToken", "is not a bot token: those begin with xoxb-")
	}
	if !s.AppToken.IsZero() && !strings.HasPrefix(s.AppToken.Reveal(), "xapp-") {
		k.r.add("slack.appToken", "is not an app-level token: those begin with xapp-")
	}
	c.checkSlackInstall(k)
	k.oneOf("slack.members", s.Members, MembersKnown, MembersAll)
	if !c.known(s.Course) {
		k.r.add("slack.course", "there is no course %q under courses", s.Course)
	}
	for _, admin := range c.Auth.Admins {
		k.domain("auth.admins", environment.ValidSubject("auth.admins", admin))
	}
}

// checkSlackInstall looks at what other workspaces need.
func (c *Config) checkSlackInstall(k *checker) {
	s := c.Slack
	if (s.ClientID == "") != s.ClientSecret.IsZero() {
		k.r.add("slack", "clientId and clientSecret go together; Basic Information of the Slack application shows them")
	}
	if s.ClientID != "" && !s.Configured() {
		k.r.add("slack.clientId", "needs a botToken too: that of the workspace the application belongs to")
	}
	if s.ClientID != "" && c.Store.Key.IsZero() {
		k.r.add("slack.clientId", "needs store.key: the tokens of other workspaces are kept encrypted")
	}
	for _, id := range s.Workspaces {
		if !strings.HasPrefix(id, "T") {
			k.r.add("slack.workspaces", "%q is not the id of a workspace: those begin with T", id)
		}
	}
}

// Caller is who a subject is that was recognised without a token: an admin,
// staff of the courses that name them, or a student.
func (c *Config) Caller(subject string) environment.Caller {
	who := environment.Caller{Subject: subject, Role: environment.RoleStudent}
	same := func(named string) bool { return environment.CleanSubject(named) == environment.CleanSubject(subject) }
	for _, course := range c.Courses {
		if slices.ContainsFunc(course.Staff, same) {
			who.Role = environment.RoleStaff
			who.Courses = append(who.Courses, course.ID)
		}
	}
	if slices.ContainsFunc(c.Auth.Admins, same) {
		who.Role = environment.RoleAdmin
	}
	return who
}

// DefaultCourse is the course that a subject means without naming one: the
// only one they teach, else the one that /dask is for.
func (c *Config) DefaultCourse(subject string) string {
	if who := c.Caller(subject); len(who.Courses) == 1 {
		return who.Courses[0]
	}
	return c.Slack.Course
}
