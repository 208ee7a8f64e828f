package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func testTrailCrossesTheQueue(t *testing.T, url fresh) {
	s := open(t, url(t))
	seen := make(chan environment.Trail, 10)
	again := make(chan time.Duration, 3)
	run(t, s, func(ctx context.Context, _ environment.Job) (time.Duration, error) {
		seen <- environment.TrailOf(ctx)
		return <-again, nil
	})
	wish := environment.Trail{Trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Request: "r1"}
	want := wish
	want.Environment = "e1"
	wake := func(ctx context.Context) {
		t.Helper()
		if err := s.Commit(ctx, environment.Change{Wake: wakeEnvironment("e1")}); err != nil {
			t.Fatal(err)
		}
	}
	wake(environment.WithTrail(t.Context(), wish))
	for _, pass := range []struct {
		name string
		wait time.Duration
		want environment.Trail
	}{
		{"the first pass", time.Millisecond, want},
		{"a pass after waiting", 0, want},
	} {
		if got := receive(t, seen, pass.name); got != pass.want {
			t.Errorf("%s: got %+v; want %+v", pass.name, got, pass.want)
		}
		again <- pass.wait
	}
}
