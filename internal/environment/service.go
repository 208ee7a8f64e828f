package environment

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Service carries out commands. A command checks the caller, validates, and
// commits one transaction: row, event, job. It never waits for the cloud;
// only Describe, Logs, Kubeconfig and CheckProject talk to it, because they
// are questions.
type Service struct {
	store     Store
	catalogue Catalogue
	clusters  Clusters
	noCloud   bool
	given     Given
	workloads Workloads
	prober    Prober
	roster    registry // of the configuration and the store
	roll      *rollCall
	feed      *Feed
	prices    *atomic.Pointer[Prices] // see SetPrices
	install   string
	home      string
	now       func() time.Time
	learnt    *medians
	spentOut  *atomic.Pointer[weighed] // see weigh
	disks     *atomic.Pointer[volumes] // see volumesOf
	customs   *customs
	orphans   OrphanConfig
	inbox     Inbox
	once      *Replay // see Once
}

// ServiceConfig is what a Service needs; every field but Now and Prices is
// required.
type ServiceConfig struct {
	Store     Store // announced on Feed
	Feed      *Feed
	Catalogue Catalogue
	Clusters  Clusters
	NoCloud   bool // only given clusters: what needs a cloud is refused
	Given     Given
	Workloads Workloads
	Prober    Prober // nil: use is unknown
	Roster    Roster // of the configuration; nil: all courses are stored
	// CheckSchedule refuses a cron line that would never come due; nil: none is.
	CheckSchedule func(Schedule) error
	// MaxMembers bounds the roster of a stored course; 2000 when 0.
	MaxMembers   int
	Installation string
	ExternalURL  string // where notebooks reach daskbot; "": they cannot
	Orphans      OrphanConfig
	Inbox        Inbox // nil: no learning platform sends anything
	Prices       Prices
	Now          func() time.Time // time.Now when nil
}

// NewService wires a Service. It starts nothing.
func NewService(c ServiceConfig) *Service {
	s := &Service{store: c.Store, catalogue: c.Catalogue, clusters: c.Clusters, noCloud: c.NoCloud, given: c.Given,
		workloads: c.Workloads, prober: c.Prober, feed: c.Feed, prices: &atomic.Pointer[Prices]{}, install: c.Installation, home: strings.TrimRight(c.ExternalURL, "/"), orphans: c.Orphans, inbox: c.Inbox, now: c.Now, learnt: &medians{}, spentOut: &atomic.Pointer[weighed]{}, disks: &atomic.Pointer[volumes]{}, customs: &customs{}, roll: newRollCall(c)}
	s.roster = newRegistry(c.Roster, c.Store)
	if s.now == nil {
		s.now = time.Now
	}
	if c.Prices.AsOf == "" {
		c.Prices = ListPrices()
	}
	s.SetPrices(c.Prices)
	return s
}

// clock is the time of one command: UTC, to the millisecond the store keeps.
func (s *Service) clock() time.Time { return s.now().UTC().Truncate(time.Millisecond) }

// Up makes the owner's environment or finds the one there is; created says
// which. Errors: CodeInvalid names the field; CodeQuota and CodeForbidden say
// what to do; CodeConflict means that the idempotency key was used for
// another request.
func (s *Service) Up(ctx context.Context, who Caller, r Request) (Environment, bool, error) {
	if s.once != nil {
		r.IdempotencyKey = s.once.Key
	}
	// What was carried out is not judged again: meanwhile its hour may be over, a
	// default another one, or the profile gone.
	asked := s.replay(who, r)
	if e, done, err := s.replayed(ctx, who, asked, r); done || err != nil {
		return e, false, err
	}
	r, profile, class, err := s.complete(ctx, who, r)
	if err != nil {
		return Environment{}, false, err
	}
	// Two clients may ask at once: the one whose insert the store refuses
	// finds the other's.
	for range 3 {
		e, err := s.store.LiveEnvironment(ctx, r.Owner, r.Course, profile.Name)
		if err == nil {
			return e, false, s.remember(ctx, asked.of(e.ID))
		}
		if CodeOf(err) != CodeNotFound {
			return Environment{}, false, err
		}
		e, err = s.create(ctx, who, r, profile, class, asked)
		if err == nil {
			return e, true, nil
		}
		if CodeOf(err) != CodeConflict {
			return Environment{}, false, err
		}
		if e, done, err := s.replayed(ctx, who, asked, r); done || err != nil {
			return e, false, err
		}
	}
	return Environment{}, false, Errorf(CodeConflict, "Somebody else is changing this environment at the same moment; try again.")
}

// complete fills in defaults and refuses what cannot be.
func (s *Service) complete(ctx context.Context, who Caller, r Request) (Request, Profile, Course, error) {
	r, class, err := s.owned(ctx, who, r)
	if err != nil {
		return r, Profile{}, class, err
	}
	r.Profile = first(strings.TrimSpace(r.Profile), first(class.Profile, s.catalogue.DefaultProfile()))
	profile, ok := s.catalogue.Profile(r.Profile)
	if !ok {
		return r, Profile{}, class, s.unknownProfile(r.Profile)
	}
	if s.noCloud && profile.Given == "" {
		return r, Profile{}, class, s.cloudProfile(profile.Name)
	}
	if r.Packages, err = CleanPackages(r.Packages); err != nil {
		return r, Profile{}, class, err
	}
	if len(r.Packages) > 0 && !profile.Packages {
		return r, Profile{}, class, Invalid("packages", "The profile %s takes no extra packages; profiles that do: %s.", profile.Name, s.takesPackages())
	}
	if r.Workers != nil {
		if err := checkWorkers(profile, *r.Workers); err != nil {
			return r, Profile{}, class, err
		}
	}
	if err := s.checkLifetime(r, s.policy(profile, class)); err != nil {
		return r, Profile{}, class, err
	}
	r.Project, err = s.resolveProject(ctx, who, r, class)
	return r, profile, class, err
}

// owned finds out for whom a request is, and in which course.
func (s *Service) owned(ctx context.Context, who Caller, r Request) (Request, Course, error) {
	owner, err := s.called(ctx, who, r.Course, first(strings.TrimSpace(r.Owner), who.Subject))
	if err != nil {
		return r, Course{}, err
	}
	r.Owner = owner
	if err := ValidSubject("owner", r.Owner); err != nil {
		return r, Course{}, err
	}
	class, err := s.attended(ctx, who, r)
	return r, class, err
}

func (s *Service) unknownProfile(name string) error {
	var names []string
	for _, p := range s.catalogue.Profiles() {
		names = append(names, p.Name)
	}
	hint := ""
	if n := Nearest(name, names); n != "" {
		hint = " Did you mean \"" + n + "\"?"
	}
	return Invalid("profile", "There is no profile %q.%s Profiles: %s.", clip(name), hint, strings.Join(names, ", "))
}

// cloudProfile refuses a profile that makes clusters where there is no cloud.
func (s *Service) cloudProfile(name string) error {
	var names []string
	for _, p := range s.catalogue.Profiles() {
		if p.Given != "" {
			names = append(names, p.Name)
		}
	}
	return Invalid("profile", "The profile %s makes a cluster in a cloud, and this installation has no cloud; profiles that need none: %s.", name, strings.Join(names, ", "))
}

func (s *Service) takesPackages() string {
	var names []string
	for _, p := range s.catalogue.Profiles() {
		if p.Packages {
			names = append(names, p.Name)
		}
	}
	return strings.Join(names, ", ")
}

func checkWorkers(p Profile, n int) error {
	if n < 0 || n > p.Workers.Max {
		return Invalid("workers", "%d workers is not possible with the profile %s: choose 0 to %d, for example %d.", n, p.Name, p.Workers.Max, p.Workers.Default)
	}
	return nil
}

// resolveProject decides whose credits pay: what the request names (when the
// caller may), else the owner's linked project, else the one the course knows
// of, else the course's, else the default.
func (s *Service) resolveProject(ctx context.Context, who Caller, r Request, class Course) (string, error) {
	person, err := s.store.Person(ctx, r.Owner)
	if err != nil && CodeOf(err) != CodeNotFound {
		return "", err
	}
	member, _ := class.Member(r.Owner)
	pays := first(member.Project, first(class.Project, s.catalogue.Project()))
	if r.Project == "" {
		return first(person.Project, pays), nil
	}
	if err := ValidProject(r.Project); err != nil {
		return "", err
	}
	known := r.Project == person.Project || r.Project == pays
	if !known && who.Role != RoleAdmin {
		return "", Errorf(CodeForbidden, "The project %s is not linked to %s; link it first with `daskbot project link %s`.", r.Project, r.Owner, r.Project)
	}
	return r.Project, nil
}

// replayed returns what an earlier request with the same key made.
func (s *Service) replayed(ctx context.Context, who Caller, asked *Replay, r Request) (Environment, bool, error) {
	if asked == nil {
		return Environment{}, false, nil
	}
	seen, err := s.store.Replay(ctx, asked.Caller, asked.Key)
	if CodeOf(err) == CodeNotFound {
		return Environment{}, false, nil
	}
	if err != nil {
		return Environment{}, false, err
	}
	same, err := s.sameRequest(ctx, who, seen, asked, r)
	if err != nil {
		return Environment{}, false, err
	}
	if !same {
		return Environment{}, true, &Error{Code: CodeConflict, Field: "Idempotency-Key",
			Message: "This idempotency key was used for another request; use a new one for a new request."}
	}
	e, err := s.fetch(ctx, who, ActionView, seen.Environment)
	return e, true, err
}

// askedMark begins the fingerprints of requests as they were asked. Those that
// earlier versions wrote are of the request with its defaults, and without its
// project; they are compared as they were made for as long as they are kept.
const askedMark = "asked:"

func (s *Service) sameRequest(ctx context.Context, who Caller, seen Replay, asked *Replay, r Request) (bool, error) {
	if strings.HasPrefix(seen.Fingerprint, askedMark) {
		return seen.Fingerprint == asked.Fingerprint, nil
	}
	r, _, _, err := s.complete(ctx, who, r)
	r.IdempotencyKey, r.Project = "", ""
	return seen.Fingerprint == Fingerprint(r), err
}

// remember binds the key of a request that found an environment to it.
func (s *Service) remember(ctx context.Context, found *Replay) error {
	if found == nil {
		return nil
	}
	err := s.store.Commit(ctx, Change{Replay: found})
	if CodeOf(err) == CodeConflict {
		return nil // a twin of this very request was faster
	}
	return err
}

// replay is what is remembered of a request as it was asked; nil when it has no
// key.
func (s *Service) replay(who Caller, r Request) *Replay {
	if r.IdempotencyKey == "" || who.Subject == "" {
		return nil
	}
	key := r.IdempotencyKey
	r.IdempotencyKey = ""
	return &Replay{Caller: who.Subject, Key: key, Fingerprint: askedMark + Fingerprint(r), At: s.clock()}
}

// of binds it to what became of the request.
func (r *Replay) of(id string) *Replay {
	if r == nil {
		return nil
	}
	bound := *r
	bound.Environment = id
	return &bound
}

func (s *Service) create(ctx context.Context, who Caller, r Request, p Profile, class Course, asked *Replay) (Environment, error) {
	policy := s.policy(p, class)
	if err := s.afford(ctx, r, policy); err != nil {
		return Environment{}, err
	}
	e := s.newEnvironment(who, r, p, class)
	err := s.store.Commit(ctx, Change{
		Environment: &e,
		Events:      []Event{event(e, EventRequested, who.Subject, "Asked for "+p.Name+".", e.CreatedAt)},
		Wake:        []Job{{JobEnvironment, e.ID, urgency(who)}},
		Replay:      asked.of(e.ID),
		Audited:     auditedAs(ctx, who, "up", e.ID, e.CreatedAt),
		Within:      bounds(r, policy),
	})
	e.Version++
	return e, err
}

func urgency(who Caller) Urgency {
	if strings.HasPrefix(who.Subject, "schedule:") {
		return UrgencySchedule
	}
	return UrgencyPerson
}

// bounds are the limits on how many environments there may be; afford checks
// money. The cloud's quota is checked later, by whoever asks the cloud.
func bounds(r Request, policy Policy) []Bound {
	var out []Bound
	add := func(owner, course, whose string, limit int) {
		if limit > 0 {
			out = append(out, Bound{Owner: owner, Course: course, Max: limit, Refusal: Errorf(CodeQuota,
				"No more can be made: %s %s, and that is the limit. End one with `daskbot down` first.", whose, count(limit, "environment", "environments"))})
		}
	}
	add(r.Owner, "", r.Owner+" has", policy.MaxPerOwner)
	if r.Course != "" {
		add("", r.Course, "the course has", policy.MaxPerCourse)
	}
	add("", "", "there are", policy.MaxTotal)
	return out
}

func (s *Service) newEnvironment(who Caller, r Request, p Profile, class Course) Environment {
	now := s.clock()
	terms := s.terms(p, class).stricter(r.Idle)
	id := NewID()
	workers := p.Workers.Default
	if r.Workers != nil {
		workers = *r.Workers
	}
	ttl := r.TTL
	if ttl == 0 && r.Until.IsZero() {
		ttl = terms.Policy.TTL
	}
	namespace := p.Namespace
	if p.Placement == Shared || p.Given != "" {
		namespace = p.Namespace + "-" + id
	}
	e := Environment{
		ID: id, Owner: r.Owner, Course: r.Course, Project: r.Project, Profile: p.Name, Recipe: p,
		Spec:    Spec{TTL: ttl, Until: r.Until.UTC(), Workers: workers, Packages: r.Packages},
		Desired: Present, State: StatePending, Phase: PhaseQueued, PhaseSince: now,
		Message: "Asked for; it starts as soon as it is its turn.", Namespace: namespace, ExpiresAt: r.Until.UTC(),
		Secrets:   Secrets{SecretPassword: NewPassword(), SecretToken: NewSecretValue(), SecretProxy: NewSecretValue(), SecretKeep: NewSecretValue()},
		CreatedAt: now, RequestedBy: who.Subject, Home: s.home, Generation: 1, Terms: terms,
	}
	e.CourseEnd = class.endFor(e)
	return e
}

func event(e Environment, t EventType, actor, message string, at time.Time) Event {
	n, of := StepOf(e.Phase)
	return Event{At: at, Environment: e.ID, Cluster: e.ClusterID, Type: t, State: e.State, Phase: e.Phase,
		Step: n, Steps: of, Message: message, Actor: actor}
}

// errorAs is errors.As for the domain's own type.
func errorAs(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// Get returns one environment that the caller may see.
func (s *Service) Get(ctx context.Context, who Caller, id string) (Environment, error) {
	return s.fetch(ctx, who, ActionView, id)
}

func (s *Service) fetch(ctx context.Context, who Caller, a Action, id string) (Environment, error) {
	if who.Subject == "" {
		return Environment{}, Authorize(who, a, "", "")
	}
	e, err := s.store.Environment(ctx, id)
	if CodeOf(err) == CodeNotFound {
		return e, Errorf(CodeNotFound, "There is no such environment, or it is not yours.")
	}
	if err != nil {
		return e, err
	}
	return e, Authorize(who, a, e.Owner, e.Course)
}

// List returns what the caller may see, newest first.
func (s *Service) List(ctx context.Context, who Caller, f Filter) ([]Environment, string, error) {
	owner, err := s.called(ctx, who, f.Course, f.Owner)
	if err != nil {
		return nil, "", err
	}
	f.Owner = owner
	switch who.Role {
	case RoleAdmin:
	case RoleStaff:
		if f.Owner != who.Subject {
			f.Self, f.Courses = who.Subject, slices.Clone(who.Courses)
			if f.Courses == nil {
				f.Courses = []string{}
			}
		}
	case RoleStudent:
		if f.Owner != "" && f.Owner != who.Subject {
			return nil, "", nil
		}
		f.Owner = who.Subject
	default:
		return nil, "", Authorize(who, ActionView, "", "")
	}
	return s.store.Environments(ctx, f)
}

// Profiles lists what can be asked for.
func (s *Service) Profiles(_ context.Context, who Caller) ([]Profile, error) {
	if who.Subject == "" {
		return nil, Authorize(who, ActionView, "", "")
	}
	return s.catalogue.Profiles(), nil
}

// Offer is a profile, and the limits that hold for it.
type Offer struct {
	Profile Profile
	Policy  Policy
}

// Offers lists what can be asked for in a course, "" for none. A course that
// cannot be read has the general limits: it is for a form, not for a decision.
func (s *Service) Offers(ctx context.Context, who Caller, course string) ([]Offer, error) {
	profiles, err := s.Profiles(ctx, who)
	if err != nil {
		return nil, err
	}
	class, _ := s.roster.Class(ctx, course)
	offers := make([]Offer, 0, len(profiles))
	for _, p := range profiles {
		offers = append(offers, Offer{p, s.policy(p, class)})
	}
	return offers, nil
}

// DefaultProfile is what `up` takes in a course when no profile is named. A
// course that cannot be read has the general one: it is for a form, not for a
// decision.
func (s *Service) DefaultProfile(ctx context.Context, course string) string {
	class, _ := s.roster.Class(ctx, course)
	return first(class.Profile, s.catalogue.DefaultProfile())
}
