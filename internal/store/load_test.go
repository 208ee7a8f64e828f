package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func testLoad(t *testing.T, url fresh) {
	s := open(t, url(t))
	for _, id := range []string{"e1", "e2"} {
		e := anEnvironment(id)
		e.State, e.Owner = environment.StateReady, id
		commit(t, s, environment.Change{Environment: &e, Wake: wakeEnvironment(id)})
	}
	got, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Oldest > time.Minute {
		t.Errorf("the oldest job is due for %v; want moments", got.Oldest)
	}
	if diff := cmp.Diff(map[environment.State]int{environment.StateReady: 2}, got.States); diff != "" || got.Waiting != 2 || got.Working != 0 {
		t.Errorf("got %+v; want two ready and two jobs waiting", got)
	}
	during := make(chan int, 10)
	run(t, s, func(ctx context.Context, _ environment.Job) (time.Duration, error) {
		l, err := s.Load(ctx)
		during <- l.Working
		return 0, err
	})
	if n := receive(t, during, "a pass"); n < 1 {
		t.Errorf("%d are being worked on during a pass; want at least one", n)
	}
}
