package environment

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// paid is a store of environments that cost something.
type paid struct{ *rows }

func (b paid) Environments(_ context.Context, f Filter) (out []Environment, _ string, _ error) {
	for _, e := range b.envs {
		if (f.Owner == "" || e.Owner == f.Owner) && (f.Course == "" || e.Course == f.Course) && (len(f.States) == 0 || slices.Contains(f.States, e.State)) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b Environment) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out, "", nil
}

// thrift is a catalogue with limits on money and hours.
type thrift struct {
	shelf
	policy Policy
	of     map[string]Policy // of single profiles
}

func (t thrift) Policy() Policy { return t.policy }

func (t thrift) Profile(name string) (Profile, bool) {
	p, ok := t.shelf.Profile(name)
	p.Policy = t.of[name]
	return p, ok
}

// spender is a service with one ended and one live environment of alice's in
// the course de, and what each spent.
func spender(p Policy, ended, live float64) (*Service, *rows) {
	_, r := newTestService()
	put := func(id string, state State, age, ran time.Duration, usd float64) {
		e := Environment{ID: id, Owner: "alice", Course: "de", Profile: "plain", State: state, Phase: PhaseReady, CreatedAt: t0.Add(-age), ReadyAt: t0.Add(-age)}
		if state == StateDeleted {
			e.DeletedAt = e.CreatedAt.Add(ran)
		}
		r.envs[id] = e
		r.uses[id] = Use{Environment: id, Spent: map[string]float64{t0.Format(time.DateOnly): usd, "2020-01-01": 99}, SpentUntil: t0, Rate: 1}
	}
	put("ended1", StateDeleted, 30*time.Hour, 10*time.Hour, ended)
	put("live1", StateReady, 5*time.Hour, 0, live)
	return budgeted(thrift{policy: p}, r), r
}

// taught is lecture with somebody who teaches it.
type taught struct{ lecture }

func (l taught) Class(ctx context.Context, id string) (Course, error) {
	c, err := l.lecture.Class(ctx, id)
	c.Staff = []string{"prof"}
	return c, err
}

// budgeted is a service with these limits over those environments.
func budgeted(c thrift, r *rows) *Service {
	return NewService(ServiceConfig{Store: paid{r}, Feed: &Feed{}, Catalogue: c, Roster: taught{}, Clusters: gates{}, Installation: "test",
		Now: func() time.Time { return t0 }})
}

func TestUpIsRefusedWhenTheMoneyOrTheHoursAreSpent(t *testing.T) {
	for name, c := range map[string]struct {
		policy Policy
		owner  string
		want   Code
		says   string
	}{
		"within the budget":        {Policy{OwnerBudget: 20}, "alice", "", ""},
		"owner's budget":           {Policy{OwnerBudget: 15}, "alice", CodeBudget, "alice in the course de has used about $15.00 of the $15.00"},
		"another owner's":          {Policy{OwnerBudget: 15}, "bob", "", ""},
		"course's budget":          {Policy{CourseBudget: 10}, "bob", CodeBudget, "The course de has used about $15.00 of the $10.00"},
		"within the hours":         {Policy{WeeklyHours: 16}, "alice", "", ""},
		"hours of the week":        {Policy{WeeklyHours: 15}, "alice", CodeQuota, "for 15h in the last seven days, and 15 hours is the limit"},
		"another's hours":          {Policy{WeeklyHours: 15}, "bob", "", ""},
		"no limits, whatever cost": {Policy{}, "alice", "", ""},
	} {
		s, _ := spender(c.policy, 9, 6)
		_, _, err := s.Up(t.Context(), boss, Request{Owner: c.owner, Course: "de", Profile: "dask"})
		if CodeOf(err) != c.want || err != nil && !strings.Contains(MessageOf(err), c.says) {
			t.Errorf("%s: got %v; want %q %q", name, err, c.want, c.says)
		}
	}
}

func TestEachPartOfABudgetIsToldOnce(t *testing.T) {
	s, r := spender(Policy{OwnerBudget: 20, CourseBudget: 100}, 9, 0)
	var told []string
	for _, live := range []float64{0, 1, 1.5, 8, 8, 12, 20, 45} { // of 20: 45, 50, 52, 85, 85, 105, 145, 270 %
		use := r.uses["live1"]
		use.Spent[t0.Format(time.DateOnly)] = live
		r.uses["live1"] = use
		says, err := s.Budgets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, says...)
	}
	month := t0.Format("January 2006")
	want := []string{
		"50 % of a budget is spent: alice in the course de has used about $10.00 of the $20.00 for " + month + ".",
		"80 % of a budget is spent: alice in the course de has used about $17.00 of the $20.00 for " + month + ".",
		"100 % of a budget is spent: alice in the course de has used about $21.00 of the $20.00 for " + month + ".",
		"50 % of a budget is spent: The course de has used about $54.00 of the $100.00 for " + month + ".",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	events := 0
	for _, e := range r.events {
		if e.Type == EventBudget && e.Environment == "live1" {
			events++
		}
	}
	if events != 3 || len(r.events) != 4 {
		t.Errorf("got %d events of %d; want alice told three times, and not of the course's", events, len(r.events))
	}
	notice := r.events[len(r.events)-1]
	o, err := ReadCourseOrder(t.Context(), paid{r}, notice.Order)
	if err != nil || notice.Type != EventBudget || o.By.Subject != "prof" || o.Done.IsZero() || !strings.HasPrefix(o.Notice, "50 % of the budget of the course de") {
		t.Errorf("got %+v, %+v, %v; want whoever teaches the course told of its budget", notice, o, err)
	}
}

// TestABudgetIsAsLargeAsPolicySaysToday: whoever raises one means what stands
// there, whose other limits were promised when it was asked for.
func TestABudgetIsAsLargeAsPolicySaysToday(t *testing.T) {
	small, large := Policy{OwnerBudget: 10}, Policy{OwnerBudget: 100}
	s, r := spender(small, 9, 6)
	live := r.envs["live1"]
	live.Terms = Terms{Policy: small, From: map[string]string{"ownerBudget": "default"}}
	r.envs["live1"] = live
	spend := func(s *Service, usd float64) (says []string, tight bool) {
		use := r.uses["live1"]
		use.Spent[t0.Format(time.DateOnly)] = usd
		r.uses["live1"] = use
		says, err := s.Budgets(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return says, s.tight("live1")
	}
	if says, tight := spend(s, 6); len(says) != 1 || !tight {
		t.Errorf("got %v, tight %v; want all of it spent", says, tight)
	}
	raised := budgeted(thrift{policy: large}, r)
	if says, tight := spend(raised, 6); len(says) > 0 || tight {
		t.Errorf("raised: got %v, tight %v; want nothing to tell", says, tight)
	}
	if says, _ := spend(raised, 75); len(says) != 1 || !strings.HasPrefix(says[0], "80 %") {
		t.Errorf("raised, and spent again: got %v; want its marks told anew", says)
	}
}

// TestEachProfileHasItsOwnBudget: where an owner's profiles differ, each
// environment is judged by its own, and marks are told of the larger.
func TestEachProfileHasItsOwnBudget(t *testing.T) {
	_, r := spender(Policy{}, 9, 6)
	newer := r.envs["live1"]
	newer.ID, newer.Profile, newer.CreatedAt = "live2", "dask", t0
	r.envs["live2"] = newer
	for _, of := range []map[string]Policy{
		{"plain": {OwnerBudget: 10}, "dask": {OwnerBudget: 100}},
		{"plain": {OwnerBudget: 100}, "dask": {OwnerBudget: 10}},
	} {
		s := budgeted(thrift{of: of}, r)
		says, err := s.Budgets(t.Context())
		if err != nil || len(says) > 0 {
			t.Errorf("%v: told %v, %v; want nothing, for more may be spent", of, says, err)
		}
		if s.tight("live1") != (of["plain"].OwnerBudget == 10) || s.tight("live2") != (of["dask"].OwnerBudget == 10) {
			t.Errorf("%v: got %v and %v; want each by its own profile", of, s.tight("live1"), s.tight("live2"))
		}
	}
}

func TestTouchIsKeepWithASecret(t *testing.T) {
	s, r := newTestService()
	e, _, err := s.Up(t.Context(), alice, Request{})
	if err != nil {
		t.Fatal(err)
	}
	secret := e.Secrets[SecretKeep].Reveal()
	for _, c := range []struct{ id, secret string }{{e.ID, "x"}, {e.ID, ""}, {"nothere1", secret}, {"nothere1", ""}} {
		if _, err := s.Touch(t.Context(), c.id, c.secret, time.Hour); CodeOf(err) != CodeNotFound || MessageOf(err) != "There is nothing to keep at this address." {
			t.Errorf("%q %q: got %v; want not found, in the same words", c.id, c.secret, err)
		}
	}
	for range 3 { // a loop in a notebook
		until, err := s.Touch(t.Context(), e.ID, secret, time.Hour)
		if err != nil || !until.Equal(t0.Add(time.Hour)) {
			t.Fatalf("got %v, %v; want an hour from now", until, err)
		}
	}
	if kept := slices.DeleteFunc(slices.Clone(r.events), func(e Event) bool { return e.Type != EventKept }); len(kept) != 1 {
		t.Errorf("got %d events of being kept; want one of three touches at once", len(kept))
	}
	if _, err := s.Touch(t.Context(), e.ID, secret, 48*time.Hour); CodeOf(err) != CodeInvalid {
		t.Errorf("two days: got %v; want invalid", err)
	}
	if _, _, err := s.Down(t.Context(), alice, e.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Touch(t.Context(), e.ID, secret, time.Hour); CodeOf(err) != CodeConflict {
		t.Errorf("when it ends: got %v; want conflict", err)
	}
}
