package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/store"
)

// passes is a Work that tells each pass to a channel and answers with a fixed
// wait.
func passes(again time.Duration) (environment.Work, <-chan environment.Job) {
	ch := make(chan environment.Job, 1000)
	return func(_ context.Context, job environment.Job) (time.Duration, error) {
		ch <- job
		return again, nil
	}, ch
}

func testWakeIsNow(t *testing.T, url fresh) {
	s := open(t, url(t))
	work, done := passes(0)
	run(t, s, work)
	job := environment.Job{Kind: environment.JobCluster, ID: "c1", Urgency: environment.UrgencyDelete}
	for range 3 { // 0 means: not until somebody wakes it, and then again
		commit(t, s, environment.Change{Wake: []environment.Job{job}})
		if got := receive(t, done, "a pass"); got != job {
			t.Errorf("got %v; want %v", got, job)
		}
	}
}

func testWakeOfARefusedChange(t *testing.T, url fresh) {
	s := open(t, url(t))
	e := anEnvironment("e1")
	e.Version = 5
	wantCode(t, s.Commit(t.Context(), environment.Change{Environment: &e, Wake: wakeEnvironment("e1")}), environment.CodeConflict)
	work, done := passes(0)
	run(t, s, work)
	commit(t, s, environment.Change{Wake: wakeEnvironment("e2")})
	if got := receive(t, done, "a pass"); got.ID != "e2" {
		t.Errorf("got a pass over %s; want one over e2 only", got.ID)
	}
}

func testAgainIsPunctual(t *testing.T, url fresh) {
	for _, again := range []time.Duration{250 * time.Millisecond, 2 * time.Second} {
		t.Run(again.String(), func(t *testing.T) {
			s := open(t, url(t))
			times := make(chan time.Time, 100)
			run(t, s, func(context.Context, environment.Job) (time.Duration, error) {
				times <- time.Now()
				return again, nil
			})
			commit(t, s, environment.Change{Wake: wakeEnvironment("e1")})
			last := receive(t, times, "the first pass")
			for punctual, looks := 0, 0; punctual < 3; looks++ {
				at := receive(t, times, "the next pass")
				gap := at.Sub(last)
				// Early never; late by a poll, and now and then by what a busy
				// machine adds.
				if gap < again || looks == 20 {
					t.Fatalf("look %d came again after %v; want %v, and 3 of 20 no later than a poll", looks, gap, again)
				}
				if gap <= again+time.Second {
					punctual++
				}
				last = at
			}
		})
	}
}

func testWakeCutsAWaitShort(t *testing.T, url fresh) {
	s := open(t, url(t))
	work, done := passes(time.Hour)
	run(t, s, work)
	for _, urgency := range []environment.Urgency{environment.UrgencySchedule, environment.UrgencySchedule, environment.UrgencyDelete} {
		job := environment.Job{Kind: environment.JobEnvironment, ID: "e1", Urgency: urgency}
		commit(t, s, environment.Change{Wake: []environment.Job{job}})
		if got := receive(t, done, "a pass"); got != job {
			t.Errorf("got %v; want %v", got, job)
		}
	}
}

func testWakeDuringAPass(t *testing.T, url fresh) {
	s := open(t, url(t))
	started, release := make(chan int, 10), make(chan struct{})
	var at atomic.Int64
	count := 0 // guarded by there being one pass at a time
	run(t, s, func(context.Context, environment.Job) (time.Duration, error) {
		if at.Add(1) > 1 {
			t.Error("two passes over one row at once")
		}
		defer at.Add(-1)
		count++
		started <- count
		if count == 1 {
			<-release
		}
		return time.Hour, nil
	})
	commit(t, s, environment.Change{Wake: wakeEnvironment("e1")})
	receive(t, started, "the first pass")
	for range 5 { // five wishes, one further look
		commit(t, s, environment.Change{Wake: wakeEnvironment("e1")})
	}
	close(release)
	if n := receive(t, started, "the second pass"); n != 2 {
		t.Errorf("got pass %d; want 2", n)
	}
}

// testNoWakeIsLost lets writers race with passes: whatever was written last
// must have been seen by a pass that began after it was written.
func testNoWakeIsLost(t *testing.T, url fresh) {
	s := open(t, url(t))
	race(t, s)
}

// TestReplicas does the same with three daemons on one database.
func TestReplicas(t *testing.T) {
	url := freshPostgres(t)
	race(t, open(t, url), open(t, url), open(t, url))
}

func race(t *testing.T, replicas ...*store.Store) {
	const rows, writers, writes = 5, 4, 20
	latest := make(chan environment.Environment, 10_000)
	var busy [rows]atomic.Int32
	for _, s := range replicas {
		run(t, s, func(ctx context.Context, job environment.Job) (time.Duration, error) {
			var i int
			if _, err := fmt.Sscanf(job.ID, "e%d", &i); err != nil {
				return 0, err
			}
			if busy[i].Add(1) > 1 {
				t.Errorf("two passes over %s at once", job.ID)
			}
			defer busy[i].Add(-1)
			e, err := s.Environment(ctx, job.ID)
			if err == nil {
				latest <- e
			}
			return 0, err
		})
	}
	var wg sync.WaitGroup
	for i := range rows {
		e := anEnvironment(fmt.Sprintf("e%d", i))
		commit(t, replicas[0], environment.Change{Environment: &e})
		for w := range writers {
			wg.Go(func() {
				for range writes {
					bump(t, replicas[w%len(replicas)], e.ID)
				}
			})
		}
	}
	for finished := map[string]bool{}; len(finished) < rows; {
		if e := receive(t, latest, "a pass that sees the last write"); e.Generation == 1+writers*writes {
			finished[e.ID] = true
		}
	}
	wg.Wait()
}

// bump counts an environment's generation up and wakes it, as commands do.
func bump(tb testing.TB, s *store.Store, id string) {
	for {
		e, err := s.Environment(context.Background(), id)
		if err != nil {
			tb.Error(err)
			return
		}
		e.Generation++
		err = s.Commit(context.Background(), environment.Change{Environment: &e, Wake: wakeEnvironment(id)})
		if err == nil {
			return
		}
		if environment.CodeOf(err) != environment.CodeConflict {
			tb.Error(err)
			return
		}
	}
}

func testUrgency(t *testing.T, url fresh) {
	u := url(t)
	s, err := store.Open(t.Context(), store.Config{URL: u, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	commit(t, s, environment.Change{Wake: []environment.Job{
		{Kind: environment.JobEnvironment, ID: "scheduled", Urgency: environment.UrgencySchedule},
		{Kind: environment.JobEnvironment, ID: "person", Urgency: environment.UrgencyPerson},
		{Kind: environment.JobEnvironment, ID: "raised", Urgency: environment.UrgencySchedule},
	}})
	commit(t, s, environment.Change{Wake: []environment.Job{
		{Kind: environment.JobEnvironment, ID: "raised", Urgency: environment.UrgencyDelete},
	}})
	work, done := passes(0)
	run(t, s, work)
	var got []string
	for range 3 {
		got = append(got, receive(t, done, "a pass").ID)
	}
	if diff := cmp.Diff([]string{"raised", "person", "scheduled"}, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func testErrors(t *testing.T, url fresh) {
	s := open(t, url(t))
	times := make(chan time.Time, 10)
	count := map[string]int{} // of one pass after the other
	run(t, s, func(_ context.Context, job environment.Job) (time.Duration, error) {
		count[job.ID]++
		times <- time.Now()
		switch count[job.ID] {
		case 1:
			return 0, errors.New("the cloud is down")
		case 2:
			panic("a bug")
		default:
			return 0, nil
		}
	})
	// Early never; late by a poll. What a busy machine adds is not there each time.
	var late time.Duration
	for i := range 10 {
		commit(t, s, environment.Change{Wake: wakeEnvironment(fmt.Sprintf("e%d", i))})
		if late = lateness(t, times, time.Second, 2*time.Second); late <= time.Second {
			return
		}
	}
	t.Errorf("a try was %v late, and so ten times; want no more than a poll", late)
}

// lateness is by how much the latest of the tries came later than was wanted
// after the one before. None may be early.
func lateness(t *testing.T, times <-chan time.Time, wanted ...time.Duration) (most time.Duration) {
	t.Helper()
	last := receive(t, times, "the first try")
	for _, want := range wanted {
		at := receive(t, times, "the next try")
		gap := at.Sub(last)
		if gap < want {
			t.Errorf("tried again after %v; want %v", gap, want)
		}
		most, last = max(most, gap-want), at
	}
	return most
}

func testDrain(t *testing.T, url fresh) {
	s := open(t, url(t))
	started, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	returned := make(chan error, 1)
	go func() {
		returned <- s.Run(ctx, func(ctx context.Context, _ environment.Job) (time.Duration, error) {
			close(started)
			<-release
			ended <- ctx.Err()
			return 0, nil
		})
	}()
	commit(t, s, environment.Change{Wake: wakeEnvironment("e1")})
	receive(t, started, "the pass to begin")
	cancel()
	select {
	case err := <-returned:
		t.Fatalf("Run returned %v before its pass ended", err)
	case <-time.After(300 * time.Millisecond):
	}
	close(release)
	if err := receive(t, ended, "the pass to end"); err != nil {
		t.Errorf("the context of the pass said %v; want it alive while draining", err)
	}
	if err := receive(t, returned, "Run to return"); err != nil {
		t.Errorf("Run: %v", err)
	}
	work, done := passes(0)
	run(t, s, work) // a second life of the same store
	commit(t, s, environment.Change{Wake: wakeEnvironment("e2")})
	if got := receive(t, done, "a pass"); got.ID != "e2" {
		t.Errorf("got a pass over %s; want e2 only, since e1 was done", got.ID)
	}
}

// testResumeWithoutAJob: rows, not jobs, are the truth.
func testResumeWithoutAJob(t *testing.T, url fresh) {
	s := open(t, url(t))
	for id, state := range map[string]environment.State{"e1": environment.StateCreating, "e2": environment.StateDeleted, "e3": environment.StateDeleting} {
		e := anEnvironment(id)
		e.State = state
		commit(t, s, environment.Change{Environment: &e})
	}
	c := aCluster("c1", "k")
	commit(t, s, environment.Change{Cluster: &c})
	work, done := passes(0)
	run(t, s, work)
	got := map[string]bool{}
	for range 3 {
		got[receive(t, done, "a pass").ID] = true
	}
	if diff := cmp.Diff(map[string]bool{"c1": true, "e1": true, "e3": true}, got); diff != "" {
		t.Errorf("rows looked at (-want +got):\n%s", diff)
	}
}

func testOneRun(t *testing.T, url fresh) {
	s := open(t, url(t))
	work, done := passes(0)
	run(t, s, work)
	commit(t, s, environment.Change{Wake: wakeEnvironment("e1")})
	receive(t, done, "a pass")
	if err := s.Run(t.Context(), work); err == nil {
		t.Error("a second Run began; want an error")
	}
}
