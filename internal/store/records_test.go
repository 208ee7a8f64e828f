package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

func testPaging(t *testing.T, url fresh) {
	s := open(t, url(t))
	add := func(i int) {
		e := anEnvironment(fmt.Sprintf("e%02d", i))
		e.CreatedAt = day.Add(time.Duration(i/3) * time.Millisecond) // three at the same instant
		commit(t, s, environment.Change{Environment: &e})
	}
	for i := range 25 {
		add(i)
	}
	var got []string
	cursor := ""
	for page := 0; ; page++ {
		items, next, err := s.Environments(t.Context(), environment.Filter{Limit: 7, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range items {
			got = append(got, e.ID)
		}
		if next == "" {
			break
		}
		add(30 + page) // newer ones appear while the list is read
		cursor = next
	}
	var want []string
	for i := 24; i >= 0; i-- {
		want = append(want, fmt.Sprintf("e%02d", i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if items, next, err := s.Environments(t.Context(), environment.Filter{Limit: 28}); len(items) != 28 || next != "" || err != nil {
		t.Errorf("got %d, next %q, %v; want all 28 and no next", len(items), next, err)
	}
	for _, bad := range []string{"x", "!!", "MTIz"} {
		_, _, err := s.Environments(t.Context(), environment.Filter{Cursor: bad})
		wantCode(t, err, environment.CodeInvalid)
	}
}

func testFilter(t *testing.T, url fresh) {
	s := open(t, url(t))
	for i, f := range []struct {
		owner, course string
		state         environment.State
	}{
		{"s1", "a", environment.StateReady}, {"s1", "b", environment.StateDeleted},
		{"s2", "a", environment.StateFailed}, {"s2", "", environment.StateReady},
	} {
		e := anEnvironment(fmt.Sprintf("e%d", i))
		e.Owner, e.Course, e.State, e.CreatedAt = f.owner, f.course, f.state, day.Add(time.Duration(i)*time.Second)
		commit(t, s, environment.Change{Environment: &e})
	}
	for _, c := range []struct {
		name   string
		filter environment.Filter
		want   []string
	}{
		{"all", environment.Filter{}, []string{"e3", "e2", "e1", "e0"}},
		{"owner", environment.Filter{Owner: "s1"}, []string{"e1", "e0"}},
		{"course", environment.Filter{Course: "a"}, []string{"e2", "e0"}},
		{"courses", environment.Filter{Courses: []string{"b", "c"}}, []string{"e1"}},
		{"courses, and one's own", environment.Filter{Courses: []string{"b", "c"}, Self: "s2"}, []string{"e3", "e2", "e1"}},
		{"no courses", environment.Filter{Courses: []string{}}, nil},
		{"states", environment.Filter{States: []environment.State{environment.StateReady, environment.StateFailed}}, []string{"e3", "e2", "e0"}},
		{"injection", environment.Filter{Owner: "s1' OR '1'='1"}, nil},
		{"together", environment.Filter{Owner: "s2", Courses: []string{"a"}, States: []environment.State{environment.StateFailed}}, []string{"e2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			items, _, err := s.Environments(t.Context(), c.filter)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range items {
				got = append(got, e.ID)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func testTenants(t *testing.T, url fresh) {
	s := open(t, url(t))
	for i, f := range []struct {
		cluster string
		state   environment.State
		phase   environment.Phase
	}{
		{"c1", environment.StateReady, environment.PhaseReady},
		{"c1", environment.StateDeleted, environment.PhaseGone},
		{"c1", environment.StateFailed, environment.PhaseTeardown},
		{"c1", environment.StateFailed, environment.PhaseGone},
		{"c2", environment.StateReady, environment.PhaseReady},
		{"", environment.StatePending, environment.PhaseQueued},
	} {
		e := anEnvironment(fmt.Sprintf("e%d", i))
		e.ClusterID, e.State, e.Phase = f.cluster, f.state, f.phase
		commit(t, s, environment.Change{Environment: &e})
	}
	for cluster, want := range map[string]int{"c1": 2, "c2": 1, "": 0} {
		if got, err := s.Tenants(t.Context(), cluster); len(got) != want || err != nil {
			t.Errorf("Tenants(%q): got %d, %v; want %d", cluster, len(got), err, want)
		}
	}
}

func testEvents(t *testing.T, url fresh) {
	s := open(t, url(t))
	for range 3 {
		commit(t, s, environment.Change{Events: []environment.Event{
			{Environment: "e1", Type: environment.EventPhase, At: day, Message: "One."},
			{Environment: "e2", Cluster: "c1"},
		}})
	}
	all, err := s.Events(t.Context(), "e1", 0, 0)
	if err != nil || len(all) != 3 {
		t.Fatalf("got %d events, %v; want 3", len(all), err)
	}
	want := environment.Event{Seq: 1, Environment: "e1", Type: environment.EventPhase, At: day, Message: "One."}
	if diff := cmp.Diff(want, all[0]); diff != "" {
		t.Errorf("first event (-want +got):\n%s", diff)
	}
	rest, err := s.Events(t.Context(), "e1", all[0].Seq, 1)
	if err != nil || len(rest) != 1 || rest[0].Seq != all[1].Seq {
		t.Errorf("after %d: got %v, %v; want only %d", all[0].Seq, rest, err, all[1].Seq)
	}
	if other, _ := s.Events(t.Context(), "e2", 0, 0); len(other) != 3 || other[0].At.IsZero() {
		t.Errorf("got %v; want three events with a time", other)
	}
}

// testEventsInOrder: whoever reads after the last number seen misses nothing,
// although several write.
func testEventsInOrder(t *testing.T, url fresh) {
	s := open(t, url(t))
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if err := s.Commit(context.Background(), environment.Change{Events: []environment.Event{{Environment: "e1"}, {Environment: "e1"}}}); err != nil {
					t.Errorf("Commit: %v", err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { wg.Wait(); close(written) }()
	seen, last := 0, int64(0)
	for done := false; !done; {
		select {
		case <-written:
			done = true // one more look after the last write
		default:
		}
		events, err := s.Events(t.Context(), "e1", last, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range events {
			if ev.Seq <= last {
				t.Fatalf("got seq %d after %d", ev.Seq, last)
			}
			last = ev.Seq
			seen++
		}
	}
	if want := writers * each * 2; seen != want {
		t.Errorf("the reader saw %d events; want %d", seen, want)
	}
}

func testReplay(t *testing.T, url fresh) {
	s := open(t, url(t))
	want := environment.Replay{Caller: "s1", Key: "k1", Fingerprint: "f", Environment: "e1", At: day}
	commit(t, s, environment.Change{Replay: &want})
	got, err := s.Replay(t.Context(), "s1", "k1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Replay (-want +got):\n%s", diff)
	}
	wantCode(t, s.Commit(t.Context(), environment.Change{Replay: &want}), environment.CodeConflict)
	_, err = s.Replay(t.Context(), "s2", "k1")
	wantCode(t, err, environment.CodeNotFound)
}

func testTokensAndPeople(t *testing.T, url fresh) {
	s, ctx := open(t, url(t)), t.Context()
	token := environment.Token{ID: "t1", Hash: "abc", Role: environment.RoleStaff, Subject: "i1", Course: "dask101", CreatedAt: day}
	person := environment.Person{Subject: "s1", Email: "s1@example.org", Project: "p-1"}
	commit(t, s, environment.Change{Token: &token, Person: &person})
	token.Version, person.Version = 1, 1
	token.RevokedAt, person.Project = day.Add(time.Hour), ""
	commit(t, s, environment.Change{Token: &token, Person: &person})
	wantCode(t, s.Commit(ctx, environment.Change{Token: &token}), environment.CodeConflict)
	wantCode(t, s.Commit(ctx, environment.Change{Person: &person}), environment.CodeConflict)
	token.Version, person.Version = 2, 2
	gotToken, err := s.Token(ctx, "abc")
	if diff := cmp.Diff(token, gotToken); diff != "" || err != nil {
		t.Errorf("Token: %v (-want +got):\n%s", err, diff)
	}
	gotPerson, err := s.Person(ctx, "s1")
	if diff := cmp.Diff(person, gotPerson); diff != "" || err != nil {
		t.Errorf("Person: %v (-want +got):\n%s", err, diff)
	}
	second := environment.Token{ID: "t2", Hash: "abc"}
	wantCode(t, s.Commit(ctx, environment.Change{Token: &second}), environment.CodeConflict)
	if all, err := s.Tokens(ctx); len(all) != 1 || err != nil {
		t.Errorf("got %d tokens, %v; want 1", len(all), err)
	}
}

func testTook(t *testing.T, url fresh) {
	s := open(t, url(t))
	for i := range 60 {
		commit(t, s, environment.Change{Duration: &environment.Duration{Key: "k", Took: time.Duration(i) * time.Second}})
	}
	commit(t, s, environment.Change{Duration: &environment.Duration{Key: "other", Took: time.Hour}})
	got, err := s.Took(t.Context(), "k")
	if err != nil || len(got) != 50 || got[0] != 59*time.Second || got[49] != 10*time.Second {
		t.Errorf("got %v, %v; want 59s … 10s", got, err)
	}
	if none, err := s.Took(t.Context(), "none"); len(none) != 0 || err != nil {
		t.Errorf("got %v, %v; want none", none, err)
	}
}

func testReopen(t *testing.T, url fresh) {
	u := url(t)
	first := open(t, u)
	e := anEnvironment("e1")
	commit(t, first, environment.Change{Environment: &e})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := store.Open(t.Context(), store.Config{URL: u})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := again.Environment(t.Context(), "e1"); err != nil {
		t.Errorf("after a restart: %v", err)
	}
}

func testUses(t *testing.T, url fresh) {
	s := open(t, url(t))
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	a := environment.Use{Environment: "a", Ever: true, IdleLooks: 2, Memory: map[string]string{"scheduler": "7"}, Spent: map[string]float64{"2026-11-23": 0.5},
		Verdict:  environment.Verdict{Is: environment.VerdictIdle, Since: at, Reason: "last used 1h ago"},
		Activity: environment.Activity{At: at, Signals: []environment.Signal{{Source: "hub", Kind: environment.SignalQuiet, Last: at, Message: "nobody"}}}}
	commit(t, s, environment.Change{Uses: []environment.Use{{Environment: "a"}, {Environment: "b"}}})
	commit(t, s, environment.Change{Uses: []environment.Use{a}})
	ids := []string{"a", "none"}
	for range 1200 { // more than one query takes
		ids = append(ids, environment.NewID())
	}
	got, err := s.Uses(t.Context(), append(ids, "b"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]environment.Use{"a": a, "b": {Environment: "b"}}, got); diff != "" {
		t.Error(diff)
	}
}
