package bot

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func ready(w *world) (func(*environment.Environment), environment.Event) {
	return func(e *environment.Environment) {
		e.State, e.Phase, e.URL, e.ReadyAt, e.ExpiresAt = environment.StateReady, environment.PhaseReady, "http://192.0.2.1/", w.now, w.now.Add(e.Spec.TTL)
	}, environment.Event{Type: environment.EventReady, State: environment.StateReady}
}

// settle tells until all is told, moving time as the outbox would wait.
func (w *world) settle(b *Bot, id string) {
	w.t.Helper()
	for range 30 {
		again, err := w.tell(b, id)
		var e *environment.Error
		switch {
		case errors.As(err, &e) && e.Code == environment.CodeUnavailable:
			again = max(e.RetryAfter, time.Second)
		case err != nil:
			w.t.Fatal(err)
		case again == 0:
			return
		}
		w.now = w.now.Add(again)
	}
	w.t.Fatal("it is never all told")
}

func (w *world) upped() string {
	w.t.Helper()
	w.say("U1", "up")
	return w.environments()[0].ID
}

// kinds says what the texts of a life are about.
func kinds(texts []string) []string {
	var out []string
	for _, text := range texts {
		for _, kind := range []string{"waiting", "being made", "is ready", "has ended", "could not be made", "is deleted", "runs as before", "being deleted", "being changed"} {
			if strings.Contains(text, kind) {
				out = append(out, kind)
				break
			}
		}
	}
	return out
}

func (w *world) wantTold(want ...string) {
	w.t.Helper()
	if diff := cmp.Diff(want, kinds(w.slack.texts("D1"))); diff != "" {
		w.t.Errorf("the direct message (-want +got):\n%s%q", diff, w.slack.texts("D1"))
	}
}

func TestALife(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	w.settle(w.bot, id)
	w.wantTold("waiting")
	w.become(id, func(e *environment.Environment) {
		e.State, e.Phase = environment.StateCreating, environment.PhaseCluster
	})
	w.settle(w.bot, id)
	w.wantTold("being made")
	edit, ev := ready(w)
	w.become(id, edit, ev)
	for range 3 {
		w.settle(w.bot, id)
	}
	w.wantTold("is ready", "is ready")
	if text := w.slack.texts("D1")[1]; strings.Contains(text, w.environments()[0].Secrets[environment.SecretPassword].Reveal()) {
		t.Errorf("the notification text holds the password: %q", text)
	}
	w.become(id, func(e *environment.Environment) { e.State = environment.StateUpdating })
	w.settle(w.bot, id)
	w.become(id, edit, environment.Event{Type: environment.EventRolledBack, Message: "The change was taken back."}, ev)
	w.settle(w.bot, id)
	w.wantTold("is ready", "is ready", "runs as before")
	w.say("U1", "down")
	w.settle(w.bot, id)
	w.become(id, func(e *environment.Environment) {
		e.State, e.Phase, e.DeletedAt = environment.StateDeleted, environment.PhaseGone, w.now
	})
	w.settle(w.bot, id)
	w.settle(w.bot, id)
	w.wantTold("is deleted", "is deleted", "is deleted", "has ended")
	if undone := w.slack.messages[2]; strings.Contains(undone.Blocks, actionStop) {
		t.Errorf("the change that was taken back still has buttons: %s", undone.Blocks)
	}
}

// TestSlackInTrouble: 429 for a minute, then 500, then no answer, while the
// environment goes through its life: the last word is said once.
func TestSlackInTrouble(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	started := w.now
	w.slack.strike(func(_ string, rw http.ResponseWriter) bool {
		switch at := w.now.Sub(started); {
		case at < time.Minute:
			rw.Header().Set("Retry-After", "20")
			rw.WriteHeader(http.StatusTooManyRequests)
		case at < 70*time.Second:
			rw.WriteHeader(http.StatusInternalServerError)
		case at < 80*time.Second:
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			return false
		}
		return true
	})
	edit, ev := ready(w)
	w.become(id, edit, ev)
	w.settle(w.bot, id)
	w.wantTold("is ready", "is ready")
	if posts := w.slack.calls["chat.postMessage"]; posts > 30 {
		t.Errorf("got %d posts while Slack asked to be left alone", posts)
	}
}

// TestAClassThatStartsLeavesRoom: that somebody's environment is being made
// waits for the last few messages that Slack takes; that it is ready does not.
func TestAClassThatStartsLeavesRoom(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	api, err := w.bot.client(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; api.limits.takeAbove("chat.postMessage", fmt.Sprint("D", 100+n), finalReserve) == nil; n++ {
	}
	if _, err := w.tell(w.bot, id); environment.CodeOf(err) != environment.CodeUnavailable || len(w.slack.texts("D1")) != 0 {
		t.Errorf("got %v and %q; want it put off", err, w.slack.texts("D1"))
	}
	edit, ev := ready(w)
	w.become(id, edit, ev)
	if _, err := w.tell(w.bot, id); err != nil {
		t.Error(err)
	}
	w.wantTold("is ready", "is ready")
}

// TestKilledBetweenChangeAndTold kills the process after every write and every
// call, and lets another one go on.
func TestKilledBetweenChangeAndTold(t *testing.T) {
	for after := range 8 {
		w := newWorld(t)
		id := w.upped()
		edit, ev := ready(w)
		w.become(id, edit, ev)
		w.tellAndDie(id, after)
		w.settle(w.newBot(), id)
		w.wantTold("is ready", "is ready")
	}
}

// tellAndDie lets a telling keep n times, and then no more.
func (w *world) tellAndDie(id string, n int) {
	w.t.Helper()
	ctx := w.t.Context()
	e, err := w.store.Environment(ctx, id)
	if err != nil {
		w.t.Fatal(err)
	}
	note := environment.Note{Key: "told/" + id}
	_, _ = w.bot.Tell(ctx, e, "", func(ctx context.Context, memory string) error {
		if n--; n < 0 {
			return environment.Errorf(environment.CodeUnavailable, "killed")
		}
		note.Value = memory
		err := w.store.Commit(ctx, environment.Change{Note: &note})
		note.Version++
		return err
	})
}

// TestReplyLost: the message arrived, and the reply did not.
func TestReplyLost(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	w.slack.lose = true
	if _, err := w.tell(w.bot, id); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Fatalf("got %v; want unavailable", err)
	}
	w.settle(w.newBot(), id)
	w.wantTold("waiting")
}

// TestOvertaken: the ready message arrived, its reply did not, and then the
// environment was deleted: the login must not stay where it was.
func TestOvertaken(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	w.settle(w.bot, id)
	edit, ev := ready(w)
	w.become(id, edit, ev)
	w.now = w.now.Add(time.Minute)
	w.slack.lose = true
	if _, err := w.tell(w.bot, id); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Fatalf("got %v; want unavailable", err)
	}
	w.say("U1", "down")
	w.become(id, func(e *environment.Environment) {
		e.State, e.Phase, e.DeletedAt = environment.StateDeleted, environment.PhaseGone, w.now
	})
	w.settle(w.newBot(), id)
	w.wantWords("is deleted.", "was ready. It is deleted.", "has ended.")
}

// loses what is told next: it arrives, and the reply does not.
func (w *world) loses(id string) {
	w.t.Helper()
	w.now = w.now.Add(time.Minute)
	w.slack.lose = true
	if _, err := w.tell(w.bot, id); environment.CodeOf(err) != environment.CodeUnavailable {
		w.t.Fatalf("got %v; want unavailable", err)
	}
	w.now = w.now.Add(time.Minute)
}

// TestReplyLostAndMoreToTell: what perhaps arrived is looked for before
// anything else is posted, whatever became due meanwhile and comes before it.
func TestReplyLostAndMoreToTell(t *testing.T) {
	asIs := func(*environment.Environment) {}
	t.Run("a budget, then ready", func(t *testing.T) {
		w := newWorld(t)
		id := w.upped()
		w.settle(w.bot, id)
		w.become(id, asIs, environment.Event{Type: environment.EventBudget, Message: "80 % of your budget is spent."})
		w.loses(id)
		edit, ev := ready(w)
		w.become(id, edit, ev)
		w.settle(w.newBot(), id)
		w.wantWords("is ready", "80 % of your budget", "is ready")
	})
	t.Run("a change that was taken back, then a warning", func(t *testing.T) {
		w, id := readied(t)
		w.become(id, asIs, environment.Event{Type: environment.EventRolledBack, Message: "The change was taken back."})
		w.loses(id)
		edit, ev := warn(w, w.now.Add(30*time.Minute), 30*time.Minute)
		w.become(id, edit, ev)
		w.settle(w.newBot(), id)
		w.wantWords("is ready", "is ready", "runs as before", "Nobody is using it.")
	})
	t.Run("a budget, then more of it", func(t *testing.T) {
		w, id := readied(t)
		w.become(id, asIs, environment.Event{Type: environment.EventBudget, Message: "80 % of your budget is spent."})
		w.loses(id)
		w.become(id, asIs, environment.Event{Type: environment.EventBudget, Message: "100 % of your budget is spent."})
		w.settle(w.newBot(), id)
		w.wantWords("is ready", "is ready", "80 % of your budget", "100 % of your budget")
	})
	t.Run("a warning, then another end", func(t *testing.T) {
		w, id := readied(t)
		edit, ev := warn(w, w.now.Add(30*time.Minute), 30*time.Minute)
		w.become(id, edit, ev)
		w.loses(id)
		w.become(id, revive, environment.Event{Type: environment.EventKept, Actor: reaper})
		edit, ev = warn(w, w.now.Add(3*time.Hour), 30*time.Minute)
		w.become(id, edit, ev)
		w.settle(w.newBot(), id)
		w.wantWords("is ready", "is ready", "A newer message", "Nobody is using it.")
	})
	t.Run("a warning, then nearly the same end", func(t *testing.T) {
		w, id := readied(t)
		end := w.now.Add(30 * time.Minute)
		edit, ev := warn(w, end, 30*time.Minute)
		w.become(id, edit, ev)
		w.loses(id)
		edit, ev = warn(w, end.Add(time.Minute), 30*time.Minute)
		w.become(id, edit, ev)
		w.settle(w.newBot(), id)
		w.wantWords("is ready", "is ready", "Nobody is using it.")
	})
}

// TestWhatIsFoundMayBeOld: a message whose reply was lost says what was true
// then, and is made to say what is true now.
func TestWhatIsFoundMayBeOld(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	w.settle(w.bot, id)
	edit, ev := ready(w)
	w.become(id, edit, ev)
	w.loses(id)
	before := moment(w.environments()[0].ExpiresAt)
	w.say("U1", "extend 1h")
	w.settle(w.newBot(), id)
	after := moment(w.environments()[0].ExpiresAt)
	w.wantWords(after, after)
	for _, m := range w.slack.messages {
		if strings.Contains(m.Text+m.Blocks, before) {
			t.Errorf("it still says the old end, %s: %q", before, m.Text)
		}
	}
}

// TestAFailedOneThatIsTakenAway: whoever asks for it is promised to hear when
// nothing is left, and does; what is cleared away by itself is not mentioned.
func TestAFailedOneThatIsTakenAway(t *testing.T) {
	gone := func(w *world) func(*environment.Environment) {
		return func(e *environment.Environment) {
			e.State, e.Phase, e.DeletedAt = environment.StateDeleted, environment.PhaseGone, w.now
		}
	}
	for who, want := range map[string][]string{
		"":         {"is deleted", "could not be made"},
		"U1":       {"is deleted", "could not be made", "has ended. You asked for that."},
		"UTEACHER": {"is deleted", "could not be made", "has ended. uteacher@uni.edu asked for that."},
	} {
		w := newWorld(t)
		w.say("U1", "up dask in ml")
		id := w.environments()[0].ID
		w.become(id, func(e *environment.Environment) {
			e.State, e.Desired, e.Phase, e.Failure = environment.StateFailed, environment.Absent, environment.PhaseStopping, &environment.Failure{Message: "There are no CPUs left.", At: w.now}
		})
		w.settle(w.bot, id)
		if who != "" {
			if got := w.say(who, "down "+id); !strings.Contains(got, "I tell you when") && !strings.Contains(got, "They are told") {
				t.Errorf("%s: got %q; want a promise", who, got)
			}
			w.settle(w.bot, id)
		}
		w.now = w.now.Add(time.Minute)
		w.become(id, gone(w), environment.Event{Type: environment.EventDeleted})
		w.settle(w.bot, id)
		w.settle(w.newBot(), id)
		w.wantWords(want...)
	}
}

// refuseBlocks lets Slack refuse the next n posts for their blocks.
func (w *world) refuseBlocks(method, why string, n int) {
	w.slack.strike(func(called string, rw http.ResponseWriter) bool {
		if called != method || n == 0 {
			return false
		}
		n--
		_, _ = rw.Write([]byte(`{"ok":false,"error":"` + why + `"}`))
		return true
	})
}

func TestPlansThatSlackCannotShow(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	w.refuseBlocks("chat.postMessage", "invalid_blocks", 1)
	w.settle(w.bot, id)
	w.wantTold("waiting")
	if got := w.last(); strings.Contains(got.Blocks, `"plan"`) || !strings.Contains(got.Blocks, "Waiting for its turn* …") {
		t.Errorf("got %s; want the plan in words", got.Blocks)
	}
	// An edit does not try the plan again.
	w.become(id, func(e *environment.Environment) {
		e.State, e.Phase = environment.StateCreating, environment.PhaseCluster
	})
	w.settle(w.bot, id)
	if got := w.last(); got.Edits != 1 || strings.Contains(got.Blocks, `"plan"`) || !strings.Contains(got.Blocks, "Making the Kubernetes cluster* …") {
		t.Errorf("after %d edits: %s; want the plan in words", got.Edits, got.Blocks)
	}
}

// TestBlocksThatSlackRefuses: a block that Slack does not take costs its
// buttons, not the message.
func TestBlocksThatSlackRefuses(t *testing.T) {
	w := newWorld(t)
	id := w.upped()
	w.refuseBlocks("chat.postMessage", "msg_blocks_too_long", 2)
	w.settle(w.bot, id)
	w.wantTold("waiting")
	if got := w.last(); got.Blocks != "[]" {
		t.Errorf("got the blocks %s; want text alone", got.Blocks)
	}
	edit, ev := ready(w)
	w.become(id, edit, ev)
	w.now = w.now.Add(time.Minute)
	w.refuseBlocks("chat.postMessage", "invalid_blocks", 1)
	w.settle(w.bot, id)
	got := w.last()
	if got.Edits == 0 && got.Blocks != "[]" || !strings.Contains(got.Text, "is ready") || !strings.Contains(got.Text, "http://192.0.2.1/") {
		t.Errorf("got %q with %s; want text with the address", got.Text, got.Blocks)
	}
	if strings.Contains(got.Text, w.environments()[0].Secrets[environment.SecretPassword].Reveal()) {
		t.Errorf("the text holds the password: %q", got.Text)
	}
	w.become(id, func(e *environment.Environment) {
		e.State, e.Failure = environment.StateFailed, &environment.Failure{Code: environment.CodeQuota, Message: "There are no CPUs left.", At: w.now}
	})
	w.now = w.now.Add(time.Minute)
	w.refuseBlocks("chat.postMessage", "invalid_blocks", 1)
	w.settle(w.bot, id)
	if got := w.last(); got.Blocks != "[]" || !strings.Contains(got.Text, "There are no CPUs left.") {
		t.Errorf("got %q with %s; want why, as text", got.Text, got.Blocks)
	}
}

func TestNobodyToTell(t *testing.T) {
	w := newWorld(t)
	who := environment.Caller{Subject: "cli-only", Role: environment.RoleStudent}
	e, _, err := w.service.Up(t.Context(), who, environment.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := w.tell(w.bot, e.ID); again != 0 || err != nil {
		t.Errorf("got %s, %v; want nothing to do", again, err)
	}
	if calls := w.slack.calls["chat.postMessage"]; calls != 0 {
		t.Errorf("got %d messages; want none", calls)
	}
}
