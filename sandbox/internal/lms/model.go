package lms

import (
	"slices"
	"strings"
	"time"
)

// Roles that a person has in a course.
const (
	Student   = "student"
	Teacher   = "teacher"
	Assistant = "assistant"
)

// Ways in which a course tells a tool about its roster.
const (
	Canvas        = "canvas"         // Live Events, a compact JWS
	MoodleTrigger = "moodle-trigger" // tool_trigger: JSON with a bearer token, again until exactly 200
	MoodleHooks   = "moodle-hooks"   // local_webhooks: a form with a token in it, sent once
	Standard      = "standard"       // Standard Webhooks
	Bearer        = "bearer"         // JSON with a bearer token, for systems that cannot sign
	Nothing       = "none"
)

var feeds = []string{Canvas, MoodleTrigger, MoodleHooks, Standard, Bearer, Nothing}

// Person is an account of the platform.
type Person struct {
	ID     string `json:"id"`     // the subject of launches
	Number string `json:"number"` // as Canvas and Moodle count people
	Login  string `json:"login"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	SIS    string `json:"sis"` // the registrar's number
	Admin  bool   `json:"admin,omitempty"`
}

// Member is a person's place in a course.
type Member struct {
	Person     string    `json:"person"`
	Role       string    `json:"role"`
	Enrollment string    `json:"enrollment"` // its number
	Since      time.Time `json:"since"`
}

// Course is a class of the platform.
type Course struct {
	ID      string   `json:"id"`     // the context of launches
	Number  string   `json:"number"` // as Canvas and Moodle count courses
	Label   string   `json:"label"`
	Title   string   `json:"title"`
	Tool    string   `json:"tool"` // client id of the tool it uses
	Feed    string   `json:"feed"`
	Members []Member `json:"members"`
	Ended   bool     `json:"ended,omitempty"`
}

// member finds a person's place.
func (c *Course) member(person string) (*Member, bool) {
	i := slices.IndexFunc(c.Members, func(m Member) bool { return m.Person == person })
	if i < 0 {
		return nil, false
	}
	return &c.Members[i], true
}

// Tool is a registered tool, and how to reach what it has beside LTI.
type Tool struct {
	ClientID     string            `json:"clientId"`
	Name         string            `json:"name"`
	Deployment   string            `json:"deployment"`
	URL          string            `json:"url"` // its own base address; "" when nobody said
	LoginURL     string            `json:"loginUrl"`
	TargetURL    string            `json:"targetUrl"`
	RedirectURIs []string          `json:"redirectUris"`
	JWKSURL      string            `json:"jwksUrl"`
	HooksURL     string            `json:"hooksUrl"` // the name of a source follows
	Scopes       []string          `json:"scopes"`
	Custom       map[string]string `json:"custom,omitempty"`
	NoEmail      bool              `json:"noEmail,omitempty"` // the privacy setting: launches say neither name nor e-mail
	Retries      []string          `json:"retries,omitempty"` // pauses before each repetition; none is the way of the source
	Off          string            `json:"off,omitempty"`     // why its feeds are off
}

// at makes every address follow from the tool's base address, as daskbot's do.
func (t *Tool) at(base string) {
	base = strings.TrimSuffix(base, "/")
	t.URL, t.HooksURL = base, base+"/hooks/lms/"
	t.LoginURL, t.TargetURL, t.JWKSURL = base+"/lti/login", base+"/lti/launch", base+"/lti/jwks"
	t.RedirectURIs = []string{t.TargetURL}
}

// Secrets are what both sides of a feed know. They are the platform's, the
// same for all of its tools.
type Secrets struct {
	Standard string `json:"standard"` // whsec_…
	Bearer   string `json:"bearer"`
	Moodle   string `json:"moodle"`
	Outgoing string `json:"outgoing"` // whsec_…, of the hooks that tools send here
}
