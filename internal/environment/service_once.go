package environment

import (
	"context"
	"time"
)

// Once returns the same Service with every change made at most once for the
// key, however often it is delivered: the key is written in the transaction of
// the change. A repeated change answers with the environment as it is now. It
// is for one command; caller says whose keys these are, for example "slack".
func (s *Service) Once(caller, key string) *Service {
	c := *s
	c.once = &Replay{Caller: caller, Key: key}
	return &c
}

func (s *Service) doneBefore(ctx context.Context, id string) (bool, error) {
	if s.once == nil {
		return false, nil
	}
	r, err := s.store.Replay(ctx, s.once.Caller, s.once.Key)
	if CodeOf(err) == CodeNotFound {
		return false, nil
	}
	return err == nil && r.Environment == id, err
}

func (s *Service) onceFor(id string, now time.Time) *Replay {
	if s.once == nil {
		return nil
	}
	return &Replay{Caller: s.once.Caller, Key: s.once.Key, Fingerprint: id, Environment: id, At: now}
}

// First reports whether this is the first time that this key is seen, and
// remembers it. It is for deliveries that change no environment.
func (s *Service) First(ctx context.Context, caller, key string) (bool, error) {
	err := s.store.Commit(ctx, Change{Replay: &Replay{Caller: caller, Key: key, At: s.clock()}})
	if CodeOf(err) == CodeConflict {
		return false, nil
	}
	return err == nil, err
}
