package latency

import (
	"context"
	"time"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// Source is where durations come from for one cluster.
type Source struct {
	Compute   cloud.Compute
	ClusterID string
}

// Draw is how long the named thing takes this time.
func (s Source) Draw(kind string) time.Duration {
	return s.Compute.Latency(kind).Draw()
}

// Wait lets the named thing take its time. It returns ctx's error when the
// wait was cut short; then nothing is recorded.
func (s Source) Wait(ctx context.Context, kind, name string) error {
	began := time.Now()
	if err := Sleep(ctx, s.Draw(kind)); err != nil {
		return err
	}
	s.Record(kind, name, began)
	return nil
}

// Record tells the timeline, if the cloud keeps one, about a wait that ends
// now.
func (s Source) Record(kind, name string, began time.Time) {
	if recorder, ok := s.Compute.(cloud.Recorder); ok {
		recorder.Record(cloud.Wait{Kind: kind, Name: name, Cluster: s.ClusterID, Start: began, End: time.Now()})
	}
}

// Sleep waits for d, or returns ctx's error when that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
