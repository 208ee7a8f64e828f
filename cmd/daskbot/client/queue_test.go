package client

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/api"
)

func TestQueueTable(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	until := now.Add(10 * time.Minute)
	w := World{Zone: time.UTC, Now: func() time.Time { return now }}
	for _, c := range []struct {
		name  string
		queue api.Queue
		want  string
	}{
		{"nothing to do", api.Queue{Later: 1}, "Jobs:          0 waiting; 0 being worked on, 1 for later\nEnvironments:  none\n"},
		{"something", api.Queue{Waiting: 2, Working: 1, OldestSeconds: 61, Environments: map[string]int{"ready": 12, "creating": 1, "failed": 0},
			Moving: []api.Moving{{Environment: "kq7wm2xd", Owner: "alice", State: "creating", Phase: "cluster", Since: now.Add(-30 * time.Minute), GivenUpAt: &until, Slow: true, Message: "Making the cluster."}}},
			"Jobs:          2 waiting, the oldest for 1m1s; 1 being worked on, 0 for later\nEnvironments:  1 creating, 12 ready\n\n" +
				"ID        OWNER  COURSE  STATE     PHASE    SINCE            GIVEN UP  PACE  WHAT\n" +
				"kq7wm2xd  alice  -       creating  cluster  11:30 (30m ago)  12:10     slow  Making the cluster.\n"},
	} {
		var out bytes.Buffer
		if err := w.queueTable(&out, c.queue); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
