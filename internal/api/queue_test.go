package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// slowest is a service with what is on its way.
type slowest struct {
	*double
	asked environment.Filter
}

func (s *slowest) List(_ context.Context, _ environment.Caller, f environment.Filter) ([]environment.Environment, string, error) {
	s.asked = f
	now := time.Now()
	return []environment.Environment{
		{ID: "fresh", State: environment.StateCreating, Phase: environment.PhaseCluster, PhaseSince: now.Add(-time.Minute)},
		{ID: "late", State: environment.StateCreating, Phase: environment.PhaseAddress, PhaseSince: now.Add(-9 * time.Minute)},
	}, "", nil
}

// TestQueue: who is nearest to being given up comes first, whatever phase it is
// in.
func TestQueue(t *testing.T) {
	service := &slowest{double: newDouble()}
	s, err := New(Config{Service: service, Log: slog.New(slog.DiscardHandler), Load: func(context.Context) (Load, error) {
		return Load{Waiting: 3, Working: 2, Oldest: 61 * time.Second, States: map[environment.State]int{environment.StateCreating: 2}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, Base+"/queue", nil)
	r.Header.Set("Authorization", "Bearer admin")
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	got := decode[Queue](t, w.Result())
	if w.Code != http.StatusOK || got.Waiting != 3 || got.Working != 2 || got.OldestSeconds != 61 || got.Environments["creating"] != 2 {
		t.Errorf("got %d %+v", w.Code, got)
	}
	if len(got.Moving) != 2 || got.Moving[0].Environment != "late" || !got.Moving[0].Slow || got.Moving[1].Slow || got.Moving[0].GivenUpAt == nil {
		t.Errorf("got %+v; want the late one first, and only that one slow", got.Moving)
	}
	if len(service.asked.States) != len(movingStates) {
		t.Errorf("asked for %v; want what something is to happen to", service.asked.States)
	}
}
