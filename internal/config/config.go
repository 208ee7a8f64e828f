package config

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

// Config is the whole configuration, with defaults filled in and checked. The
// json tags are the keys of the file. It is not changed after loading and safe
// for concurrent reading.
type Config struct {
	Server    Server             `json:"server"`
	Store     Store              `json:"store"`
	Auth      Auth               `json:"auth"`
	GKE       GKE                `json:"gke"`
	Clusters  map[string]Cluster `json:"clusters"`
	Recipes   Recipes            `json:"profiles"`
	Courses   []Course           `json:"courses"`
	Defaults  environment.Policy `json:"policy"`
	Reaper    Reaper             `json:"reaper"`
	Schedules []Schedule         `json:"schedules"`
	Slack     Slack              `json:"slack"`
	LMS       LMS                `json:"lms"`
	Pricing   Pricing            `json:"pricing"`
	Limits    Limits             `json:"limits"`
	Log       Log                `json:"log"`

	file     string                         // where it was read from
	profiles map[string]environment.Profile // built-in, from files and defined here, inherited and checked
}

// Server is where daskbot listens.
type Server struct {
	Addr string `json:"addr"` // host:port
	// MetricsAddr is where /metrics is served, and then only there: what is told
	// to a monitoring system is not for everybody who reaches Addr. Empty: beside
	// everything else.
	MetricsAddr string `json:"metricsAddr"`
	// ExternalURL is what people and hooks reach it by; "http://<addr>" when empty.
	ExternalURL string `json:"externalUrl"`
	// ShutdownGrace is how long requests and passes may finish after a signal.
	ShutdownGrace time.Duration `json:"shutdownGrace"`
	// DrainDelay is how long requests are still taken after a signal, while
	// /readyz already says no: as long as a load balancer takes to notice.
	DrainDelay time.Duration `json:"drainDelay"`
	// TrustedProxies are the addresses and ranges of proxies in front, whose
	// word about who is asking is taken.
	TrustedProxies []string  `json:"trustedProxies"`
	Telemetry      Telemetry `json:"telemetry"`
}

// Store is where rows, events and the queue are kept.
type Store struct {
	URL string `json:"url"` // sqlite:PATH or postgres://…
	// Key encrypts stored secrets: 16 or 32 bytes in hexadecimal. Without it
	// they are protected by the database's access control alone.
	Key environment.Secret `json:"key"`
	// KeepEvents is for how long events of environments that are gone are kept,
	// KeepDeliveries for how long it is remembered what was already received
	// and told; 0 is for ever.
	KeepEvents     time.Duration `json:"keepEvents"`
	KeepDeliveries time.Duration `json:"keepDeliveries"`
	// OldKeys open what was encrypted before Key; at the start it is encrypted
	// anew, and they can go.
	OldKeys []environment.Secret `json:"oldKeys"`
}

// KeyBytes returns the key as bytes, nil when there is none.
func (s Store) KeyBytes() []byte {
	key, _ := hex.DecodeString(s.Key.Reveal()) // checked when loading
	return key
}

// Auth is how callers prove who they are.
type Auth struct {
	// AdminTokenFile is where the first admin token is written (mode 0600) if
	// the file does not exist yet, and read from otherwise. Empty: no token is
	// made.
	AdminTokenFile string `json:"adminTokenFile"`
	// Admins are the subjects who are admins wherever they are recognised
	// without a token, as in Slack.
	Admins []string `json:"admins"`
	OIDC   OIDC     `json:"oidc"`
}

// The ways to get a token for Google's APIs and the clusters.
const (
	TokenFromADC    = "adc"    // Application Default Credentials: workload identity, or a person's own
	TokenFromStatic = "static" // gke.staticToken, for the sandbox
)

// GKE is how clusters are made.
type GKE struct {
	// Endpoint and ComputeEndpoint replace Google's, for the sandbox.
	Endpoint        string `json:"endpoint"`        // host:port of the gRPC API
	Insecure        bool   `json:"insecure"`        // plaintext; on loopback only
	ComputeEndpoint string `json:"computeEndpoint"` // URL of the REST API
	// Project pays when neither the person nor the course has a project.
	Project string `json:"project"`
	// Projects are further ones this installation may use and must sweep.
	Projects []string `json:"projects"`
	// Installation marks everything this daskbot makes; two installations in
	// one project never touch each other's.
	Installation string             `json:"installation"`
	TokenFrom    string             `json:"tokenFrom"`
	StaticToken  environment.Secret `json:"staticToken"`
	// ServiceAccount is the e-mail daskbot acts as; the commands that grant it
	// access to a linked project name it.
	ServiceAccount string `json:"serviceAccount"`
	// NodeServiceAccount is what nodes act as; the project's default when
	// empty. Elsewhere, as in a project that a student linked, it is the account
	// of the same name in that project.
	NodeServiceAccount string `json:"nodeServiceAccount"`
	// Locations are for profiles that name none.
	Locations []string `json:"locations"`
	// Fallback says whether a profile's further locations are tried when the
	// first has no machines left.
	Fallback bool `json:"fallback"`
}

// Cluster is a cluster that daskbot was given rather than makes.
type Cluster struct {
	Kubeconfig string `json:"kubeconfig"` // path; read at every use, so that it may be rotated
	InCluster  bool   `json:"inCluster"`  // the cluster that daskbot itself runs in
}

// Course is a class that the file defines; nobody changes it elsewhere. Its
// schedules are under schedules.
type Course struct {
	ID       string             `json:"id"`
	Title    string             `json:"title"`
	Timezone string             `json:"timezone"` // IANA name
	Staff    []string           `json:"staff"`    // subjects
	Members  []Member           `json:"members"`  // whom `course up` and schedules are for
	Profile  string             `json:"profile"`  // default for its students
	Project  string             `json:"project"`  // who pays
	Budget   float64            `json:"budget"`   // US dollars a month; another name for policy.courseBudget
	Policy   environment.Policy `json:"policy"`
	Holidays []string           `json:"holidays"` // dates without any of its schedules
	// EndsAt is when the course is over: a time, or a date for the end of it.
	EndsAt string `json:"endsAt"`
	// LMS says which courses of learning platforms it is.
	LMS []environment.LMSBinding `json:"lms"`
	// Notifications are sent to these addresses.
	Notifications []Notification `json:"notifications"`
}

// Notification is an address that is told of a course's environments.
type Notification struct {
	URL    string   `json:"url"`
	Events []string `json:"events"` // left out: all of them
}

// Member is somebody on a roster. A word alone stands for their subject.
type Member struct {
	Subject string `json:"subject"`
	Name    string `json:"name"`
	Email   string `json:"email"`
	LMSID   string `json:"lmsId"`
	SlackID string `json:"slackId"`
	Project string `json:"project"`
	Role    string `json:"role"` // student or staff
}

// member is the domain's.
func (m Member) member() environment.Member {
	return environment.Member{Subject: m.Subject, Name: m.Name, Email: m.Email, LMSID: m.LMSID, SlackID: m.SlackID, Project: m.Project, Role: environment.MemberRole(m.Role)}
}

// Reaper is how idle and forgotten environments are found.
type Reaper struct {
	Schedule string `json:"schedule"` // cron, five fields, UTC
	// MaxPerRun bounds how many environments one run ends.
	MaxPerRun int `json:"maxPerRun"`
	// MaxShare is how much of all environments one run may end for being idle
	// before it waits for a person, 0 to 1.
	MaxShare float64 `json:"maxShare"`
	Probes   int     `json:"probes"` // environments looked at at once
	// OrphanSchedule is when cloud and store are compared (cron, five fields,
	// UTC); OrphanGrace is for how long what nobody looks after is only reported.
	OrphanSchedule string        `json:"orphanSchedule"`
	OrphanGrace    time.Duration `json:"orphanGrace"`
}

// Schedule makes or takes away a course's environments at set times.
type Schedule struct {
	Name   string `json:"name"`
	Course string `json:"course"`
	Cron   string `json:"cron"`   // five fields, in the course's time zone
	Action string `json:"action"` // up or down
	// Spread is the time over which a class is started or ended, so that it does
	// not meet the cloud's limits all at once.
	Spread time.Duration `json:"spread"`
	NotOn  []string      `json:"notOn"` // dates in the course's time zone, such as 2026-12-24
}

// Pricing is what things cost, and whether that is kept up to date.
type Pricing struct {
	environment.Prices
	// Refresh replaces the prices by those of the Cloud Billing Catalog, daily.
	Refresh bool `json:"refresh"`
	// Region is whose prices are taken; "" is that of the first location.
	Region string `json:"region"`
	// Endpoint replaces Google's catalog, for tests.
	Endpoint string `json:"endpoint"`
}

// PriceRegion is the region whose prices count: the one named, or that of the
// default profile's first location. "" when there is none.
func (c *Config) PriceRegion() string {
	if c.Pricing.Region != "" {
		return c.Pricing.Region
	}
	locations := c.profiles[c.Recipes.Default].Cluster.Locations
	if len(locations) == 0 {
		return ""
	}
	if parts := strings.Split(locations[0], "-"); len(parts) == 3 { // a zone
		return parts[0] + "-" + parts[1]
	}
	return locations[0]
}

// Limits bound what daskbot does at once.
type Limits struct {
	ConcurrentCreates int   `json:"concurrentCreates"`
	ConcurrentDeletes int   `json:"concurrentDeletes"`
	ConcurrentHelm    int   `json:"concurrentHelm"`
	Workers           int   `json:"workers"`   // passes of the runner at once
	BodyBytes         int64 `json:"bodyBytes"` // largest request body
	// Members bounds the roster of a course; RosterBytes the body that holds one.
	Members     int   `json:"members"`
	RosterBytes int64 `json:"rosterBytes"`
	Rate        Rate  `json:"rate"`
}

// Log is how daskbot logs.
type Log struct {
	Level  string `json:"level"`  // debug, info, warn or error
	Format string `json:"format"` // json, text, or auto: text on a terminal
}

// Validator checks what only another part of the program knows. It tells each
// problem with the path of the key it is at, such as "schedules[0].cron".
type Validator func(c *Config, problem func(path, text string))

// Load reads and checks a configuration file, with further validators when
// given. Its error is Problems, or says that the file cannot be read.
func Load(path string, more ...Validator) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return parse(data, path, processSources(filepath.Dir(path)), more...)
}

// Parse is Load for a configuration that is already in memory; name stands
// for it in problems, and relative paths count from the working directory.
func Parse(data []byte, name string, more ...Validator) (*Config, error) {
	return parse(data, name, processSources("."), more...)
}

func parse(data []byte, name string, from sources, more ...Validator) (*Config, error) {
	r := newReport(name)
	doc, err := document(data)
	if err != nil {
		return nil, Problems{{File: name, Text: err.Error()}}
	}
	c := defaults()
	c.file = name
	d := &decoder{report: r, file: name, sources: from}
	if len(doc.Content) > 0 {
		d.decode(doc.Content[0], reflect.ValueOf(c).Elem(), "")
	}
	c.resolvePaths(from)
	c.deriveDefaults()
	c.profiles = loadProfiles(c, r, from)
	c.check(r)
	for _, validate := range more {
		validate(c, r.addOnce)
	}
	if err := r.problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// document reads the one document of a file; another would be left out silently.
func document(data []byte) (doc yaml.Node, err error) {
	documents := yaml.NewDecoder(bytes.NewReader(data))
	if err := documents.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return doc, errors.New("is not YAML: " + yamlMessage(err))
	}
	for {
		var further yaml.Node
		switch err := documents.Decode(&further); {
		case errors.Is(err, io.EOF):
			return doc, nil
		case err != nil:
			return doc, errors.New("is not YAML: " + yamlMessage(err))
		case further.Content[0].Tag != "!!null": // nothing follows a last ---
			return doc, fmt.Errorf("holds a second document, after the --- before line %d; put everything into one", further.Content[0].Line)
		}
	}
}

// resolvePaths makes relative paths count from the configuration file.
func (c *Config) resolvePaths(from sources) {
	c.Auth.AdminTokenFile = from.path(c.Auth.AdminTokenFile)
	for name, given := range c.Clusters {
		given.Kubeconfig = from.path(given.Kubeconfig)
		c.Clusters[name] = given
	}
}

// Idle lists what the file configures and this version does not carry out, in
// sentences for the log: a key that silently does nothing is worse than one
// that is refused. At present it carries out everything.
func (c *Config) Idle() []string { return nil }
