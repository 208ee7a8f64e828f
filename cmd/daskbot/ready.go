package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
)

const (
	// seenFor is for how long a good answer of the cloud holds: what it refuses
	// or does not answer for less than that is nobody's business.
	seenFor = 2 * time.Minute
	// lookAgain is how often it is asked, and lookSoon how often while it does
	// not answer.
	lookAgain = 30 * time.Second
	lookSoon  = 5 * time.Second
	// lookFor bounds one question.
	lookFor = 10 * time.Second
)

// sight knows whether the cloud answers. It asks at its own pace, so that
// whoever asks /readyz, and however often, causes no call.
type sight struct {
	ask func(context.Context) error // nil where there is no cloud
	log *slog.Logger

	mu   sync.Mutex
	seen time.Time // the last good answer
	why  error     // the last answer
}

func newSight(cfg *config.Config, cloud interface {
	Allowed(ctx context.Context, project string) error
}, log *slog.Logger) *sight {
	s := &sight{log: log}
	if project := cfg.GKE.Project; project != "" { // else there are only given clusters
		s.ask = func(ctx context.Context) error { return cloud.Allowed(ctx, project) }
	}
	return s
}

// Run asks until ctx ends.
func (s *sight) Run(ctx context.Context) error {
	if s.ask == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		next := lookAgain
		if !s.look(ctx) {
			next = lookSoon
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(next):
		}
	}
}

// look asks once, and says in the log when the answer is another than before.
func (s *sight) look(ctx context.Context) bool {
	within, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	err := s.ask(within)
	if ctx.Err() != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.why == nil:
		s.log.Warn("the cloud does not answer", "reason", because(err))
	case err == nil && s.why != nil:
		s.log.Info("the cloud answers again")
	}
	if s.why = err; err == nil {
		s.seen = time.Now()
	}
	return err == nil
}

// err is why the cloud cannot be reached, nil when it can.
func (s *sight) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ask == nil || time.Since(s.seen) < seenFor {
		return nil
	}
	return &environment.Error{Code: environment.CodeUnavailable, Message: "Google Cloud does not answer, or does not let this daskbot in; its log and daskbot doctor say why.", Err: s.why}
}

// ready says whether this process is not about to end, and the store, which is
// also the queue, and the cloud answer. Without the cloud daskbot still takes
// what people ask for and does it later: who decides where requests are sent
// asks for everything but that. Anybody may ask, and so nobody is told more
// than which of the three it is.
func (d *daemon) ready(ctx context.Context, cloud bool) error {
	if d.stopping.Load() {
		return environment.Errorf(environment.CodeUnavailable, "This daskbot is stopping.")
	}
	if _, err := d.store.CountLive(ctx, "", ""); err != nil {
		return &environment.Error{Code: environment.CodeUnavailable, Message: "The store does not answer.", Err: err}
	}
	if !cloud {
		return nil
	}
	return d.sight.err()
}

// watched listens where only a monitoring system is to ask; nil for nowhere.
func (d *daemon) watched(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l, nil
}

// apart serves the metrics and nothing else.
func apart(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	return mux
}
