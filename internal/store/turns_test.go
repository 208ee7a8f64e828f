package store

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: who has to be done first goes first, whatever the order of
// arrival, and who gave up is left out.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gate turns
		leave, err := gate.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, w := range []struct {
			name   string
			within time.Duration // 0 for no deadline
		}{{"background", 0}, {"pass", time.Minute}, {"delivery", 2 * time.Second}, {"impatient", time.Millisecond}, {"click", time.Second}} {
			ctx := t.Context()
			if w.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, w.within)
				defer cancel()
			}
			go func() {
				leave, err := gate.take(ctx)
				if err != nil {
					order = append(order, w.name+" gave up")
					return
				}
				order = append(order, w.name)
				leave()
			}()
			synctest.Wait()
			time.Sleep(time.Microsecond) // fake time: each comes after the one before
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
		leave()
		synctest.Wait()
		want := []string{"impatient gave up", "click", "delivery", "background", "pass"}
		if !slices.Equal(order, want) {
			t.Errorf("got %q; want %q", order, want)
		}
		if leave, err := gate.take(t.Context()); err != nil {
			t.Error(err)
		} else {
			leave()
		}
	})
}
