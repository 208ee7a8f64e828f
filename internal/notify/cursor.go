package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// cursor is how far the outbox was told. It is compared by its version: who
// was told to stop and did not hear it cannot move it.
type cursor struct {
	Seq int64 `json:"seq"`

	version int64
}

func (o *Outbox) key() string { return "notify/" + o.Notifier.Name() }

// load reads the cursor.
func (o *Outbox) load(ctx context.Context) error {
	note, err := o.Store.Note(ctx, o.key())
	if err != nil && environment.CodeOf(err) != environment.CodeNotFound {
		return err
	}
	o.cursor = cursor{}
	if note.Value != "" {
		if err := json.Unmarshal([]byte(note.Value), &o.cursor); err != nil {
			return fmt.Errorf("read the cursor: %w", err)
		}
	}
	o.cursor.version = note.Version
	return nil
}

// save stores how far everything was told.
func (o *Outbox) save(ctx context.Context) error {
	c := cursor{Seq: o.read, version: o.cursor.version}
	for _, it := range o.pending {
		c.Seq = min(c.Seq, it.first-1)
	}
	if c.Seq == o.cursor.Seq {
		return nil
	}
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	note := environment.Note{Key: o.key(), Value: string(text), Version: c.version}
	if err := o.Store.Commit(ctx, environment.Change{Note: &note}); err != nil {
		return err
	}
	c.version++
	o.cursor = c
	return nil
}

// leave waits for what is under way, which was cancelled, and stores how far
// it came, so that the next leader need not look at it again.
func (o *Outbox) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for o.running > 0 {
		o.settle(<-o.results)
	}
	return o.save(ctx)
}
