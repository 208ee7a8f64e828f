package environment

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// ledger is the part of a Store that the orphan sweep uses, in memory.
type ledger struct {
	Store
	clusters map[string]Cluster
	envs     []Environment
	notes    map[string]Note
	events   []Event
	woken    []Job
}

func (l *ledger) Clusters(context.Context, bool) ([]Cluster, error) {
	var all []Cluster
	for _, c := range l.clusters {
		all = append(all, c)
	}
	return all, nil
}

func (l *ledger) Cluster(_ context.Context, id string) (Cluster, error) {
	if c, ok := l.clusters[id]; ok {
		return c, nil
	}
	return Cluster{}, Errorf(CodeNotFound, "There is no such cluster.")
}

func (l *ledger) Environment(_ context.Context, id string) (Environment, error) {
	for _, e := range l.envs {
		if e.ID == id {
			return e, nil
		}
	}
	return Environment{}, Errorf(CodeNotFound, "There is no such environment.")
}

func (l *ledger) Environments(context.Context, Filter) ([]Environment, string, error) {
	return l.envs, "", nil
}

func (l *ledger) Note(_ context.Context, key string) (Note, error) {
	if n, ok := l.notes[key]; ok {
		return n, nil
	}
	return Note{}, Errorf(CodeNotFound, "Nothing was noted.")
}

func (l *ledger) Commit(_ context.Context, ch Change) error {
	if ch.Note != nil {
		l.notes[ch.Note.Key] = *ch.Note
	}
	if ch.Cluster != nil {
		l.clusters[ch.Cluster.ID] = *ch.Cluster
	}
	l.events, l.woken = append(l.events, ch.Events...), append(l.woken, ch.Wake...)
	return nil
}

// sky is a cloud of one project: its clusters, and what stands in Compute.
type sky struct {
	Clusters
	owned     []OwnedCluster
	observed  SeenCluster
	standing  []Standing
	incapable error          // of listing
	busy      map[string]int // how often the deletion of a name is refused
	deleted   []string
}

func (s *sky) Owned(context.Context, string) ([]OwnedCluster, bool, error) {
	return s.owned, true, s.incapable
}

func (s *sky) Observe(context.Context, string, ClusterAttempt, string) (SeenCluster, error) {
	return s.observed, nil
}

func (s *sky) Delete(_ context.Context, _ string, at ClusterAttempt) (string, error) {
	s.deleted = append(s.deleted, at.Name)
	return "operation", nil
}

// ground is the Compute side of a sky.
type ground struct{ *sky }

func (g ground) Standing(context.Context, string) ([]Standing, error) { return g.standing, nil }

func (g ground) Delete(_ context.Context, r Resource) error {
	if g.busy[r.Name] > 0 {
		g.busy[r.Name]--
		return &Error{Code: CodeUnavailable, Busy: r.Name, Message: "In use."}
	}
	if g.busy[r.Name] < 0 {
		return Errorf(CodeForbidden, "No.")
	}
	g.deleted = append(g.deleted, r.Name)
	return nil
}

// sweeping is a Service over both; grace is over for everything.
func sweeping(l *ledger, s *sky, grace time.Duration) *Service {
	if l.notes == nil {
		l.notes = map[string]Note{}
	}
	return NewService(ServiceConfig{Store: l, Clusters: s, Now: func() time.Time { return sweptAt },
		Orphans: OrphanConfig{Leavings: ground{s}, Projects: []string{sweptProject}, Grace: grace, MaxPerRun: 3}})
}

func gone() *ledger {
	return &ledger{clusters: map[string]Cluster{"a": clusterRow("a", StateDeleted, nil)}, envs: []Environment{envRow("a", PhaseGone)}}
}

func TestSweepActsInOrderWithinItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it waits for what is in use
		l := gone()
		s := &sky{standing: append([]Standing{disk("d", "dask-a"), disk("e", "dask-a")}, balancer("lb", "k8s-1-node", "gke-dask-a-default-pool-1-2")[:2]...), busy: map[string]int{"d": 2}}
		found, err := sweeping(l, s, 0).SweepOrphans(t.Context(), OrphanRun{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"lb", "lb", "d"}, s.deleted); diff != "" {
			t.Errorf("deleted (-want +got):\n%s", diff)
		}
		if len(found.Acted()) != 3 || len(l.events) != 3 || l.events[0].Type != EventSwept || l.events[0].Actor != "reaper" {
			t.Errorf("got %d acts and events %+v; want one event for each of 3", len(found.Acted()), l.events)
		}
		for _, ev := range l.events {
			if strings.Contains(ev.Message, "pvc") || strings.Contains(ev.Message, "lb") {
				t.Errorf("the owner reads %q; want no names of the cloud", ev.Message)
			}
		}
	})
}

func TestOneThatCannotGoDoesNotKeepTheOthers(t *testing.T) {
	l, s := gone(), &sky{standing: []Standing{disk("d", "dask-a"), disk("e", "dask-a")}, busy: map[string]int{"d": -1}}
	found, err := sweeping(l, s, 0).SweepOrphans(t.Context(), OrphanRun{})
	if err != nil || !slices.Equal(s.deleted, []string{"e"}) || found.Items[0].Done != OrphanFailed || found.Items[1].Done != OrphanAsked {
		t.Errorf("got %v, %v, %+v; want only e deleted and d failed", err, s.deleted, found.Items)
	}
}

func TestSweepDeletesNothing(t *testing.T) {
	for _, test := range []struct {
		name   string
		ledger *ledger
		sky    *sky
		grace  time.Duration
		run    OrphanRun
		paused bool
	}{
		{name: "within the grace", ledger: gone(), sky: &sky{standing: []Standing{disk("d", "dask-a")}}, grace: time.Hour},
		{name: "when dry", ledger: gone(), sky: &sky{standing: []Standing{disk("d", "dask-a")}}, run: OrphanRun{Dry: true, AtOnce: true, By: "admin"}},
		{name: "while paused", ledger: gone(), sky: &sky{standing: []Standing{disk("d", "dask-a")}}, paused: true},
		{name: "when the cloud does not answer", ledger: gone(), sky: &sky{standing: []Standing{disk("d", "dask-a")}, incapable: Errorf(CodeUnavailable, "No answer.")}, run: OrphanRun{AtOnce: true, By: "admin"}},
		{name: "with a store that knows nothing", ledger: &ledger{}, sky: &sky{owned: []OwnedCluster{owned("a")}, observed: SeenCluster{Mine: true, State: CloudRunning}}},
		{name: "with a store that knows nothing, asked by staff", ledger: &ledger{}, sky: &sky{owned: []OwnedCluster{owned("a")}, observed: SeenCluster{Mine: true, State: CloudRunning}}, run: OrphanRun{By: "prof"}},
		{name: "that another look says is another's", ledger: gone(), sky: &sky{owned: []OwnedCluster{owned("x")}, observed: SeenCluster{Mine: false, State: CloudRunning}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			service := sweeping(test.ledger, test.sky, test.grace)
			if test.paused {
				if _, err := service.Pause(t.Context(), Caller{Subject: "admin", Role: RoleAdmin}, true, ""); err != nil {
					t.Fatal(err)
				}
			}
			found, err := service.SweepOrphans(t.Context(), test.run)
			if err != nil || len(test.sky.deleted) > 0 {
				t.Errorf("got %v and deleted %v; want nothing deleted", err, test.sky.deleted)
			}
			if kept, err := service.Orphans(t.Context(), Caller{Subject: "s", Role: RoleStaff}); err != nil || len(kept.Items) != len(found.Items) {
				t.Errorf("remembered %d, %v; want %d", len(kept.Items), err, len(found.Items))
			}
		})
	}
}

func TestSweepDeletesAndAdoptsClusters(t *testing.T) {
	l := gone()
	s := &sky{owned: []OwnedCluster{owned("a"), owned("x")}, observed: SeenCluster{Mine: true, State: CloudRunning, ClusterID: "x"}}
	if _, err := sweeping(l, s, 0).SweepOrphans(t.Context(), OrphanRun{}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.deleted, []string{"dask-x"}) {
		t.Errorf("deleted %v; want only the one no row knows", s.deleted)
	}
	if row := l.clusters["a"]; row.State != StateDeleting || !row.DeletedAt.IsZero() || !slices.Contains(l.woken, Job{JobCluster, "a", UrgencyDelete}) {
		t.Errorf("got %+v, woken %v; want the row open again and the runner at it", row, l.woken)
	}
}

// TestOnlyAnAdminInsists: a pause is for the clock's own sweeps; a sweep that
// finds too much is held for everybody but an admin who does not want to wait.
func TestOnlyAnAdminInsists(t *testing.T) {
	admin, prof := Caller{Subject: "admin", Role: RoleAdmin}, Caller{Subject: "prof", Role: RoleStaff}
	s := &sky{owned: []OwnedCluster{owned("x")}, observed: SeenCluster{Mine: true, State: CloudRunning, ClusterID: "x"}}
	service := sweeping(&ledger{}, s, 0)
	if found, err := service.DeleteOrphans(t.Context(), prof, false, false); err != nil || len(s.deleted) > 0 || !strings.Contains(found.Held, "--now") {
		t.Errorf("staff deleted %v, %v, held %q; want it held", s.deleted, err, found.Held)
	}
	if _, err := service.DeleteOrphans(t.Context(), admin, false, true); err != nil || !slices.Equal(s.deleted, []string{"dask-x"}) {
		t.Errorf("an admin deleted %v, %v; want it gone", s.deleted, err)
	}
	s = &sky{standing: []Standing{disk("d", "dask-a")}}
	service = sweeping(gone(), s, 0)
	if _, err := service.Pause(t.Context(), admin, true, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := service.DeleteOrphans(t.Context(), prof, false, false); err != nil || !slices.Equal(s.deleted, []string{"d"}) {
		t.Errorf("while paused, staff deleted %v, %v; want the one past its grace", s.deleted, err)
	}
}

func TestALostClusterWakesItsRow(t *testing.T) {
	l := &ledger{clusters: map[string]Cluster{"a": clusterRow("a", StateReady, nil)}, envs: []Environment{envRow("a", PhaseReady)}}
	found, err := sweeping(l, &sky{standing: []Standing{disk("d", "dask-old")}}, 0).SweepOrphans(t.Context(), OrphanRun{})
	if err != nil || !slices.Equal(found.Lost, []string{"a"}) || !slices.Contains(l.woken, Job{JobCluster, "a", UrgencySchedule}) {
		t.Errorf("got %v, lost %v, woken %v; want a woken", err, found.Lost, l.woken)
	}
}

// TestVolumesAreInTheEstimate: the sweep is what sees disks; what it saw holds
// while a project does not answer.
func TestVolumesAreInTheEstimate(t *testing.T) {
	l := gone()
	used := disk("d", "dask-a")
	used.InUse, used.GB = true, 730
	s := &sky{standing: []Standing{used, disk("e", "dask-b")}}
	live := Cluster{Project: sweptProject, Name: "dask-a", AskedAt: sweptAt}
	if got := sweeping(l, s, 0).volumesOf(t.Context(), live); got != 0 {
		t.Errorf("before the first sweep: got %v; want 0", got)
	}
	for _, incapable := range []error{nil, Errorf(CodeUnavailable, "No answer.")} {
		s.incapable = incapable
		if _, err := sweeping(l, s, time.Hour).SweepOrphans(t.Context(), OrphanRun{}); err != nil {
			t.Fatal(err)
		}
		got := sweeping(l, s, 0).volumesOf(t.Context(), live)
		if want := ListPrices().DiskGBMonth; math.Abs(got-want) > 1e-9 {
			t.Errorf("%v: got %v an hour; want %v", incapable, got, want)
		}
		without, _ := hourly(ListPrices(), live, 2, 0)
		if with, _ := hourly(ListPrices(), live, 2, got); math.Abs(with-without-got/2) > 1e-9 {
			t.Errorf("got %v with disks and %v without; want half of them for each of two", with, without)
		}
	}
}

func TestWhoMayDoWhatAboutOrphans(t *testing.T) {
	service := sweeping(gone(), &sky{}, 0)
	for _, test := range []struct {
		who         Caller
		see, delete Code
	}{
		{Caller{}, CodeUnauthorized, CodeUnauthorized},
		{Caller{Subject: "s", Role: RoleStudent}, CodeForbidden, CodeForbidden},
		{Caller{Subject: "t", Role: RoleStaff}, "", CodeForbidden},
		{Caller{Subject: "a", Role: RoleAdmin}, "", ""},
	} {
		_, see := service.Orphans(t.Context(), test.who)
		_, find := service.FindOrphans(t.Context(), test.who)
		_, remove := service.DeleteOrphans(t.Context(), test.who, false, true)
		if CodeOf(see) != test.see || CodeOf(find) != test.see || CodeOf(remove) != test.delete {
			t.Errorf("%+v: got %v, %v, %v; want %q to see and %q to delete", test.who, see, find, remove, test.see, test.delete)
		}
	}
	if _, err := NewService(ServiceConfig{Store: gone()}).SweepOrphans(t.Context(), OrphanRun{}); CodeOf(err) != CodeInvalid {
		t.Errorf("without a cloud: got %v; want invalid", err)
	}
}
