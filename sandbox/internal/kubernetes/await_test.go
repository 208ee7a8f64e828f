package kubernetes

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, looks := time.Now(), 0
		err := await(t.Context(), func(context.Context) bool {
			looks++
			return time.Since(began) > time.Minute
		})
		if err != nil || time.Since(began) > 62*time.Second {
			t.Errorf("await = %v after %s", err, time.Since(began))
		}
		if looks < 60 || looks > 80 {
			t.Errorf("looked %d times in a minute; want about once a second", looks)
		}
	})
}

func TestAwaitEndsWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if err := await(ctx, func(context.Context) bool { return false }); !errors.Is(err, cause) {
			t.Errorf("await = %v; want %v", err, cause)
		}
	})
}

func TestRetryReturnsTheLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := errors.New("in use")
		if err := retry(t.Context(), func() error { return want }); !errors.Is(err, want) {
			t.Errorf("retry = %v; want %v", err, want)
		}
	})
}
