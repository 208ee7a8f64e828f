package provision

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// pass is one look at an environment: what was read, seen and decided.
type pass struct {
	e      environment.Environment
	seen   environment.Observed
	step   environment.Step
	target environment.Target
	plan   environment.Plan
	now    time.Time
}

// verb carries out one kind of step. What it returns is recorded: an edit of
// the row and what to tell.
type verb func(*Runner, context.Context, *pass) (outcome, error)

// outcome is what to record after a step.
type outcome struct {
	edit    func(*environment.Environment)
	cluster *environment.Cluster // written in the same transaction
	events  []environment.Event
	wake    []environment.Job
	// noTurn: a limit was reached; nothing was done.
	noTurn bool
}

var verbs = map[environment.StepKind]verb{
	environment.StepResolve:   (*Runner).resolve,
	environment.StepPlace:     (*Runner).place,
	environment.StepPrepare:   (*Runner).prepare,
	environment.StepConverge:  (*Runner).converge,
	environment.StepDrop:      (*Runner).drop,
	environment.StepWorkers:   (*Runner).workers,
	environment.StepReady:     (*Runner).ready,
	environment.StepFail:      (*Runner).fail,
	environment.StepRollBack:  (*Runner).rollBack,
	environment.StepSettle:    (*Runner).settle,
	environment.StepInventory: (*Runner).inventory,
	environment.StepUninstall: (*Runner).uninstall,
	environment.StepUnexpose:  (*Runner).unexpose,
	environment.StepSkip:      (*Runner).skip,
	environment.StepRelease:   (*Runner).release,
	environment.StepSweep:     (*Runner).sweep,
	environment.StepGone:      (*Runner).gone,
}

func (r *Runner) environmentOnce(ctx context.Context, id string) (time.Duration, bool, error) {
	e, err := r.Store.Environment(ctx, id)
	if err != nil {
		return 0, true, err
	}
	p := &pass{e: e, now: r.clock()}
	if err := r.observe(ctx, p); err != nil {
		return 0, false, err
	}
	p.step = environment.Next(p.e, p.seen, p.now)
	return r.act(ctx, p)
}

// act does the step and records it.
func (r *Runner) act(ctx context.Context, p *pass) (time.Duration, bool, error) {
	switch p.step.Kind {
	case environment.StepRest:
		return 0, false, r.record(ctx, p, outcome{})
	case environment.StepWait:
		return r.lookAgain(p), false, r.record(ctx, p, outcome{})
	default: // there is something to do
	}
	// What is begun is told first: it may take a while.
	if !quick(p.step.Kind) && !told(p) {
		return 0, true, r.record(ctx, p, outcome{})
	}
	under, end := r.span(ctx, "step "+string(p.step.Kind), slog.String("phase", string(p.step.Phase)), slog.String("env_id", p.e.ID))
	out, err := verbs[p.step.Kind](r, under, p)
	end(err)
	switch {
	case err != nil:
		return r.stumbled(ctx, p, err)
	case out.noTurn:
		return r.pace.wait(p.now, soonest*2), false, nil
	}
	r.log.InfoContext(under, "step done", "env_id", p.e.ID, "step", string(p.step.Kind), "phase", string(p.step.Phase), "dur", r.now().Sub(p.now))
	err = r.record(ctx, p, out)
	if p.step.Kind == environment.StepSweep || p.step.Kind == environment.StepUnexpose {
		return pollAfter(p.now.Sub(p.e.PhaseSince)), false, err // asked; give it a moment before looking
	}
	return 0, true, err
}

// told reports whether the owner can read what the step does. Of the releases
// each is told; other steps of one phase are short.
func told(p *pass) bool {
	return p.step.Phase == p.e.Phase && (p.step.Kind != environment.StepConverge || p.step.Message == p.e.Message)
}

// phaseStart is since when the step's phase has lasted.
func phaseStart(p *pass) time.Time {
	if p.step.Phase != p.e.Phase {
		return p.now
	}
	return p.e.PhaseSince
}

// quick steps record themselves and need no announcement.
func quick(k environment.StepKind) bool {
	switch k {
	case environment.StepReady, environment.StepFail, environment.StepRollBack, environment.StepSettle,
		environment.StepSkip, environment.StepGone, environment.StepPlace, environment.StepResolve:
		return true
	default:
		return false
	}
}

// stumbled decides what an error of a step means: try again later, or give up.
// A conflict is one like any other here: a step asks the world, and what the
// world has in the way is still there a moment later.
func (r *Runner) stumbled(ctx context.Context, p *pass, err error) (time.Duration, bool, error) {
	if ctx.Err() != nil {
		return 0, false, ctx.Err()
	}
	tries := p.tries()
	r.log.WarnContext(ctx, "step failed", "env_id", p.e.ID, "step", string(p.step.Kind), "attempt", tries, "reason", err.Error())
	if p.e.Desired == environment.Present && !environment.Retryable(err) {
		var why *environment.Error
		errors.As(err, &why) // Retryable said no, so it is one of ours
		p.step = environment.GiveUp(p.e, environment.Step{Phase: p.step.Phase, Failure: why})
		return r.act(ctx, p)
	}
	failure := &environment.Failure{Code: environment.CodeOf(err), Message: environment.MessageOf(err), Detail: err.Error(),
		Phase: p.step.Phase, At: p.now, Tries: tries}
	if p.e.Desired == environment.Present && tries > maxTries(p.step) {
		p.step = environment.GiveUp(p.e, environment.Step{Phase: p.step.Phase,
			Failure: environment.Errorf(environment.CodeOf(err), "It did not work after %d tries: %s", tries, failure.Message)})
		return r.act(ctx, p)
	}
	out := outcome{edit: func(e *environment.Environment) { e.Failure = failure }}
	if tries == 1 {
		out.events = []environment.Event{r.event(p, environment.EventRetry, failure.Message, failure.Detail)}
	}
	return backOff(tries, err), false, r.record(ctx, p, out)
}

// tries counts this try of the step with those before it that failed.
func (p *pass) tries() int {
	if f := p.e.Failure; f != nil && f.Phase == p.step.Phase {
		return f.Tries + 1
	}
	return 1
}

// maxTries bounds tries of steps that end by themselves; phases bound the rest.
func maxTries(s environment.Step) int {
	if s.Kind == environment.StepConverge || s.Kind == environment.StepDrop {
		return 8
	}
	return 60
}

// record writes the row when there is something to write: the outcome, a new
// phase, or a new sentence for the owner.
func (r *Runner) record(ctx context.Context, p *pass, out outcome) error {
	next := p.e
	change := environment.Change{Cluster: out.cluster, Events: out.events, Wake: out.wake}
	if out.edit != nil {
		out.edit(&next)
	}
	news := r.enter(p, &next, &change)
	news = p.listen(&next) || news
	if out.edit == nil && out.cluster == nil && !news && next.Message == p.e.Message {
		return nil
	}
	change.Environment = &next
	err := r.Store.Commit(ctx, change)
	if err == nil && change.Duration != nil {
		r.took(p.e.Profile, p.e.Phase, change.Duration.Took)
	}
	return err
}

// listen writes down since when the Kubernetes API says nothing to one who waits
// for it, and reports whether that is news.
func (p *pass) listen(e *environment.Environment) bool {
	waits := e.Desired == environment.Present && e.State != environment.StateReady &&
		p.step.Kind == environment.StepWait && p.step.Phase != environment.PhaseCluster
	switch {
	case p.seen.Known:
		e.SilentSince = time.Time{}
	case waits && e.SilentSince.IsZero():
		e.SilentSince = p.now
	}
	return !e.SilentSince.Equal(p.e.SilentSince)
}

// enter moves the row into the step's phase: sample, event, sentence.
func (r *Runner) enter(p *pass, next *environment.Environment, change *environment.Change) bool {
	// A failed environment keeps saying why while what it held is released.
	if p.step.Message != "" && next.Message == p.e.Message && p.e.State != environment.StateFailed {
		next.Message = p.step.Message
	}
	if p.step.Phase == "" || p.step.Phase == p.e.Phase || next.Phase != p.e.Phase {
		return false
	}
	next.Phase, next.PhaseSince = p.step.Phase, p.now
	if next.State == environment.StatePending && p.step.Phase != environment.PhaseQueued {
		next.State = environment.StateCreating
	}
	if _, of := environment.StepOf(p.e.Phase); of > 0 && p.e.ReadyAt.IsZero() && p.e.Desired == environment.Present {
		change.Duration = &environment.Duration{Key: environment.DurationKey(p.e, p.e.Phase), Took: p.now.Sub(p.e.PhaseSince)}
	}
	r.announce(p, next, change)
	return true
}

// announce tells of the phase that the row enters, save of those that have an
// event of their own.
func (r *Runner) announce(p *pass, next *environment.Environment, change *environment.Change) {
	if p.step.Kind == environment.StepReady || p.step.Kind == environment.StepGone {
		return
	}
	n, of := environment.StepOf(p.step.Phase)
	change.Events = append(change.Events, environment.Event{At: p.now, Environment: p.e.ID, Cluster: next.ClusterID,
		Type: environment.EventPhase, State: next.State, Phase: p.step.Phase, Step: n, Steps: of, Message: next.Message, Actor: actor})
}

// actor is who events say did it, when nobody asked.
const actor = "daskbot"

func (r *Runner) event(p *pass, t environment.EventType, message, detail string) environment.Event {
	n, of := environment.StepOf(p.step.Phase)
	return environment.Event{At: p.now, Environment: p.e.ID, Cluster: p.e.ClusterID, Type: t, State: p.e.State,
		Phase: p.step.Phase, Step: n, Steps: of, Message: message, Detail: detail, Actor: actor}
}

func (r *Runner) unknown(what string, p *pass, err error) {
	r.log.Debug("not observed", "what", what, "env_id", p.e.ID, "reason", err.Error())
}
