package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// idle measures a daemon with nothing to do.
func idle(ctx context.Context, s *stage) (results, error) {
	if err := s.start(ctx); err != nil {
		return results{}, err
	}
	if err := pause(ctx, 5*time.Second); err != nil { // the start is not idleness
		return results{}, err
	}
	u, err := s.usage(ctx, time.Minute)
	if err != nil {
		return results{}, err
	}
	return results{values: map[string]float64{"idle.cpu_percent": u.cpuPercent, "idle.rss_mb": u.rssMB}}, nil
}

// fleet asks for 200 environments in the midst of other requests, and then
// looks at what it costs the daemon to watch them all.
func fleet(ctx context.Context, s *stage) (results, error) {
	if err := s.start(ctx); err != nil {
		return results{}, err
	}
	// Every create hangs, as when a zone is out of machines: the environments
	// stay in flight, and the sandbox starts no control plane for any.
	hang := map[string]any{"kind": "stockout", "project": project, "delay": "1h"}
	if err := s.control(ctx, http.MethodPost, "/faults", hang, nil); err != nil {
		return results{}, err
	}
	crowd, err := s.load(ctx)
	if err != nil {
		return results{}, err
	}
	if err := s.awaitClusters(ctx, len(crowd.ids)); err != nil {
		return results{}, err
	}
	u, err := s.usage(ctx, 30*time.Second)
	if err != nil {
		return results{}, err
	}
	all := crowd.took()
	got := results{values: map[string]float64{
		"api.p50_ms": ms(quantile(all, 0.50)), "api.p99_ms": ms(quantile(all, 0.99)),
		"scale.cpu_percent_200": u.cpuPercent, "scale.rss_mb_200": u.rssMB,
	}}
	for _, what := range []string{"up", "get", "list"} {
		took := crowd.took(what)
		got.notes = append(got.notes, fmt.Sprintf("%s: %d requests, p50 %.1f ms, p99 %.1f ms, slowest %.1f ms", what, len(took),
			ms(quantile(took, 0.50)), ms(quantile(took, 0.99)), ms(quantile(took, 1))))
	}
	return got, crowd.failure()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// awaitClusters waits until the cloud has been asked for so many clusters.
func (s *stage) awaitClusters(ctx context.Context, n int) error {
	for {
		var all []struct{ Name string }
		if err := s.control(ctx, http.MethodGet, "/clusters", nil, &all); err != nil {
			return err
		}
		s.tell("%d clusters are asked for", len(all))
		if len(all) >= n {
			return nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return fmt.Errorf("%d of %d clusters were asked for: %w", len(all), n, err)
		}
	}
}

// pause waits, or returns the error of a ctx that ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
