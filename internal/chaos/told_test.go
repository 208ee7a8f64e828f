package chaos

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// tell is a look of the outbox at what happened, by the leader. The cursor
// moves when everybody has the last word.
func (w *world) tell() {
	if slices.ContainsFunc(w.tasks, func(t *task) bool { return t.name == telling }) {
		return
	}
	r := w.replicas[w.leader]
	w.begin(r, telling, func(ctx context.Context) (time.Duration, error) {
		events, err := w.store.EventsSince(ctx, w.read, 0)
		if err != nil || len(events) == 0 {
			return 0, err
		}
		var ids []string
		for _, ev := range events {
			if ev.Environment != "" && !slices.Contains(ids, ev.Environment) {
				ids = append(ids, ev.Environment)
			}
		}
		for _, id := range ids {
			if _, err := r.outbox.Tell(ctx, id); err != nil {
				return 0, err
			}
		}
		w.read = events[len(events)-1].Seq
		return 0, nil
	})
}

// telling is the name of the task.
const telling = "tell"

// elect has another replica lead instead of one that died or was taken for
// dead. The one before notices sooner, and stops first: what it was telling
// does not go on.
func (w *world) elect(dead *replica) {
	if w.replicas[w.leader] != dead {
		return
	}
	w.leader = (w.leader + 1) % len(w.replicas)
	for _, t := range slices.Clone(w.tasks) {
		if t.name == telling {
			w.drop(t)
		}
	}
}

// owners is a Notifier as Slack's: what is being posted is kept first, and
// looked for after a crash.
type owners struct{ w *world }

func (owners) Name() string { return "owners" }

func (owners) Report(context.Context, environment.CourseOrder, string, func(context.Context, string) error) error {
	return nil
}

// remembered is what was told of one environment.
type remembered struct {
	Told  []string
	Doing string
}

func (o owners) Tell(ctx context.Context, e environment.Environment, memory string, keep func(context.Context, string) error) (time.Duration, error) {
	var m remembered
	if memory != "" {
		if err := json.Unmarshal([]byte(memory), &m); err != nil {
			return 0, err
		}
	}
	save := func() error {
		text, err := json.Marshal(m)
		if err != nil {
			return err
		}
		return keep(ctx, string(text))
	}
	kind := due(e, m.Told)
	if kind == "" {
		return 0, nil
	}
	if m.Doing != kind || o.w.posted[e.ID][kind] == 0 {
		m.Doing = kind
		if err := save(); err != nil {
			return 0, err
		}
		if err := o.w.post(e.ID, kind); err != nil {
			return 0, err
		}
	}
	m.Told, m.Doing = append(m.Told, kind), ""
	return 0, save()
}

// due is what an environment's owner has to be told now; "" for nothing.
func due(e environment.Environment, told []string) string {
	kind := ""
	switch {
	case e.State == environment.StateReady:
		kind = "ready"
	case e.State == environment.StateFailed:
		kind = "failed"
	case e.State == environment.StateDeleted && !slices.Contains(told, "failed"):
		kind = "ended"
	}
	if slices.Contains(told, kind) {
		return ""
	}
	return kind
}

func (w *world) post(id, kind string) error {
	return w.point("post", func() error {
		if w.posted[id] == nil {
			w.posted[id] = map[string]int{}
		}
		w.posted[id][kind]++
		w.struck["told"]++
		return nil
	})
}

// wantTold: everybody has the last word, and each of them once.
func (w *world) wantTold() {
	for _, e := range w.rows() {
		got := w.posted[e.ID]
		for kind, n := range got {
			if n > 1 {
				w.Fatalf("the owner of %s was told %d times: %s", e.ID, n, kind)
			}
		}
		var told []string
		if got["failed"] > 0 && e.State == environment.StateDeleted {
			told = []string{"failed"}
		}
		if kind := due(e, told); kind != "" && got[kind] == 0 {
			w.Fatalf("the owner of %s, which is %s, was never told %q, only %v", e.ID, e.State, kind, got)
		}
	}
}
