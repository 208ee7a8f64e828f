package store_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

func aDelivery(id, key string) environment.Delivery {
	return environment.Delivery{ID: id, Source: "canvas", Key: key, About: "de-2026/alice", Type: "member.added", ContentType: "application/json",
		Body: []byte("{\"a\":\"\\u0000\"}\x00\xff"), ReceivedAt: day, HappenedAt: day.Add(-time.Minute)}
}

func receiveAll(t *testing.T, s *store.Store, deliveries ...environment.Delivery) (fresh []bool) {
	t.Helper()
	for _, d := range deliveries {
		f, err := s.Receive(t.Context(), d)
		if err != nil {
			t.Fatalf("Receive %s: %v", d.ID, err)
		}
		fresh = append(fresh, f)
	}
	return fresh
}

func waiting(t *testing.T, s *store.Store) []environment.Delivery {
	t.Helper()
	items, err := s.Waiting(t.Context(), "canvas", 0)
	if err != nil {
		t.Fatal(err)
	}
	return items
}

func testDeliveries(t *testing.T, url fresh) {
	at := url(t)
	s := open(t, at)
	one, two := aDelivery("d1", "k1"), aDelivery("d2", "k2")
	two.ReceivedAt = day.Add(time.Second)
	copyOfOne := aDelivery("d3", "k1")
	copyOfOne.ReceivedAt = day.Add(time.Minute)
	if diff := cmp.Diff([]bool{true, true, false}, receiveAll(t, s, two, one, copyOfOne)); diff != "" {
		t.Errorf("fresh (-want +got):\n%s", diff)
	}
	_ = s.Close()
	s = open(t, at) // as after a crash between receipt and action
	one.State, one.Copies, one.LastAt = environment.DeliveryWaiting, 1, copyOfOne.ReceivedAt
	two.State, two.LastAt = environment.DeliveryWaiting, two.ReceivedAt
	if diff := cmp.Diff([]environment.Delivery{one, two}, waiting(t, s)); diff != "" {
		t.Errorf("waiting, in the order of receipt (-want +got):\n%s", diff)
	}
	work, woken := passes(0)
	run(t, s, work)
	if got := receive(t, woken, "the job of the source"); got.Kind != environment.JobDelivery || got.ID != "canvas" {
		t.Errorf("woken %v; want the source's job", got)
	}
	one.State, one.Reason, one.Tries, one.SettledAt = environment.DeliveryParked, "It is broken.", 3, day.Add(time.Hour)
	if err := s.Settle(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	parked, err := s.Deliveries(t.Context(), environment.DeliveryFilter{Source: "canvas", State: environment.DeliveryParked})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]environment.Delivery{one}, parked, cmpopts.IgnoreFields(environment.Delivery{}, "Body"), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("parked (-want +got):\n%s", diff)
	}
	for before, want := range map[string][]string{"": {"d2", "d1"}, "d2": {"d1"}, "d1": nil, "gone": nil} {
		page, err := s.Deliveries(t.Context(), environment.DeliveryFilter{Before: before})
		var got []string
		for _, d := range page {
			got = append(got, d.ID)
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("the page after %q: %v (-want +got):\n%s", before, err, diff)
		}
	}
	_, err = s.Again(t.Context(), "d2")
	wantCode(t, err, environment.CodeConflict)
	_, err = s.Again(t.Context(), "none")
	wantCode(t, err, environment.CodeNotFound)
	if d, err := s.Again(t.Context(), "d1"); err != nil || d.State != environment.DeliveryWaiting || d.Tries != 0 {
		t.Errorf("Again: %v, %v; want it waiting anew", d, err)
	}
}

func testDeliveriesAtOnce(t *testing.T, url fresh) {
	s := open(t, url(t))
	for _, within := range []time.Duration{0, time.Hour} {
		var all sync.WaitGroup
		var repeated atomic.Bool
		fresh := make([]bool, 20)
		for i := range fresh {
			all.Go(func() {
				d := aDelivery(fmt.Sprintf("d%s-%d", within, i), "k-"+within.String())
				d.Within = within
				var again bool
				fresh[i], again = send(t, s, d)
				if again {
					repeated.Store(true)
				}
			})
		}
		all.Wait()
		n := len(slices.DeleteFunc(fresh, func(f bool) bool { return !f }))
		if n > 1 || n == 0 && !repeated.Load() {
			t.Errorf("%d of 20 identical ones at once are news; want 1", n)
		}
	}
}

// send is a platform that sends again when it is asked to, as it is when too
// much is going on. What was sent again may have been kept the first time.
func send(t *testing.T, s *store.Store, d environment.Delivery) (fresh, again bool) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); ; again = true {
		fresh, err := s.Receive(t.Context(), d)
		if err == nil {
			return fresh, again
		}
		if environment.CodeOf(err) != environment.CodeUnavailable || time.Now().After(until) {
			t.Errorf("%s: %v", d.ID, err)
			return false, again
		}
		<-tick.C
	}
}

// Many at once share transactions; none is lost.
func testDeliveriesTogether(t *testing.T, url fresh) {
	s := open(t, url(t))
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			d := aDelivery(fmt.Sprintf("d%d", i), fmt.Sprintf("k%d", i))
			if fresh, again := send(t, s, d); !fresh && !again {
				t.Errorf("d%d is taken for a copy", i)
			}
		})
	}
	all.Wait()
	if n := len(waiting(t, s)); n != 300 {
		t.Errorf("%d wait; want 300", n)
	}
}

// Contents that come again are copies until something else came about the
// same, or for so long.
func testDeliveriesByContents(t *testing.T, url fresh) {
	s := open(t, url(t))
	at := func(id, key, about string, after time.Duration) environment.Delivery {
		d := aDelivery(id, key)
		d.About, d.Within, d.ReceivedAt = about, 2*time.Hour, day.Add(after)
		return d
	}
	got := receiveAll(t, s,
		at("1", "added", "alice", 0), at("2", "added", "alice", time.Minute), // a copy
		at("3", "added bob", "bob", 2*time.Minute),
		at("4", "removed", "alice", 3*time.Minute),
		at("5", "added", "alice", 4*time.Minute),                                               // back again
		at("6", "added", "alice", 100*time.Minute), at("7", "added", "alice", 200*time.Minute), // an LMS that repeats for hours
		at("8", "added", "alice", 400*time.Minute), // a quiet while later
		at("9", "what", "", 0), at("10", "else", "", 0), at("11", "what", "", time.Minute))
	want := []bool{true, false, true, true, true, false, false, true, true, true, false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fresh (-want +got):\n%s", diff)
	}
}

func testDeliveriesOvertakenAndForgotten(t *testing.T, url fresh) {
	s := open(t, url(t))
	late, early := aDelivery("late", "k1"), aDelivery("early", "k2")
	late.HappenedAt = early.HappenedAt.Add(time.Minute)
	receiveAll(t, s, late, early)
	overtaken := func(want bool) {
		t.Helper()
		if got, err := s.Overtaken(t.Context(), early); err != nil || got != want {
			t.Errorf("overtaken: %t, %v; want %t", got, err, want)
		}
	}
	overtaken(false) // by what was not carried out
	late.State, late.SettledAt = environment.DeliveryDone, day
	if err := s.Settle(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	overtaken(true)
	if n, err := s.Forget(t.Context(), day.Add(time.Second)); err != nil || n != 1 {
		t.Errorf("forgot %d, %v; want 1, the settled one", n, err)
	}
	if left := waiting(t, s); len(left) != 1 || left[0].ID != "early" {
		t.Errorf("left: %v; want the one that waits", left)
	}
}
