package bot

import (
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// warn is what the reaper writes when an end is near.
func warn(w *world, end time.Time, lead time.Duration) (func(*environment.Environment), environment.Event) {
	return func(e *environment.Environment) {
			e.Ending = &environment.Ending{At: end, Cause: environment.EndIdle, Lead: lead, ToldAt: w.now}
		},
		environment.Event{Type: environment.EventWarned, Actor: reaper, State: environment.StateReady}
}

func revive(e *environment.Environment) { e.Ending = nil }

// readied is a world in which U1 was told that it is ready.
func readied(t *testing.T) (*world, string) {
	t.Helper()
	w := newWorld(t)
	id := w.upped()
	edit, ev := ready(w)
	w.become(id, edit, ev)
	w.settle(w.bot, id)
	return w, id
}

// wantWords looks for one part of each message in turn.
func (w *world) wantWords(want ...string) {
	w.t.Helper()
	got := w.slack.texts("D1")
	if len(got) != len(want) {
		w.t.Fatalf("got %d messages; want %d: %q", len(got), len(want), got)
	}
	for i, part := range want {
		if !strings.Contains(got[i], part) {
			w.t.Errorf("message %d: got %q; want %q in it", i, got[i], part)
		}
	}
}

// TestAboutToEnd: each warning is told once, and what was said stays true.
func TestAboutToEnd(t *testing.T) {
	w, id := readied(t)
	edit, ev := warn(w, w.now.Add(30*time.Minute), 30*time.Minute)
	w.become(id, edit, ev)
	for range 3 { // nothing more happened
		w.settle(w.newBot(), id)
	}
	w.wantWords("unless it is used", "unless it is used", "Nobody is using it.")

	w.now = w.now.Add(20 * time.Minute)
	edit, ev = warn(w, w.environments()[0].Ending.At, 10*time.Minute)
	w.become(id, edit, ev)
	w.settle(w.bot, id)
	w.wantWords("unless it is used", "unless it is used", "A newer message", "Nobody is using it.")

	w.say("U1", "extend 1h")
	w.settle(w.bot, id)
	w.wantWords("It ends", "is ready. It ends", "was extended", "was extended")

	w.say("U1", "down")
	w.settle(w.bot, id)
	w.wantWords("being deleted", "was ready", "being deleted", "being deleted")
}

// TestFlapping: used, idle, used, idle with about the same end is one warning.
func TestFlapping(t *testing.T) {
	w, id := readied(t)
	end := w.now.Add(30 * time.Minute)
	for i := range 3 {
		edit, ev := warn(w, end.Add(time.Duration(i)*40*time.Second), 30*time.Minute)
		w.become(id, edit, ev)
		w.settle(w.bot, id)
		w.wantWords("It ends", "It ends", "Nobody is using it.")
		w.become(id, revive, environment.Event{Type: environment.EventKept, Actor: reaper})
		w.settle(w.newBot(), id)
		w.wantWords("It ends", "It ends", "goes on")
	}
}

// TestKilledWhileWarning kills the process after every write, and lets another
// one go on.
func TestKilledWhileWarning(t *testing.T) {
	for after := range 7 {
		w, id := readied(t)
		edit, ev := warn(w, w.now.Add(30*time.Minute), 30*time.Minute)
		w.become(id, edit, ev)
		w.tellAndDie(id, after)
		w.settle(w.newBot(), id)
		w.wantWords("unless it is used", "unless it is used", "Nobody is using it.")
	}
}

// TestBudget: each part that is spent is told once, also when the environment
// that it was noticed with is gone.
func TestBudget(t *testing.T) {
	w, id := readied(t)
	w.become(id, func(*environment.Environment) {}, environment.Event{Type: environment.EventBudget, Message: "50 % of your budget is spent."})
	w.settle(w.bot, id)
	w.settle(w.newBot(), id)
	w.wantWords("is ready", "is ready", "50 % of your budget")
	w.say("U1", "down")
	w.become(id, func(e *environment.Environment) {
		e.State, e.Phase, e.DeletedAt = environment.StateDeleted, environment.PhaseGone, w.now
	}, environment.Event{Type: environment.EventBudget, Message: "80 % of your budget is spent."})
	w.settle(w.bot, id)
	w.wantWords("is deleted", "was ready", "50 % of your budget", "has ended", "80 % of your budget")
}

// TestTheEndSaysWhy: what ended by itself says so, and its login is gone from
// the messages.
func TestTheEndSaysWhy(t *testing.T) {
	w, id := readied(t)
	w.become(id, func(e *environment.Environment) {
		e.EndedBecause = environment.EndUnused
		environment.MarkDown(e, w.now, "It is being deleted.")
	}, environment.Event{Type: environment.EventStopping, Actor: reaper})
	w.become(id, func(e *environment.Environment) {
		e.State, e.Phase, e.DeletedAt = environment.StateDeleted, environment.PhaseGone, w.now
	}, environment.Event{Type: environment.EventDeleted})
	w.settle(w.bot, id)
	w.wantWords("Nobody ever used it.", "was ready. It is deleted.", "Nobody ever used it. It cost")
	w.slack.mu.Lock()
	defer w.slack.mu.Unlock()
	for _, m := range w.slack.messages {
		if strings.Contains(m.Blocks, "Password") {
			t.Errorf("the login is still there: %s", m.Blocks)
		}
	}
}

// TestOnlyWhatIsAllowed: no button offers what would be refused.
func TestOnlyWhatIsAllowed(t *testing.T) {
	for _, tt := range []struct {
		longest time.Duration
		want    int
	}{{0, 0}, {30 * time.Minute, 1}, {time.Hour, 2}, {3 * time.Hour, 3}} {
		if got := len(extendButtons(running(), tt.longest)); got != tt.want {
			t.Errorf("%s: got %d buttons; want %d", tt.longest, got, tt.want)
		}
	}
}
