package reaper

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/daskbot/daskbot/internal/environment"
)

// Options are how a person runs a sweep; the zero value is how cron does.
type Options struct {
	// Dry only says what would be done.
	Dry bool
	// Confirmed ends more idle environments at once than MaxShare allows.
	Confirmed bool
}

// Report is what one sweep did, or with Dry would do.
type Report struct {
	At    time.Time
	Items []environment.PlanItem // every environment, with what was done about it
	// Warned, Deleted and Failed count; Waiting is what MaxPerRun left for the
	// next run; Woken is how many rows the runner looks at again.
	Warned, Deleted, Failed, Waiting, Woken int
	// Held says why idle environments were left alone, "" when they were not.
	Held string
	// Paused: nothing was ended or warned.
	Paused bool
}

// resyncEvery is how often every row is woken. Sweeps come more often.
const resyncEvery = 5 * time.Minute

// Sweep looks at every environment, warns, and ends what is at its end. One
// environment that cannot be read or ended never ends a sweep. Its error means
// that the store does not answer, and that nothing was done.
func (r *Reaper) Sweep(ctx context.Context, o Options) (report Report, err error) {
	if !o.Dry { // what only looks disturbs nobody, and waits for nobody
		r.running.Lock()
		defer r.running.Unlock()
	}
	ctx, end := r.Span(ctx, "sweep", slog.Bool("dry", o.Dry))
	defer func() { end(err) }()
	if r.Alone == nil || o.Dry {
		return r.sweepOnce(ctx, o)
	}
	err = r.Alone(ctx, func(ctx context.Context) (err error) {
		report, err = r.sweepOnce(ctx, o)
		return err
	})
	return report, err
}

func (r *Reaper) sweepOnce(ctx context.Context, o Options) (Report, error) {
	report := Report{At: time.Now().UTC()}
	state, err := r.Commands.Reaper(ctx)
	if err != nil {
		return report, err
	}
	report.Paused = state.Paused
	ids, err := r.Commands.Reapable(ctx)
	if err != nil {
		return report, err
	}
	r.consider(ctx, ids, o.Dry, &report)
	acts := r.choose(&report, o)
	if !o.Dry && !report.Paused {
		r.carry(ctx, acts, &report)
		if err := r.Commands.Hold(ctx, report.Held); err != nil {
			r.Log.Error("sweep", "reason", err.Error())
		}
	}
	if !o.Dry {
		r.resync(ctx, &report)
		r.alert(report)
	}
	return report, nil
}

// consider looks at all, a bounded number at once, for half of the time that
// the run has: a thousand that do not answer, each after its own timeout, must
// not leave none for acting. What was not reached is judged by what was seen of
// it last, and the next run begins with it.
func (r *Reaper) consider(ctx context.Context, ids []string, dry bool, report *Report) {
	looking, cancel := half(ctx)
	defer cancel()
	if !dry { // only a run that acts holds the lock
		slices.SortStableFunc(ids, func(a, b string) int { return r.turn(a) - r.turn(b) })
	}
	missed := map[string]bool{}
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(r.Probes)
	for _, id := range ids {
		group.Go(func() error {
			late := looking.Err() != nil
			item, err := r.examine(ctx, looking, id, dry)
			mu.Lock()
			defer mu.Unlock()
			if late {
				missed[id] = true
			}
			if err != nil {
				report.Failed++
				r.Log.Error("look", "env_id", id, "reason", err.Error())
				return nil
			}
			report.Items = append(report.Items, item)
			return nil
		})
	}
	_ = group.Wait() // every failure was counted
	if !dry {
		r.missed = missed
	}
	if !dry && len(missed) > 0 {
		r.Log.Warn("a sweep had no time to look at all; the next begins with the rest", "missed", len(missed), "of", len(ids))
	}
	slices.SortFunc(report.Items, func(a, b environment.PlanItem) int {
		return cmp.Or(a.Judgement.At.Compare(b.Judgement.At), cmp.Compare(a.Environment.ID, b.Environment.ID))
	})
}

// half gives looking half of the time that is left.
func half(ctx context.Context) (context.Context, context.CancelFunc) {
	end, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// turn is 0 for what the last sweep did not reach.
func (r *Reaper) turn(id string) int {
	if r.missed[id] {
		return 0
	}
	return 1
}

// examine looks while there is time, and afterwards recalls. By an old look
// nothing is ended for want of use.
func (r *Reaper) examine(ctx, looking context.Context, id string, dry bool) (environment.PlanItem, error) {
	item, err := r.Commands.Consider(looking, id, dry)
	if err == nil || looking.Err() == nil {
		return item, err
	}
	if item, err = r.Commands.Recall(ctx, id); err == nil && item.RestsOnUse() {
		skip(&item.Judgement, environment.SkipLate, "There was no time to look at it again.")
	}
	return item, err
}

// skip leaves for later what was to be done.
func skip(j *environment.Judgement, by environment.SkipCause, why string) {
	j.Action, j.Skip, j.Reason = environment.ReapSkip, by, j.Reason+" "+why
}

// choose picks what this run does, and marks what it leaves as skipped.
func (r *Reaper) choose(report *Report, o Options) []*environment.PlanItem {
	report.Held = r.held(report.Items, o)
	var acts []*environment.PlanItem
	deletes := 0
	for i := range report.Items {
		item := &report.Items[i]
		j := &item.Judgement
		switch {
		case j.Action == environment.ReapDelete && report.Held != "" && idle(*j):
			skip(j, environment.SkipHeld, "Held: "+report.Held)
			continue
		case j.Action == environment.ReapDelete && deletes == r.MaxPerRun:
			report.Waiting++
			skip(j, environment.SkipCap, "It waits for the next run: one run ends at most "+fmt.Sprint(r.MaxPerRun)+".")
			continue
		case j.Action == environment.ReapDelete:
			deletes++
		case j.Action != environment.ReapWarn && !j.Revive:
			continue
		}
		acts = append(acts, item)
	}
	if report.Waiting > 0 {
		r.Log.Warn("a sweep reached its limit; the rest waits for the next", "limit", r.MaxPerRun, "waiting", report.Waiting)
	}
	return acts
}

func idle(j environment.Judgement) bool {
	return j.Cause == environment.EndIdle || j.Cause == environment.EndUnused // the end of a class is expected, like a deadline
}

// held says why idle environments are not ended in this run.
func (r *Reaper) held(items []environment.PlanItem, o Options) string {
	n := 0
	for _, item := range items {
		if item.Judgement.Action == environment.ReapDelete && idle(item.Judgement) {
			n++
		}
	}
	if o.Confirmed || n <= FewAtOnce || float64(n) <= r.MaxShare*float64(len(items)) {
		return ""
	}
	return fmt.Sprintf("%d of %d environments look idle at once, more than the %.0f %% that may end without a person; `daskbot reaper run --confirm` ends them.",
		n, len(items), r.MaxShare*100)
}

// carry does what was chosen: first the deletions that wait for nobody, then
// the warnings, and then what is looked at once more, which may take its time.
func (r *Reaper) carry(ctx context.Context, acts []*environment.PlanItem, report *Report) {
	slices.SortStableFunc(acts, func(a, b *environment.PlanItem) int { return rank(a) - rank(b) })
	for _, item := range acts {
		if r.pausedNow(ctx) {
			skip(&item.Judgement, environment.SkipPaused, "The reaper was paused.")
			continue
		}
		j, err := r.Commands.Carry(ctx, *item)
		if err != nil {
			report.Failed++
			item.Judgement.Action, item.Judgement.Skip = environment.ReapSkip, environment.SkipFailed // the next run tries again
			r.Log.Error("sweep", "env_id", item.Environment.ID, "reason", err.Error())
			continue
		}
		item.Judgement = j
		switch j.Action {
		case environment.ReapDelete:
			report.Deleted++
			r.Log.Info("ended", "env_id", item.Environment.ID, "cause", string(j.Cause), "reason", j.Reason)
		case environment.ReapWarn:
			report.Warned++
			r.Log.Info("warned", "env_id", item.Environment.ID, "ends_at", j.At, "reason", j.Reason)
		default: // it was extended or used in between
		}
	}
}

// pausedNow is asked before each act: a run takes minutes, and whoever pauses it
// wants nothing more to end. Where nobody answers, the act will tell.
func (r *Reaper) pausedNow(ctx context.Context) bool {
	state, err := r.Commands.Reaper(ctx)
	return err == nil && state.Paused
}

func rank(i *environment.PlanItem) int {
	switch {
	case i.RestsOnUse():
		return 2
	case i.Judgement.Action == environment.ReapDelete:
		return 0
	default:
		return 1
	}
}

func (r *Reaper) resync(ctx context.Context, report *Report) {
	if now := time.Now(); now.Sub(r.resynced) >= resyncEvery {
		n, err := r.Commands.Resync(ctx)
		if err != nil {
			r.Log.Error("resync", "reason", err.Error())
			return
		}
		report.Woken, r.resynced = n, now
		r.budgets(ctx)
	}
}

// budgets tells people of money; it needs no schedule of its own.
func (r *Reaper) budgets(ctx context.Context) {
	told, err := r.Commands.Budgets(ctx)
	if err != nil {
		r.Log.Error("budgets", "reason", err.Error())
	}
	for _, sentence := range told {
		r.Log.Warn("budget", "reason", sentence)
	}
}

// unknownFor is how long nothing may be known of the use of an environment
// before somebody should look: it is not ended for being idle meanwhile.
const unknownFor = 30 * time.Minute

// Unknown counts environments of whose use nothing has been known for long.
func (r Report) Unknown() int {
	n := 0
	for _, item := range r.Items {
		if since := item.Use.UnknownSince; !since.IsZero() && r.At.Sub(since) > unknownFor {
			n++
		}
	}
	return n
}

func (r *Reaper) alert(report Report) {
	if n := report.Unknown(); n > 0 {
		r.Log.Warn("nothing is known of the use of some environments; they live to their maximum", "count", n, "for", unknownFor.String())
	}
	if report.Held != "" {
		r.Log.Warn("a sweep waits for a person", "reason", report.Held)
	}
	if r.Observe != nil {
		r.Observe(report)
	}
}
