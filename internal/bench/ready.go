package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// ready is one environment from request to ready.
type ready struct {
	took, cloud time.Duration
	idle        []span
}

func (r ready) overhead() float64 { return r.took.Seconds() / r.cloud.Seconds() }

// readyAtFast measures one environment when the cloud is fast.
func readyAtFast(ctx context.Context, s *stage) (results, error) {
	if err := s.start(ctx); err != nil {
		return results{}, err
	}
	r, err := s.up(ctx)
	if err != nil {
		return results{}, err
	}
	return results{notes: r.notes("fast"), values: map[string]float64{
		"time_to_ready.overhead_ratio_fast": r.overhead(), "time_to_ready.seconds_fast": r.took.Seconds(),
	}}, nil
}

// readyAtGKE measures one environment when the cloud takes its time, while
// the walkthrough is typed into the same cloud.
func readyAtGKE(ctx context.Context, s *stage) (results, error) {
	if err := s.start(ctx); err != nil {
		return results{}, err
	}
	if err := s.slow(ctx); err != nil {
		return results{}, err
	}
	var r ready
	var hand time.Duration
	why := handMissing(s)
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		r, err = s.up(ctx)
		return err
	})
	if why == "" {
		both.Go(func() (err error) {
			hand, err = s.byHand(ctx)
			return err
		})
	}
	if err := both.Wait(); err != nil {
		return results{}, err
	}
	got := results{notes: r.notes("gke"), values: map[string]float64{
		"time_to_ready.overhead_ratio": r.overhead(), "time_to_ready.seconds_gke_latencies": r.took.Seconds(),
	}}
	if why != "" {
		got.notes = append(got.notes, "by hand is not measured: "+why)
		return got, nil
	}
	got.values["time_to_ready.seconds_by_hand"] = hand.Seconds()
	got.values["time_to_ready.by_hand_ratio"] = hand.Seconds() / r.took.Seconds()
	return got, nil
}

// up asks for a daskhub, waits until it is ready and reads from the sandbox
// what the cloud took for it.
func (s *stage) up(ctx context.Context) (ready, error) {
	var e environment
	asked := time.Now()
	if err := s.rest(ctx, http.MethodPost, "/environments", map[string]string{"owner": "bench", "profile": "daskhub"}, &e); err != nil {
		return ready{}, err
	}
	at, err := s.awaitReady(ctx, e.ID)
	if err != nil {
		return ready{}, err
	}
	if err := s.rest(ctx, http.MethodGet, "/environments/"+e.ID, nil, &e); err != nil {
		return ready{}, err
	}
	var waits []wait
	query := url.Values{"since": {asked.Format(time.RFC3339Nano)}, "cluster": {e.Cluster.Name}}
	if err := s.control(ctx, http.MethodGet, "/operations/log?"+query.Encode(), nil, &waits); err != nil {
		return ready{}, err
	}
	if len(waits) == 0 {
		return ready{}, fmt.Errorf("the sandbox logged nothing for cluster %s", e.Cluster.Name)
	}
	for _, w := range waits {
		s.tell("cloud %8.3f to %8.3f %s %s", w.Start.Sub(asked).Seconds(), w.End.Sub(asked).Seconds(), w.Kind, w.Name)
	}
	r := ready{took: at.Sub(asked)}
	r.cloud, r.idle = criticalPath(waits, asked, at)
	return r, nil
}

// notes say where the time went that the cloud did not take.
func (r ready) notes(latencies string) []string {
	all := []string{fmt.Sprintf("at %s latencies it took %.2f s, the cloud %.2f s of it", latencies, r.took.Seconds(), r.cloud.Seconds())}
	longest := slices.SortedFunc(slices.Values(r.idle), func(a, b span) int { return int(b.to.Sub(b.from) - a.to.Sub(a.from)) })
	for _, s := range longest[:min(4, len(longest))] {
		all = append(all, "  not the cloud: "+s.String())
	}
	return all
}
