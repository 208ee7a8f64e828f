package client

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daskbot/daskbot/internal/api"
)

// What the daemon takes minutes for is waited for, and a daemon that is slow is
// not one that is not there.
func TestHowLongAnAnswerIsWaitedFor(t *testing.T) {
	type asking func(ctx context.Context, r *rest) error
	plain := func(ctx context.Context, r *rest) error {
		_, err := ask[struct{}](ctx, r, http.MethodGet, "/me", nil)
		return err
	}
	long := func(ctx context.Context, r *rest) error {
		_, err := survey[struct{}](ctx, r, http.MethodPost, "/reaper/run", nil)
		return err
	}
	ping := func(ctx context.Context, r *rest) error {
		_, err := r.pingUntilReady(ctx, 0)
		return err
	}
	for name, c := range map[string]struct {
		ask   asking
		takes time.Duration
		want  int
	}{
		"in time":             {plain, time.Minute, ExitDone},
		"too late":            {plain, 2 * time.Minute, ExitFailed},
		"a survey, in time":   {long, 10 * time.Minute, ExitDone},
		"a survey, too late":  {long, time.Hour, ExitFailed},
		"nobody":              {plain, -1, ExitUnreachable},
		"a survey, of nobody": {long, -1, ExitUnreachable},
		"a ping, too late":    {ping, 2 * time.Minute, ExitFailed},
		"a ping, of nobody":   {ping, -1, ExitUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &rest{address: "http://daskbot", http: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					if c.takes < 0 {
						return nil, errors.New("connection refused")
					}
					select {
					case <-r.Context().Done():
						return nil, r.Context().Err()
					case <-time.After(c.takes):
					}
					answer := httptest.NewRecorder().Result()
					answer.Request = r
					return answer, nil
				})}}
				err := c.ask(t.Context(), r)
				if got := exitCode(err); got != c.want {
					t.Errorf("got exit %d, %v; want %d", got, err, c.want)
				}
				if late := (*slow)(nil); errors.As(err, &late) && !passing(err) {
					t.Errorf("%v ends waiting", err)
				}
			})
		})
	}
}

// TestPages: a list is as long as was asked for, however long a page may be.
func TestPages(t *testing.T) {
	const there = 2500
	page := func(w http.ResponseWriter, req *http.Request) {
		begin, _ := strconv.Atoi(req.FormValue("cursor"))
		size, err := strconv.Atoi(cmp.Or(req.FormValue("limit"), "50"))
		if err != nil || size < 1 || size > 1000 || req.FormValue("actor") != "alice" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		got := api.List[int]{Items: []int{}}
		for n := begin; n < min(begin+size, there); n++ {
			got.Items = append(got.Items, n)
		}
		if begin+size < there {
			got.Next = strconv.Itoa(begin + size)
		}
		_ = json.NewEncoder(w).Encode(got)
	}
	daemon := httptest.NewServer(http.HandlerFunc(page))
	defer daemon.Close()
	for count, want := range map[int]struct {
		items int
		next  string
	}{1: {1, "1"}, 100: {100, "100"}, 1000: {1000, "1000"}, 2300: {2300, "2300"}, 2500: {2500, ""}, 9000: {2500, ""}, 0: {2500, ""}, -1: {2500, ""}} {
		r := &rest{address: daemon.URL, http: daemon.Client()}
		got, err := first[int](t.Context(), r, "/audit", url.Values{"actor": {"alice"}}, count)
		if err != nil || len(got.Value.Items) != want.items || got.Value.Next != want.next {
			t.Errorf("%d of them: got %d, next %q, %v; want %d, next %q", count, len(got.Value.Items), got.Value.Next, err, want.items, want.next)
		}
		for i, n := range got.Value.Items {
			if i != n {
				t.Fatalf("%d of them: %d is at %d", count, n, i)
			}
		}
	}
}
