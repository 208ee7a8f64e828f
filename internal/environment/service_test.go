package environment

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// rows is the part of a Store that commands use, in memory. Calls it does not
// expect meet the nil interface and panic.
type rows struct {
	Store
	mu       sync.Mutex
	envs     map[string]Environment
	people   map[string]Person
	tokens   map[string]Token
	replays  map[string]Replay
	events   []Event
	uses     map[string]Use
	notes    map[string]Note
	courses  map[string]Course
	woken    []Job
	audited  []Audited
	conflict int // how many commits still lose their compare-and-set
}

func (r *rows) Uses(_ context.Context, ids []string) (map[string]Use, error) {
	found := map[string]Use{}
	for _, id := range ids {
		if use, ok := r.uses[id]; ok {
			found[id] = use
		}
	}
	return found, nil
}

func (r *rows) Note(_ context.Context, key string) (Note, error) {
	if n, ok := r.notes[key]; ok {
		return n, nil
	}
	return Note{}, Errorf(CodeNotFound, "nothing was noted")
}

func (r *rows) Course(_ context.Context, id string) (Course, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, ok := r.courses[id]
	return found(c, ok)
}

func (r *rows) Courses(_ context.Context, deleted bool) (all []Course, _ error) {
	for _, c := range r.courses {
		if deleted || c.DeletedAt.IsZero() {
			all = append(all, c)
		}
	}
	return all, nil
}

func (r *rows) Commit(_ context.Context, ch Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conflict > 0 {
		r.conflict--
		return Errorf(CodeConflict, "It changed.")
	}
	if e := ch.Environment; e != nil {
		if r.envs[e.ID].Version != e.Version {
			return Errorf(CodeConflict, "It changed.")
		}
		for _, other := range r.envs {
			if other.ID != e.ID && other.State.Live() && e.State.Live() && other.Owner == e.Owner && other.Course == e.Course && other.Profile == e.Profile {
				return Errorf(CodeConflict, "There is one.")
			}
		}
		for _, b := range ch.Within {
			if n := r.live(b.Owner, b.Course) + 1; n > b.Max {
				return b.Refusal
			}
		}
		next := *e
		next.Version++
		r.envs[e.ID] = next
	}
	if ch.Replay != nil {
		r.replays[ch.Replay.Caller+"/"+ch.Replay.Key] = *ch.Replay
	}
	if ch.Token != nil {
		r.tokens[ch.Token.Hash] = *ch.Token
	}
	if c := ch.Course; c != nil {
		if r.courses[c.ID].Version != c.Version {
			return Errorf(CodeConflict, "It changed.")
		}
		next := *c
		next.Version++
		r.courses[c.ID] = next
	}
	if ch.Person != nil {
		r.people[ch.Person.Subject] = *ch.Person
	}
	for _, use := range ch.Uses {
		r.uses[use.Environment] = use
	}
	if n := ch.Note; n != nil {
		if r.notes[n.Key].Version != n.Version {
			return Errorf(CodeConflict, "It changed.")
		}
		next := *n
		next.Version++
		r.notes[n.Key] = next
	}
	if ch.Audited != nil {
		r.audited = append(r.audited, *ch.Audited)
	}
	r.events, r.woken = append(r.events, ch.Events...), append(r.woken, ch.Wake...)
	return nil
}

func (r *rows) live(owner, course string) (n int) {
	for _, e := range r.envs {
		if e.State.Live() && (owner == "" || e.Owner == owner) && (course == "" || e.Course == course) {
			n++
		}
	}
	return n
}

var nothing = Errorf(CodeNotFound, "There is no such thing.")

func found[T any](v T, ok bool) (T, error) {
	if !ok {
		return v, nothing
	}
	return v, nil
}

func (r *rows) Environment(_ context.Context, id string) (Environment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.envs[id]
	return found(e, ok)
}

func (r *rows) LiveEnvironment(_ context.Context, owner, course, profile string) (Environment, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.envs {
		if e.State.Live() && e.Owner == owner && e.Course == course && e.Profile == profile {
			return e, nil
		}
	}
	return Environment{}, nothing
}

func (r *rows) Person(_ context.Context, s string) (Person, error) {
	p, ok := r.people[s]
	return found(p, ok)
}

func (r *rows) Token(_ context.Context, h string) (Token, error) {
	t, ok := r.tokens[h]
	return found(t, ok)
}

func (r *rows) Tokens(context.Context) (out []Token, _ error) {
	for _, t := range r.tokens {
		out = append(out, t)
	}
	return out, nil
}

func (r *rows) Replay(_ context.Context, caller, key string) (Replay, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.replays[caller+"/"+key]
	return found(v, ok)
}

// shelf is a Catalogue with two profiles and one course.
type shelf struct{}

func (shelf) Profile(name string) (Profile, bool) {
	i := slices.IndexFunc(shelf{}.Profiles(), func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, false
	}
	return shelf{}.Profiles()[i], true
}

func (shelf) Profiles() []Profile {
	return []Profile{
		{Name: "dask", Placement: Dedicated, Namespace: "dask", Packages: true, Workers: Workers{Default: 3, Max: 10}},
		{Name: "plain", Placement: Shared, Namespace: "plain", Workers: Workers{Max: 1}},
	}
}
func (shelf) DefaultProfile() string { return "dask" }
func (shelf) Project() string        { return "default-project" }
func (shelf) Policy() Policy {
	return Policy{TTL: 4 * time.Hour, MaxTTL: 8 * time.Hour, MaxPerOwner: 2, MaxPerCourse: 3, Extension: 2 * time.Hour}
}

// lecture is a Roster of one course that is open to all.
type lecture struct{}

func (lecture) Class(_ context.Context, id string) (Course, error) {
	if id != "de" {
		return Course{}, nothing
	}
	return Course{ID: "de", Project: "course-project", Origin: OriginConfiguration}, nil
}

func (l lecture) Classes(ctx context.Context) ([]Course, error) {
	c, err := l.Class(ctx, "de")
	return []Course{c}, err
}

// gates is the part of Clusters that commands ask.
type gates struct {
	Clusters
	closed *Error
}

func (g gates) Allowed(context.Context, string) error {
	if g.closed == nil {
		return nil
	}
	return g.closed
}

func newTestService() (*Service, *rows) {
	r := &rows{envs: map[string]Environment{}, people: map[string]Person{}, tokens: map[string]Token{}, replays: map[string]Replay{},
		uses: map[string]Use{}, notes: map[string]Note{}, courses: map[string]Course{}}
	return NewService(ServiceConfig{Store: r, Feed: &Feed{}, Catalogue: shelf{}, Roster: lecture{}, Clusters: gates{}, Installation: "test",
		Now: func() time.Time { return t0 }}), r
}

var alice = Caller{Subject: "alice", Role: RoleStudent}
var boss = Caller{Subject: "boss", Role: RoleAdmin}

func TestUpTwiceIsOneEnvironment(t *testing.T) {
	s, r := newTestService()
	first, created, err := s.Up(t.Context(), alice, Request{})
	if err != nil || !created || first.Profile != "dask" || first.Owner != "alice" || first.Spec.Workers != 3 || first.Spec.TTL != 4*time.Hour {
		t.Fatalf("got %+v, %v, %v", first, created, err)
	}
	second, created, err := s.Up(t.Context(), alice, Request{Profile: "dask"})
	if err != nil || created || second.ID != first.ID {
		t.Errorf("got %s, created %v, %v; want the first again", second.ID, created, err)
	}
	if len(r.woken) != 1 || len(r.events) != 1 {
		t.Errorf("got %d jobs and %d events; want one each", len(r.woken), len(r.events))
	}
}

func TestUpAtOnceFromTenClientsIsOneEnvironment(t *testing.T) {
	s, r := newTestService()
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, _, err := s.Up(t.Context(), alice, Request{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(r.envs) != 1 {
		t.Errorf("got %d environments; want 1", len(r.envs))
	}
}

func TestUpRefuses(t *testing.T) {
	two, many := 2, 11
	for name, tt := range map[string]struct {
		who   Caller
		r     Request
		code  Code
		field string
		says  string
	}{
		"nobody":              {Caller{}, Request{Owner: "x"}, CodeUnauthorized, "", "token"},
		"for another":         {alice, Request{Owner: "bob"}, CodeForbidden, "", "bob"},
		"unknown profile":     {alice, Request{Profile: "dsak"}, CodeInvalid, "profile", `Did you mean "dask"?`},
		"unknown course":      {alice, Request{Course: "xx"}, CodeInvalid, "course", "xx"},
		"ill-formed course":   {alice, Request{Course: "X Y"}, CodeInvalid, "course", "de-2026"},
		"ttl above maximum":   {alice, Request{TTL: 9 * time.Hour}, CodeInvalid, "ttl", "8h"},
		"ttl too short":       {alice, Request{TTL: time.Minute}, CodeInvalid, "ttl", "5m"},
		"both deadlines":      {alice, Request{TTL: time.Hour, Until: t0.Add(time.Hour)}, CodeInvalid, "ttl", "not both"},
		"until past":          {alice, Request{Until: t0.Add(-time.Hour)}, CodeInvalid, "until", "future"},
		"until too far":       {alice, Request{Until: t0.Add(9 * time.Hour)}, CodeInvalid, "until", "8h"},
		"too many workers":    {alice, Request{Workers: &many}, CodeInvalid, "workers", "0 to 10"},
		"workers elsewhere":   {alice, Request{Profile: "plain", Workers: &two}, CodeInvalid, "workers", "0 to 1"},
		"packages not taken":  {alice, Request{Profile: "plain", Packages: []string{"a"}}, CodeInvalid, "packages", "dask"},
		"shell in a package":  {alice, Request{Packages: []string{"x; rm -rf /"}}, CodeInvalid, "packages", "xgboost"},
		"project of others":   {alice, Request{Project: "someones-project"}, CodeForbidden, "", "project link"},
		"ill-formed project":  {alice, Request{Project: "Nope!"}, CodeInvalid, "project", "my-class-2026"},
		"newline in an owner": {boss, Request{Owner: "a\nb"}, CodeInvalid, "owner", "alice"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := newTestService()
			_, _, err := s.Up(t.Context(), tt.who, tt.r)
			e, _ := errorAs(err)
			if CodeOf(err) != tt.code || e == nil || e.Field != tt.field || !strings.Contains(e.Message, tt.says) {
				t.Errorf("got %v; want %s of %q saying %q", err, tt.code, tt.field, tt.says)
			}
			if len(r.envs)+len(r.woken) != 0 {
				t.Error("something was made all the same")
			}
		})
	}
}

func TestLimitsHold(t *testing.T) {
	s, _ := newTestService()
	for _, p := range []string{"dask", "plain"} {
		if _, _, err := s.Up(t.Context(), boss, Request{Owner: "alice", Profile: p, Course: "de"}); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := s.Up(t.Context(), boss, Request{Owner: "alice", Profile: "dask"})
	if CodeOf(err) != CodeQuota || !strings.Contains(err.Error(), "2 environments") {
		t.Errorf("a third for alice: got %v; want quota", err)
	}
	if _, _, err = s.Up(t.Context(), boss, Request{Owner: "bob", Course: "de"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err = s.Up(t.Context(), boss, Request{Owner: "carol", Course: "de"}); CodeOf(err) != CodeQuota {
		t.Errorf("a fourth in the course: got %v; want quota", err)
	}
}

func TestIdempotencyKey(t *testing.T) {
	s, r := newTestService()
	ask := Request{Profile: "dask", IdempotencyKey: "k1"}
	first, _, err := s.Up(t.Context(), alice, ask)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Down(t.Context(), alice, first.ID, 0); err != nil {
		t.Fatal(err)
	}
	again, created, err := s.Up(t.Context(), alice, ask)
	if err != nil || created || again.ID != first.ID {
		t.Errorf("the same key: got %s, created %v, %v; want what it made the first time", again.ID, created, err)
	}
	ask.Profile = "plain"
	if _, _, err = s.Up(t.Context(), alice, ask); CodeOf(err) != CodeConflict {
		t.Errorf("the same key for another request: got %v; want conflict", err)
	}
	if len(r.envs) != 1 {
		t.Errorf("got %d environments; want 1", len(r.envs))
	}
}

// Which project was asked for is a part of the request, though which one was
// found for it is not.
func TestAnIdempotencyKeyIsForOneProject(t *testing.T) {
	s, r := newTestService()
	ask := Request{Owner: "zoe", Profile: "dask", Project: "aaa-project", IdempotencyKey: "k1"}
	if _, _, err := s.Up(t.Context(), boss, ask); err != nil {
		t.Fatal(err)
	}
	ask.Project = "bbb-project"
	if _, _, err := s.Up(t.Context(), boss, ask); CodeOf(err) != CodeConflict {
		t.Errorf("the same key for another project: got %v; want conflict", err)
	}
	ask = Request{Owner: "yan", Profile: "dask", IdempotencyKey: "k2"}
	first, _, err := s.Up(t.Context(), boss, ask)
	if err != nil {
		t.Fatal(err)
	}
	r.people["yan"] = Person{Subject: "yan", Project: "yans-project"}
	if again, _, err := s.Up(t.Context(), boss, ask); err != nil || again.ID != first.ID {
		t.Errorf("with a project linked meanwhile: got %s, %v; want %s", again.ID, err, first.ID)
	}
}

// What was carried out is not judged again.
func TestAnIdempotencyKeyOutlivesWhatWasAskedFor(t *testing.T) {
	s, _ := newTestService()
	now := t0
	s.now = func() time.Time { return now }
	ask := Request{Profile: "dask", Until: t0.Add(time.Hour), IdempotencyKey: "k1"}
	first, _, err := s.Up(t.Context(), alice, ask)
	if err != nil {
		t.Fatal(err)
	}
	now = t0.Add(2 * time.Hour)
	if again, created, err := s.Up(t.Context(), alice, ask); err != nil || created || again.ID != first.ID {
		t.Errorf("got %s, created %v, %v; want what it made the first time", again.ID, created, err)
	}
	ask.IdempotencyKey = "k2"
	if _, _, err := s.Up(t.Context(), alice, ask); CodeOf(err) != CodeInvalid {
		t.Errorf("a new request for a time that is over: got %v; want invalid", err)
	}
}

// Keys that an earlier version remembered are of the request with its defaults
// and without its project.
func TestIdempotencyKeysOfEarlierVersions(t *testing.T) {
	s, r := newTestService()
	first, _, err := s.Up(t.Context(), alice, Request{Profile: "dask"})
	if err != nil {
		t.Fatal(err)
	}
	r.replays["alice/k1"] = Replay{Caller: "alice", Key: "k1", Environment: first.ID, Fingerprint: Fingerprint(Request{Owner: "alice", Profile: "dask", Packages: []string{}})}
	if again, _, err := s.Up(t.Context(), alice, Request{Profile: "dask", IdempotencyKey: "k1"}); err != nil || again.ID != first.ID {
		t.Errorf("got %s, %v; want %s", again.ID, err, first.ID)
	}
	if _, _, err := s.Up(t.Context(), alice, Request{Profile: "plain", IdempotencyKey: "k1"}); CodeOf(err) != CodeConflict {
		t.Errorf("for another request: got %v; want conflict", err)
	}
}

func TestProjectIsTheOwnersThenTheCourses(t *testing.T) {
	s, r := newTestService()
	r.people["bob"] = Person{Subject: "bob", Project: "bobs-project"}
	for who, want := range map[string]string{"bob": "bobs-project", "carol": "course-project"} {
		e, _, err := s.Up(t.Context(), boss, Request{Owner: who, Course: "de"})
		if err != nil || e.Project != want {
			t.Errorf("%s: got %q, %v; want %q", who, e.Project, err, want)
		}
	}
}

func TestCommandsSurviveTheRunnerWriting(t *testing.T) {
	s, r := newTestService()
	e, _, _ := s.Up(t.Context(), alice, Request{})
	r.conflict = 3
	got, err := s.Scale(t.Context(), alice, e.ID, 5, 0)
	if err != nil || got.Spec.Workers != 5 || got.Generation != 2 {
		t.Errorf("got %d workers in generation %d, %v; want 5 in 2", got.Spec.Workers, got.Generation, err)
	}
	if _, err = s.Scale(t.Context(), alice, e.ID, 6, 1); CodeOf(err) != CodeConflict {
		t.Errorf("with an old version: got %v; want conflict", err)
	}
}

func TestDownInEveryState(t *testing.T) {
	for _, state := range States() {
		s, r := newTestService()
		e, _, _ := s.Up(t.Context(), alice, Request{})
		row := r.envs[e.ID]
		row.State = state
		if state.Terminal() {
			row.Desired, row.Phase = Absent, PhaseGone
		}
		if state == StateDeleting {
			row.Desired = Absent
		}
		r.envs[e.ID] = row
		got, already, err := s.Down(t.Context(), alice, e.ID, 0)
		if err != nil || already != state.Terminal() || got.State != StateDeleting && got.State != StateDeleted {
			t.Errorf("from %s: got %s, already %v, %v", state, got.State, already, err)
		}
		if _, err := s.Scale(t.Context(), alice, e.ID, 1, 0); CodeOf(err) != CodeConflict {
			t.Errorf("scaling after down from %s: got %v; want conflict", state, err)
		}
	}
}

func TestExtend(t *testing.T) {
	s, r := newTestService()
	e, _, _ := s.Up(t.Context(), alice, Request{TTL: 6 * time.Hour})
	row := r.envs[e.ID]
	row.State, row.ReadyAt, row.ExpiresAt = StateReady, t0, t0.Add(6*time.Hour)
	r.envs[e.ID] = row
	if got, err := s.Extend(t.Context(), alice, e.ID, time.Hour, 0); err != nil || !got.ExpiresAt.Equal(t0.Add(7*time.Hour)) {
		t.Errorf("got %v, %v; want an hour more", got.ExpiresAt, err)
	}
	if _, err := s.Extend(t.Context(), alice, e.ID, 3*time.Hour, 0); CodeOf(err) != CodeInvalid {
		t.Errorf("more than one extension may add: got %v; want invalid", err)
	}
	if _, err := s.Extend(t.Context(), boss, e.ID, 3*time.Hour, 0); CodeOf(err) != CodeInvalid || !strings.Contains(err.Error(), "1h") {
		t.Errorf("beyond the longest life: got %v; want invalid, saying that 1h is left", err)
	}
}

func TestTokens(t *testing.T) {
	s, _ := newTestService()
	if _, _, err := s.CreateToken(t.Context(), alice, RoleAdmin, "alice", ""); CodeOf(err) != CodeForbidden {
		t.Errorf("a student makes an admin token: got %v; want forbidden", err)
	}
	tok, secret, err := s.CreateToken(t.Context(), boss, RoleStaff, "prof", "de")
	if err != nil {
		t.Fatal(err)
	}
	who, err := s.Authenticate(t.Context(), secret.Reveal())
	if err != nil || who.Subject != "prof" || !slices.Equal(who.Courses, []string{"de"}) {
		t.Errorf("got %+v, %v", who, err)
	}
	if err := s.RevokeToken(t.Context(), boss, tok.ID); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{secret.Reveal(), "", "dbt_", "dbt_0000", "Bearer x", strings.Repeat("dbt_", 100)} {
		if _, err := s.Authenticate(t.Context(), bad); CodeOf(err) != CodeUnauthorized {
			t.Errorf("%.20q: got %v; want unauthorized", bad, err)
		}
	}
}

// TestCheckUntil: over REST, where times are in UTC or in a zone without a name,
// the field is named and the time is said as it was given.
func TestCheckUntil(t *testing.T) {
	now := time.Date(2026, 11, 24, 16, 30, 0, 0, time.UTC)
	for given, want := range map[string]string{
		"2026-11-24T16:35:00Z":      "Tue 24 Nov 2026 16:35 UTC is not far enough in the future: it is Tue 24 Nov 2026 16:30 UTC now, and the least is 5m from now.",
		"2026-11-24T16:36:00Z":      "",
		"2026-11-25T04:30:00Z":      "",
		"2030-01-01T00:00:00Z":      "Tue 1 Jan 2030 00:00 UTC is more than the allowed 12h away: until Wed 25 Nov 2026 04:30 UTC at the latest.",
		"2026-11-25T05:30:00-05:00": "Wed 25 Nov 2026 05:30 -0500 is more than the allowed 12h away: until Tue 24 Nov 2026 23:30 -0500 at the latest.",
	} {
		until, err := time.Parse(time.RFC3339, given)
		if err != nil {
			t.Fatal(err)
		}
		err = checkUntil(until.In(time.FixedZone(until.Zone())), now, 12*time.Hour)
		if want == "" && err == nil {
			continue
		}
		if e, ok := errorAs(err); !ok || e.Code != CodeInvalid || e.Field != "until" || !strings.HasPrefix(e.Message, want) {
			t.Errorf("until %s: got %v; want %q", given, err, want)
		}
	}
}

func TestPutPerson(t *testing.T) {
	s, r := newTestService()
	if _, err := s.PutPerson(t.Context(), alice, Person{Subject: "alice", SlackID: "U0BOB"}); CodeOf(err) != CodeForbidden {
		t.Errorf("a student takes another's Slack identity: got %v; want forbidden", err)
	}
	if _, err := s.PutPerson(t.Context(), alice, Person{Subject: "alice", Project: "my-class-2026"}); err != nil || r.people["alice"].Project == "" {
		t.Errorf("a student links a project: got %v", err)
	}
	s.clusters = gates{closed: Errorf(CodeForbidden, "Run gcloud projects add-iam-policy-binding.")}
	_, err := s.PutPerson(t.Context(), alice, Person{Subject: "alice", Project: "closed-project"})
	if CodeOf(err) != CodeConflict || !strings.Contains(err.Error(), "gcloud") || r.people["alice"].Project != "my-class-2026" {
		t.Errorf("a closed project: got %v, linked %q; want conflict with the commands, and the old one kept", err, r.people["alice"].Project)
	}
}

func TestFeedTellsOnlyFollowersOfThatEnvironment(t *testing.T) {
	f := &Feed{}
	a, stopA := f.Subscribe("a")
	b, stopB := f.Subscribe("b")
	defer stopB()
	f.Publish("a")
	f.Publish("a") // coalesces, and does not block
	select {
	case <-a:
	default:
		t.Error("a was not told")
	}
	select {
	case <-b:
		t.Error("b was told of a")
	default:
	}
	stopA()
	f.Publish("a")
	if len(f.subs) != 1 {
		t.Errorf("got %d subscriptions after one ended; want 1", len(f.subs))
	}
}

func TestMediansAreAskedForOnceInAWhile(t *testing.T) {
	var m medians
	asked := 0
	ask := func(string) time.Duration { asked++; return time.Duration(asked) * time.Minute }
	first, second := m.get("k", t0, ask), m.get("k", t0.Add(learntFor-1), ask)
	later := m.get("k", t0.Add(learntFor), ask)
	if first != time.Minute || second != time.Minute || later != 2*time.Minute {
		t.Errorf("got %s, %s and %s after %d questions; want the first answer twice, then a new one", first, second, later, asked)
	}
}
