package notify

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Config is what an Outbox needs; Store, Feed, Notifier and Log are required.
type Config struct {
	Store    environment.Store
	Feed     *environment.Feed
	Notifier environment.Notifier
	Log      *slog.Logger
	// Parallel is how many environments are told about at once; default 8.
	Parallel int
	// Timeout bounds one telling; default 20 seconds.
	Timeout time.Duration
}

// Outbox feeds one notifier.
type Outbox struct {
	Config
	cursor  cursor
	read    int64 // the last event seen
	pending map[string]*item
	running int
	results chan result
}

// item is an environment that something has to be told about, or a command for
// a class.
type item struct {
	order   bool
	first   int64 // the oldest event that was not yet told
	upTo    int64 // the newest
	warned  int64 // the newest that says that it ends soon
	telling int64 // the newest when the telling under way began; 0 when none is
	due     time.Time
	fails   int
}

type result struct {
	id    string
	again time.Duration
	err   error
}

// Times of the loop.
const (
	lookEvery  = 2 * time.Second // another replica may have written
	saveEvery  = time.Second
	batch      = 500
	firstRetry = 2 * time.Second
	lastRetry  = 30 * time.Second // no longer: somebody waits for it
)

// New makes an Outbox. It starts nothing.
func New(c Config) (*Outbox, error) {
	if c.Store == nil || c.Feed == nil || c.Notifier == nil || c.Log == nil {
		return nil, errors.New("notify: Store, Feed, Notifier and Log are required")
	}
	if c.Parallel == 0 {
		c.Parallel = 8
	}
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	return &Outbox{Config: c}, nil
}

// Run tells until ctx ends; of several replicas only the leader runs it. A
// notifier or a store that does not answer is tried again for ever, and is
// never an error.
func (o *Outbox) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := o.load(ctx)
		if err == nil {
			err = o.tellFrom(ctx)
		}
		if err != nil && ctx.Err() == nil {
			o.Log.Warn("read the outbox", "reason", err.Error(), "notifier", o.Notifier.Name())
		}
		pause(ctx, lookEvery)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// tellFrom tells what came after the cursor, until ctx ends or the cursor cannot be moved.
func (o *Outbox) tellFrom(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	o.pending, o.running, o.results = map[string]*item{}, 0, make(chan result)
	o.read = o.cursor.Seq
	defer func() {
		cancel()
		for o.running > 0 {
			o.settle(<-o.results)
		}
	}()
	told, unsubscribe := o.Feed.Subscribe("")
	defer unsubscribe()
	tick := time.NewTimer(0)
	defer tick.Stop()
	nextRead, nextSave := time.Time{}, time.Now().Add(saveEvery)
	for {
		now := time.Now()
		if !now.Before(nextRead) {
			full, err := o.readEvents(ctx)
			if err != nil {
				return err
			}
			nextRead = now.Add(lookEvery)
			if full {
				nextRead = now
			}
		}
		if !now.Before(nextSave) {
			if err := o.save(ctx); err != nil {
				return err
			}
			nextSave = now.Add(saveEvery)
		}
		o.start(ctx, now)
		tick.Reset(max(time.Until(o.nextDue(earlier(nextRead, nextSave))), 0))
		select {
		case <-ctx.Done():
			return o.leave(ctx)
		case <-told:
			nextRead = time.Time{}
		case r := <-o.results:
			o.settle(r)
		case <-tick.C:
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// readEvents notes which environments something happened to, and which
// commands for a class are done.
func (o *Outbox) readEvents(ctx context.Context) (full bool, err error) {
	events, err := o.Store.EventsSince(ctx, o.read, batch)
	if err != nil {
		return false, err
	}
	for _, ev := range events {
		o.read = ev.Seq
		id := ev.Environment
		if id == "" {
			id = ev.Order
		}
		if id == "" {
			continue
		}
		it := o.pending[id]
		if it == nil {
			it = &item{first: ev.Seq, order: ev.Environment == ""}
			o.pending[id] = it
		}
		it.upTo = ev.Seq
		if ev.Type == environment.EventWarned {
			it.warned = ev.Seq
		}
		if it.fails == 0 || it.urgent() {
			it.due = time.Time{} // something new: tell it without waiting for what was put off
		}
	}
	return len(events) == batch, nil
}

// start hands over what is due, as far as there is room.
func (o *Outbox) start(ctx context.Context, now time.Time) {
	for o.running < o.Parallel {
		id := o.next(now)
		if id == "" {
			return
		}
		o.hand(ctx, id, o.pending[id])
	}
}

// next is who of those that are due is told about first, "" when nobody is due.
func (o *Outbox) next(now time.Time) (first string) {
	for id, it := range o.pending {
		if it.telling == 0 && !now.Before(it.due) && (first == "" || it.before(o.pending[first])) {
			first = id
		}
	}
	return first
}

// before puts first what ends soon, since a warning that comes late is none, and
// then who has waited longest.
func (it *item) before(other *item) bool {
	if it.urgent() != other.urgent() {
		return it.urgent()
	}
	return it.first < other.first
}

// urgent says that a warning was not told yet.
func (it *item) urgent() bool { return it.warned >= it.first }

// hand has one told about on the side.
func (o *Outbox) hand(ctx context.Context, id string, it *item) {
	it.telling = it.upTo
	o.running++
	results, tell := o.results, o.Tell
	if it.order {
		tell = o.report
	}
	go func() {
		again, err := tell(ctx, id)
		results <- result{id, again, err}
	}()
}

// nextDue is when something has to be done next, at the latest at limit.
func (o *Outbox) nextDue(limit time.Time) time.Time {
	if o.running >= o.Parallel {
		return limit
	}
	for _, it := range o.pending {
		if it.telling == 0 && it.due.Before(limit) {
			limit = it.due
		}
	}
	return limit
}

// settle takes the outcome of one telling.
func (o *Outbox) settle(r result) {
	o.running--
	it := o.pending[r.id]
	told := it.telling
	it.telling = 0
	now := time.Now()
	switch {
	case r.err != nil && retryable(r.err):
		it.fails++
		it.due = now.Add(backOff(it.fails, r.err))
		o.Log.Debug("not told yet", "reason", r.err.Error(), "env_id", r.id, "notifier", o.Notifier.Name())
	case r.err != nil:
		o.Log.Error("not told", "reason", r.err.Error(), "env_id", r.id, "notifier", o.Notifier.Name())
		o.finish(r.id, it, told)
	case r.again > 0:
		it.fails = 0
		it.due = now.Add(r.again)
	default:
		o.finish(r.id, it, told)
	}
}

// finish forgets an environment unless more happened meanwhile.
func (o *Outbox) finish(id string, it *item, told int64) {
	it.fails = 0
	if it.upTo == told {
		delete(o.pending, id)
		return
	}
	it.first, it.due = told+1, time.Time{}
}

// retryable: a conflict means that another replica told meanwhile, or two
// loops met; the next look sees what is left.
func retryable(err error) bool {
	return environment.Retryable(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// backOff doubles up to a limit, and is never shorter than asked for. Waiting
// for a limit of our own is no failure, so that it does not grow.
func backOff(fails int, err error) time.Duration {
	var e *environment.Error
	if errors.As(err, &e) && e.RetryAfter > 0 {
		return e.RetryAfter
	}
	return min(firstRetry<<min(fails-1, 10), lastRetry)
}

// Tell hands one environment over as it is now, with what the notifier
// remembers of it.
func (o *Outbox) Tell(ctx context.Context, id string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	e, err := o.Store.Environment(ctx, id)
	if environment.CodeOf(err) == environment.CodeNotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	note, err := o.memory(ctx, id)
	if err != nil {
		return 0, err
	}
	return o.Notifier.Tell(ctx, e, note.Value, o.keeper(&note))
}

// report hands over how a command for a class came out.
func (o *Outbox) report(ctx context.Context, id string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	order, err := environment.ReadCourseOrder(ctx, o.Store, id)
	if environment.CodeOf(err) == environment.CodeNotFound {
		return 0, nil // over for so long that it is kept no more
	}
	if err != nil {
		return 0, err
	}
	note, err := o.memory(ctx, id)
	if err != nil {
		return 0, err
	}
	return 0, o.Notifier.Report(ctx, order, note.Value, o.keeper(&note))
}

// memory is what the notifier remembers of one.
func (o *Outbox) memory(ctx context.Context, id string) (environment.Note, error) {
	key := "notify/" + o.Notifier.Name() + "/" + id
	note, err := o.Store.Note(ctx, key)
	if environment.CodeOf(err) == environment.CodeNotFound {
		err = nil
	}
	note.Key = key
	return note, err
}

// keeper stores what the notifier remembers.
func (o *Outbox) keeper(note *environment.Note) func(context.Context, string) error {
	return func(ctx context.Context, memory string) error {
		note.Value = memory
		// What was told is kept even when time is up: forgetting it would tell it twice.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := o.Store.Commit(ctx, environment.Change{Note: note}); err != nil {
			return err
		}
		note.Version++
		return nil
	}
}
