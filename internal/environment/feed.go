package environment

import (
	"context"
	"sync"
)

// Feed tells followers inside this process that something was written about
// an environment. It carries no data: followers read the store. Replicas do
// not hear each other; followers therefore also look from time to time.
type Feed struct {
	mu   sync.Mutex
	subs map[string]map[chan struct{}]struct{}
}

// Subscribe returns a channel that gets a value after each write about the
// environment, or about any when id is "", and a function that ends the subscription. Values coalesce.
func (f *Feed) Subscribe(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.subs == nil {
		f.subs = map[string]map[chan struct{}]struct{}{}
	}
	if f.subs[id] == nil {
		f.subs[id] = map[chan struct{}]struct{}{}
	}
	f.subs[id][ch] = struct{}{}
	return ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.subs[id], ch)
		if len(f.subs[id]) == 0 {
			delete(f.subs, id)
		}
	}
}

func (f *Feed) publish(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range []string{id, ""} {
		for ch := range f.subs[key] {
			select {
			case ch <- struct{}{}:
			default: // a value is waiting already
			}
		}
	}
}

// announced is a Store whose writes are told to a Feed.
type announced struct {
	Store
	feed *Feed
}

// Announce returns the store with every successful Commit told to feed.
func Announce(s Store, feed *Feed) Store { return announced{s, feed} }

// Commit writes, then tells the followers.
func (a announced) Commit(ctx context.Context, change Change) error {
	if err := a.Store.Commit(ctx, change); err != nil {
		return err
	}
	told := map[string]bool{}
	for _, ev := range change.Events {
		if ev.Environment != "" && !told[ev.Environment] {
			told[ev.Environment] = true
			a.feed.publish(ev.Environment)
		}
	}
	if change.Environment != nil && !told[change.Environment.ID] {
		a.feed.publish(change.Environment.ID)
	}
	return nil
}
