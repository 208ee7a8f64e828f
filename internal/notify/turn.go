package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// cursor is how far the outbox was told, and whose turn it is to tell. One
// note holds both, so that who lost the turn cannot move the position.
type cursor struct {
	Seq    int64     `json:"seq"`
	Holder string    `json:"holder,omitempty"`
	Until  time.Time `json:"until,omitzero"`

	version int64
}

// turnLasts is how long a turn is held without being renewed; longer than one
// telling may take, so that two replicas never tell at once.
const turnLasts = 40 * time.Second

func (o *Outbox) key() string { return "notify/" + o.Notifier.Name() }

// takeTurn waits until no other replica holds the turn, then takes it. It
// returns the present.
func (o *Outbox) takeTurn(ctx context.Context) (time.Time, error) {
	for {
		note, err := o.Store.Note(ctx, o.key())
		if err != nil && environment.CodeOf(err) != environment.CodeNotFound {
			return time.Time{}, err
		}
		c := cursor{}
		if note.Value != "" {
			if err := json.Unmarshal([]byte(note.Value), &c); err != nil {
				return time.Time{}, fmt.Errorf("read the cursor: %w", err)
			}
		}
		c.version = note.Version
		now := time.Now()
		if c.Holder == o.Holder || !now.Before(c.Until) {
			o.cursor = c
			return now, o.store(ctx, c.Seq, now)
		}
		pause(ctx, lookEvery)
		if ctx.Err() != nil {
			return time.Time{}, ctx.Err()
		}
	}
}

// saveTurn stores how far everything was told, and renews the turn when a
// third of it is over.
func (o *Outbox) saveTurn(ctx context.Context, now time.Time) error {
	seq := o.read
	for _, it := range o.pending {
		seq = min(seq, it.first-1)
	}
	renew := o.Holder != "" && o.cursor.Until.Sub(now) < turnLasts*2/3
	if seq == o.saved && !renew {
		return nil
	}
	return o.store(ctx, seq, now)
}

func (o *Outbox) store(ctx context.Context, seq int64, now time.Time) error {
	c := cursor{Seq: seq, Holder: o.Holder, version: o.cursor.version}
	if o.Holder != "" {
		c.Until = now.Add(turnLasts).UTC()
	}
	return o.commit(ctx, c)
}

func (o *Outbox) commit(ctx context.Context, c cursor) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	note := environment.Note{Key: o.key(), Value: string(text), Version: c.version}
	if err := o.Store.Commit(ctx, environment.Change{Note: &note}); err != nil {
		return err
	}
	c.version++
	o.cursor, o.saved = c, c.Seq
	return nil
}

// leave gives the turn back, so that another replica need not wait.
func (o *Outbox) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for o.running > 0 { // what is under way ends first: it was cancelled
		o.settle(<-o.results)
	}
	if err := o.saveTurn(ctx, time.Now()); err != nil {
		return err
	}
	c := o.cursor
	c.Holder, c.Until = "", time.Time{}
	return o.commit(ctx, c)
}
