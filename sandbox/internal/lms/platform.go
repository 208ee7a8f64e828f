package lms

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Config is what a Platform needs.
type Config struct {
	StateDir string // "" keeps everything in memory
	URL      string // under which browsers and tools reach it, ends in /lms; the issuer
	ToolURL  string // where the first tool listens; "" keeps what was set before
	Mail     string // domain of the people's addresses
	Log      *slog.Logger
}

// Platform is the emulated LMS. Its methods are safe for concurrent use.
type Platform struct {
	cfg    Config
	client *http.Client
	routes http.Handler

	mu       sync.Mutex
	memory   *memory
	hints    map[string]hint // logins under way
	tokens   map[string]access
	used     map[string]time.Time // assertions, so that none serves twice
	invites  map[string]struct{}  // of dynamic registration
	scripts  []*script
	issued   map[string]string // the last id token of each tool, for those who replay
	boxes    map[string]*box
	failures []time.Time // of Canvas's subscription
	watchers map[chan struct{}]struct{}
	pageSize int
	sent     deliveries

	pending chan *delivery
}

// Open reads the state and makes the platform. The first start makes a course
// with people, and registers one tool. An error says which file is not
// readable or writable.
func Open(cfg Config) (*Platform, error) {
	m, err := openMemory(cfg.StateDir)
	if err != nil {
		return nil, err
	}
	p := &Platform{
		cfg: cfg, client: newClient(), memory: m, hints: map[string]hint{}, tokens: map[string]access{}, used: map[string]time.Time{},
		invites: map[string]struct{}{}, issued: map[string]string{}, boxes: map[string]*box{}, watchers: map[chan struct{}]struct{}{}, pageSize: 50,
		pending: make(chan *delivery, 100_000),
	}
	if err := p.found(); err != nil {
		return nil, fmt.Errorf("state of the LMS: %w", err)
	}
	p.routes = p.newRoutes()
	return p, nil
}

// found makes what the first start needs, and moves the first tool to the
// address that the configuration gives.
func (p *Platform) found() error {
	if p.memory.Launch == nil {
		var err, again error
		p.memory.Launch, err = newKeyring()
		p.memory.Events, again = newKeyring()
		if err := errors.Join(err, again); err != nil {
			return err
		}
		p.memory.Secrets = Secrets{Standard: hookSecret(), Bearer: random(20), Moodle: random(20), Outgoing: hookSecret()}
		p.memory.settle(p.cfg.Mail)
	}
	if p.cfg.ToolURL != "" {
		p.memory.Tools[0].at(p.cfg.ToolURL)
	}
	return p.memory.save()
}

// settle makes the people whom the other parts of the sandbox know too, and
// their course.
func (m *memory) settle(mail string) {
	tool := &Tool{ClientID: "10000000000001", Name: "daskbot", Deployment: "1:" + random(20), Scopes: []string{scopeMembers}}
	course := &Course{ID: "dask-101", Number: m.number(), Label: "DASK-101", Title: "Parallel computing with Dask", Tool: tool.ClientID, Feed: Standard}
	for _, one := range []struct{ login, name, role string }{
		{"s1", "Ada Lovelace", Student}, {"s2", "Grace Hopper", Student}, {"s3", "Toshiko Yuasa", Student},
		{"teacher", "Emmy Noether", Teacher}, {"s4", "Sofja Kowalewskaja", ""}, {"admin", "Margaret Hamilton", ""},
	} {
		person := m.addPerson(one.login, one.name, one.login+"@"+mail)
		person.Admin = one.login == "admin"
		if one.role != "" {
			m.enroll(course, person, one.role, time.Now())
		}
	}
	m.Tools, m.Courses = append(m.Tools, tool), append(m.Courses, course)
}

func (m *memory) addPerson(login, name, email string) *Person {
	number := m.number()
	p := &Person{ID: random(16), Number: number, Login: login, Name: name, Email: email, SIS: "sis-" + number}
	m.People = append(m.People, p)
	return p
}

func (m *memory) enroll(c *Course, p *Person, role string, now time.Time) {
	c.Members = append(c.Members, Member{Person: p.ID, Role: role, Enrollment: m.number(), Since: now.UTC().Truncate(time.Second)})
}

// Details are what the administrator of a tool copies from the platform.
type Details struct {
	Issuer     string  `json:"issuer"`
	ClientID   string  `json:"clientId"`
	Deployment string  `json:"deployment"`
	AuthURL    string  `json:"authUrl"`
	TokenURL   string  `json:"tokenUrl"`
	JWKSURL    string  `json:"jwksUrl"`
	EventsJWKS string  `json:"eventsJwksUrl"`
	Inbox      string  `json:"inbox"` // where a tool's own hooks go
	Secrets    Secrets `json:"secrets"`
}

// Details returns those of the first tool.
func (p *Platform) Details() Details {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.details(p.memory.Tools[0])
}

func (p *Platform) details(t *Tool) Details {
	return Details{
		Issuer: p.cfg.URL, ClientID: t.ClientID, Deployment: t.Deployment,
		AuthURL: p.cfg.URL + "/oauth/authorize", TokenURL: p.cfg.URL + "/oauth/token", JWKSURL: p.cfg.URL + "/jwks",
		EventsJWKS: p.cfg.URL + "/canvas/jwks", Inbox: p.cfg.URL + "/inbox/" + t.ClientID, Secrets: p.memory.Secrets,
	}
}

// origin is the platform's, as browsers write it.
func (p *Platform) origin() string {
	u, err := url.Parse(p.cfg.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Run delivers events, again and again when a tool does not take them, until
// ctx ends.
func (p *Platform) Run(ctx context.Context) error {
	var deliveries sync.WaitGroup
	defer deliveries.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case d := <-p.pending:
			deliveries.Go(func() { p.deliver(ctx, d) })
		}
	}
}

// ServeHTTP answers everything below /lms.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.routes.ServeHTTP(w, r) }

// changed writes the state down and tells the open pages to look again. State
// that cannot be written is logged, not refused: the emulator goes on with
// what it has in memory. The caller holds the lock.
func (p *Platform) changed() {
	if err := p.memory.save(); err != nil {
		p.cfg.Log.Error("a change is not written down", "reason", err)
	}
	p.notify()
}
