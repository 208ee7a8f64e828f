package slack

import (
	"slices"
	"strconv"
	"strings"
)

// App is what a developer registered: where Slack sends its requests and the
// secrets that both sides know.
type App struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	ClientID      string   `json:"clientId"`
	ClientSecret  string   `json:"clientSecret"`
	SigningSecret string   `json:"signingSecret"`
	Token         string   `json:"appToken"` // app-level, for Socket Mode
	Verification  string   `json:"verificationToken"`
	URL           string   `json:"url"`  // requests go to URL/slack/{commands,interactions,events}
	Mode          string   `json:"mode"` // HTTP or Socket: one or the other, as in an app's settings
	Scopes        []string `json:"scopes"`
	Events        []string `json:"events"`  // subscribed bot events
	Retries       []string `json:"retries"` // how long after a failed delivery the next one follows
}

// Ways in which an app gets its requests.
const (
	HTTP   = "http"
	Socket = "socket"
)

// Workspace is a team of people, with the app installed or not.
type Workspace struct {
	ID        string    `json:"id"`
	Domain    string    `json:"domain"`
	Name      string    `json:"name"`
	App       string    `json:"app"` // id of the app that can be installed here
	Installed bool      `json:"installed"`
	BotUser   string    `json:"botUser"`
	BotID     string    `json:"botId"`
	BotToken  string    `json:"botToken"`
	Scopes    []string  `json:"scopes"` // granted when it was installed
	People    []Person  `json:"people"`
	Channels  []Channel `json:"channels"`
}

// Person is a member of a workspace.
type Person struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	RealName string `json:"realName"`
	Email    string `json:"email"`
	TimeZone string `json:"timezone"`
	Admin    bool   `json:"admin,omitempty"`
}

// Channel is a place for messages: a channel, or a direct message between a
// person and the app.
type Channel struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Direct  bool     `json:"direct,omitempty"`
	Private bool     `json:"private,omitempty"`
	Members []string `json:"members"`
}

// slackbot is who tells a person that a command failed.
const slackbot = "USLACKBOT"

// manifest is what an app gets when nobody says otherwise: the scopes and
// events of daskbot's own manifest.
var manifest = struct{ scopes, events, retries []string }{
	scopes:  []string{"commands", "chat:write", "im:write", "im:history", "users:read", "users:read.email"},
	events:  []string{"app_home_opened", "app_uninstalled", "message.im", "tokens_revoked"},
	retries: []string{"0s", "1m", "5m"},
}

func newApp(name string) *App {
	return &App{
		ID: "A" + id(), Name: name, ClientID: digits(12) + "." + digits(13), ClientSecret: secret(16),
		SigningSecret: secret(16), Token: "xapp-1-A" + id() + "-" + digits(13) + "-" + secret(32), Verification: secret(12),
		Mode: HTTP, Scopes: manifest.scopes, Events: manifest.events, Retries: manifest.retries,
	}
}

// newWorkspace is a class: three students, a teacher and an administrator,
// each in another time zone where that could matter.
func newWorkspace(domain, name, mail, app string) *Workspace {
	w := &Workspace{ID: "T" + id(), Domain: domain, Name: name, App: app}
	for _, p := range []Person{
		{Name: "s1", RealName: "Ada Lovelace", TimeZone: "Europe/Paris"},
		{Name: "s2", RealName: "Grace Hopper", TimeZone: "America/New_York"},
		{Name: "s3", RealName: "Toshiko Yuasa", TimeZone: "Asia/Tokyo"},
		{Name: "teacher", RealName: "Emmy Noether", TimeZone: "Europe/Paris"},
		{Name: "admin", RealName: "Margaret Hamilton", TimeZone: "Etc/UTC", Admin: true},
	} {
		p.ID, p.Email = "U"+id(), p.Name+"@"+mail
		w.People = append(w.People, p)
	}
	everybody, staff := w.ids(w.People), w.ids(w.People[3:])
	w.Channels = []Channel{
		{ID: "C" + id(), Name: "general", Members: everybody},
		{ID: "C" + id(), Name: "dask-class", Members: slices.Clone(everybody)},
		{ID: "G" + id(), Name: "staff", Private: true, Members: staff},
	}
	return w
}

// enroll adds n students m1, m2, … to the workspace and its class.
func (w *Workspace) enroll(n int, mail string) {
	for i := range n {
		name := "m" + strconv.Itoa(i+1)
		p := Person{ID: "U" + id(), Name: name, RealName: "Student " + strconv.Itoa(i+1), Email: name + "@" + mail, TimeZone: "Europe/Paris"}
		w.People = append(w.People, p)
		for i := range w.Channels {
			if !w.Channels[i].Private {
				w.Channels[i].Members = append(w.Channels[i].Members, p.ID)
			}
		}
	}
}

func (w *Workspace) ids(people []Person) []string {
	all := make([]string, 0, len(people))
	for _, p := range people {
		all = append(all, p.ID)
	}
	return all
}

// install gives the app a bot user, a token and a seat in #dask-class.
func (w *Workspace) install(scopes []string) {
	if w.BotUser == "" {
		w.BotUser, w.BotID = "U"+id(), "B"+id()
	}
	w.Installed, w.Scopes = true, scopes
	w.BotToken = "xoxb-" + digits(12) + "-" + digits(13) + "-" + secret(12)
	for i := range w.Channels {
		c := &w.Channels[i]
		if c.Name == "dask-class" && !slices.Contains(c.Members, w.BotUser) {
			c.Members = append(c.Members, w.BotUser)
		}
	}
}

// person finds a member by id, name or e-mail address.
func (w *Workspace) person(key string) (Person, bool) {
	i := slices.IndexFunc(w.People, func(p Person) bool {
		return p.ID == key || p.Name == key || strings.EqualFold(p.Email, key)
	})
	if i < 0 {
		return Person{}, false
	}
	return w.People[i], true
}

// channel finds a channel by id or by name with or without #.
func (w *Workspace) channel(key string) (*Channel, bool) {
	name := strings.TrimPrefix(key, "#")
	i := slices.IndexFunc(w.Channels, func(c Channel) bool { return c.ID == key || !c.Direct && c.Name == name })
	if i < 0 {
		return nil, false
	}
	return &w.Channels[i], true
}

// direct is the direct message between the app and a person, made when there
// was none.
func (w *Workspace) direct(user string) (c *Channel, made bool) {
	i := slices.IndexFunc(w.Channels, func(c Channel) bool { return c.Direct && slices.Contains(c.Members, user) })
	if i >= 0 {
		return &w.Channels[i], false
	}
	w.Channels = append(w.Channels, Channel{ID: "D" + id(), Name: "directmessage", Direct: true, Members: []string{user, w.BotUser}})
	return &w.Channels[len(w.Channels)-1], true
}

func (c *Channel) has(user string) bool { return slices.Contains(c.Members, user) }
