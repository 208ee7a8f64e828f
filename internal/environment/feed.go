package environment

import (
	"context"
	"sync"
)

// Feed tells followers inside this process that something was written about
// an environment. It carries no data but the id: followers read the store. What another
// replica wrote comes by Publish, which may miss some; followers therefore also
// look from time to time.
type Feed struct {
	mu      sync.Mutex
	subs    map[string]map[chan struct{}]struct{}
	hearers map[*func(string)]struct{}
}

// Listen calls told with the id of each environment that something was written
// about, and with "" when some may have been missed, until stop is called. told
// returns at once, and does not use the feed.
func (f *Feed) Listen(told func(id string)) (stop func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hearers == nil {
		f.hearers = map[*func(string)]struct{}{}
	}
	f.hearers[&told] = struct{}{}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.hearers, &told)
	}
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

// Publish tells the followers of an environment, and those of all; with "" it
// tells everybody.
func (f *Feed) Publish(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for told := range f.hearers {
		(*told)(id)
	}
	if id == "" {
		for _, followers := range f.subs {
			wakeAll(followers)
		}
		return
	}
	wakeAll(f.subs[id])
	wakeAll(f.subs[""])
}

func wakeAll(followers map[chan struct{}]struct{}) {
	for ch := range followers {
		select {
		case ch <- struct{}{}:
		default: // a value is waiting already
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
		if id := first(ev.Environment, ev.Order); id != "" && !told[id] {
			told[id] = true
			a.feed.Publish(id)
		}
	}
	if change.Environment != nil && !told[change.Environment.ID] {
		a.feed.Publish(change.Environment.ID)
	}
	return nil
}
