package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
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
