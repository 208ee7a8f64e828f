package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
)

// goal says when waiting is over, and how.
type goal struct {
	// reached is the state that was hoped for.
	reached environment.State
	// over are the states in which it will not come any more.
	over []environment.State
	// ignores are the states of events that belong to an earlier story.
	ignores []environment.State
	// goesOn says what happens while nobody waits.
	goesOn string
}

var (
	upGoal = goal{reached: environment.StateReady, goesOn: "goes on being made",
		over: []environment.State{environment.StateFailed, environment.StateDeleting, environment.StateDeleted}}
	downGoal = goal{reached: environment.StateDeleted, goesOn: "goes on being deleted",
		ignores: []environment.State{environment.StatePending, environment.StateCreating, environment.StateReady, environment.StateUpdating, environment.StateFailed}}
)

var errEnough = errors.New("nothing more to wait for")

// await shows how far an environment is until the goal is reached or out of
// reach. It gives back the environment as it then is.
func (w World) await(ctx context.Context, r *rest, e api.Environment, timeout time.Duration, g goal) (api.Environment, []byte, error) {
	parent := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	last := answer[api.Environment]{Value: e}
	p := w.progress(e)
	defer p.end()
	err := p.run(ctx, func(ctx context.Context, show func(api.Event, api.Environment), notice func(string)) error {
		return w.follow(ctx, r, e.ID, 0, func(ev api.Event) error {
			if slices.Contains(g.ignores, environment.State(ev.State)) {
				return nil
			}
			// The event says that something happened; the environment what is true now.
			now, err := ask[api.Environment](ctx, r, http.MethodGet, environmentPath(e.ID), nil)
			if err != nil {
				return err
			}
			last = now
			show(ev, now.Value)
			if !g.met(now.Value) {
				return nil
			}
			if ev.State != now.Value.State { // it went on since: the last word is still to come
				show(lastWord(now.Value, w.Now()), now.Value)
			}
			return errEnough
		}, notice)
	})
	p.end()
	switch {
	case errors.Is(err, errEnough) || err == nil:
		return w.verdict(last, g)
	case parent.Err() != nil:
		return last.Value, nil, fmt.Errorf("stopped waiting; %s %s. See it with `daskbot status %s`, end it with `daskbot down %s`", e.ID, g.goesOn, e.ID, e.ID)
	case ctx.Err() != nil:
		return last.Value, nil, fmt.Errorf("after %s it is still %s; %s %s. See it with `daskbot status %s`", environment.FormatDuration(timeout), last.Value.State, e.ID, g.goesOn, e.ID)
	default:
		return last.Value, nil, err
	}
}

// lastWord is the event of a state at which waiting ends: its type is named
// like the state.
func lastWord(e api.Environment, at time.Time) api.Event {
	return api.Event{At: at, Type: e.State, State: e.State, Phase: e.Phase, Message: e.Message}
}

// met says whether waiting is over: the goal is reached, or out of reach.
func (g goal) met(e api.Environment) bool {
	state := environment.State(e.State)
	return state == g.reached || slices.Contains(g.over, state)
}

func (w World) verdict(last answer[api.Environment], g goal) (api.Environment, []byte, error) {
	e := last.Value
	if environment.State(e.State) == g.reached {
		return e, last.Raw, nil
	}
	why := e.Message
	if e.Failure != nil {
		why = e.Failure.Message
	}
	return e, last.Raw, fmt.Errorf("%s is %s: %s", e.ID, e.State, why)
}
