package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	hooks        = 10_000
	hookCourses  = 40
	hookSource   = "campus" // of configs/sandbox.yaml
	hookSecret   = "whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g="
	drainedAfter = 5 * time.Minute // it is given up
)

// hookLoad has a learning platform enroll a university within a minute.
func hookLoad(ctx context.Context, s *stage) (results, error) {
	s.extra = []string{"LMS_HOOK_SECRET=" + hookSecret}
	if err := s.start(ctx); err != nil {
		return results{}, err
	}
	for n := range hookCourses {
		course := map[string]string{"id": hookCourse(n), "title": "A course of a large university"}
		if err := s.rest(ctx, http.MethodPut, "/courses/"+hookCourse(n), course, nil); err != nil {
			return results{}, err
		}
	}
	l := &platform{stage: s}
	var sent time.Time
	var missing int
	cpu, err := s.cpuPer(hooks, func() (err error) {
		if err := paced(ctx, hooks, func(n int, due time.Time) { l.enrolls(ctx, n, due) }); err != nil {
			return err
		}
		sent = time.Now()
		missing, err = l.drained(ctx)
		return err
	})
	if err != nil {
		return results{}, err
	}
	slices.Sort(l.took)
	got := results{values: map[string]float64{"hooks.p50_ms": ms(quantile(l.took, 0.50)), "hooks.p99_ms": ms(quantile(l.took, 0.99)),
		"hooks.max_ms": ms(quantile(l.took, 1)), "hooks.lost": float64(max(len(l.refused), missing)), "hooks.behind_seconds": time.Since(sent).Seconds(), "hooks.cpu_ms": cpu}}
	if len(l.refused) > 0 {
		got.notes = append(got.notes, fmt.Sprintf("%d of %d hooks were refused, the first: %s", len(l.refused), hooks, l.refused[0]))
	}
	return got, nil
}

func hookCourse(n int) string { return fmt.Sprintf("hooks-%02d", n) }

// platform is who sends the hooks.
type platform struct {
	*stage

	mu      sync.Mutex
	took    []time.Duration
	refused []string
}

func (l *platform) enrolls(ctx context.Context, n int, due time.Time) {
	body := fmt.Sprintf(`{"type":"member.added","timestamp":%q,"data":{"course":%q,"user":{"email":"s%05d@bench.example","name":"Student %d"}}}`,
		due.UTC().Format(time.RFC3339), hookCourse(n%hookCourses), n, n)
	err := l.hook(ctx, fmt.Sprintf("msg_bench_%d", n), body)
	took := time.Since(due)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, took)
	if err != nil {
		l.refused = append(l.refused, err.Error())
		l.tell("refused: %v", err)
	}
}

// hook sends one, signed by Standard Webhooks.
func (l *platform) hook(ctx context.Context, id, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.daemonURL+"/hooks/lms/"+hookSource, strings.NewReader(body))
	if err != nil {
		return err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	if err != nil {
		return err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+at+"."+body) // a hash takes everything
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Webhook-Id", id)
	req.Header.Set("Webhook-Timestamp", at)
	req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return err
}

// drained waits until everybody is on a roster, and counts who never was.
func (l *platform) drained(ctx context.Context) (missing int, err error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for until := time.Now().Add(drainedAfter); ; {
		missing = hooks
		var got struct {
			Items []struct{ Members []struct{ Email string } }
		}
		if err := l.rest(ctx, http.MethodGet, "/courses", nil, &got); err != nil {
			return 0, err
		}
		for _, course := range got.Items {
			for _, m := range course.Members {
				if strings.HasSuffix(m.Email, "@bench.example") {
					missing--
				}
			}
		}
		if missing == 0 || time.Now().After(until) {
			return missing, nil
		}
		l.tell("%d are still to be enrolled", missing)
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}
