package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

var _ environment.Inbox = (*Store)(nil)

const (
	// giveUpKey lets contents that came before count as news: after the time
	// they are taken for copies, or once something else came about the same.
	giveUpKey = `UPDATE deliveries SET weak = 0, key = key || '/' || id
		WHERE source = $1 AND weak = 1 AND (key = $2 AND last_at < $4 OR about = $3 AND about <> '' AND key <> $2)`
	insertDelivery = `INSERT INTO deliveries
		(id, source, key, weak, about, type, content_type, body, state, reason, tries, copies, happened_at, received_at, last_at, settled_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', '', 0, 0, $9, $10, $10, 0)
		ON CONFLICT (source, key) DO NOTHING`
	countCopy      = `UPDATE deliveries SET copies = copies + 1, last_at = $3 WHERE source = $1 AND key = $2`
	settleDelivery = `UPDATE deliveries SET state = $2, reason = $3, tries = $4, settled_at = $5 WHERE id = $1`
	againDelivery  = `UPDATE deliveries SET state = 'waiting', reason = '', tries = 0, settled_at = 0
		WHERE id = $1 AND state = 'parked'`
	forgetDeliveries = `DELETE FROM deliveries WHERE state <> 'waiting' AND last_at < $1 AND settled_at < $1`

	deliveryColumns = `id, source, key, about, type, content_type, state, reason, tries, copies, happened_at, received_at, last_at, settled_at`
	overtaken       = `SELECT COUNT(*) FROM deliveries
		WHERE source = $1 AND about = $2 AND about <> '' AND happened_at > $3 AND state = 'done'`
)

// Receive keeps a delivery and wakes the job of its source, in one
// transaction; a copy is only counted. Deliveries that come at the same time
// share a transaction, whose time is bounded by itself and not by ctx.
func (s *Store) Receive(ctx context.Context, d environment.Delivery) (fresh bool, err error) {
	a := &arrival{delivery: d, done: make(chan struct{}), lead: make(chan struct{})}
	if !s.arrivals.join(a) {
		select {
		case <-a.done:
			return a.fresh && a.err == nil, translate(a.err)
		case <-a.lead:
		}
	}
	all := s.arrivals.take(together) // a is the first of them
	s.receiveAll(ctx, all)
	s.arrivals.pass()
	return a.fresh && a.err == nil, translate(a.err)
}

// arrival is a delivery that waits for a transaction.
type arrival struct {
	delivery environment.Delivery
	fresh    bool
	err      error
	done     chan struct{} // closed once it was written, or not
	lead     chan struct{} // closed when it is its turn to have those that wait written
}

// arrivals gathers them. While one has some written, the others wait.
type arrivals struct {
	mu      sync.Mutex
	waiting []*arrival
	led     bool
}

// join adds one and reports whether it leads.
func (q *arrivals) join(a *arrival) (leads bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, a)
	leads, q.led = !q.led, true
	return leads
}

// take hands over at most so many, in the order in which they came.
func (q *arrivals) take(most int) []*arrival {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), most)
	taken := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	return taken
}

// pass gives the lead to the first that waits.
func (q *arrivals) pass() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.led = len(q.waiting) > 0; q.led {
		close(q.waiting[0].lead)
	}
}

const (
	// together is how many deliveries share a transaction at most.
	together = 100
	// togetherLimit bounds that transaction, which outlasts the request that
	// happens to lead. Being near, it goes before work that can wait.
	togetherLimit = 3 * time.Second
)

// receiveAll writes them together or, when one of them may be to blame that
// this does not work, each by itself.
func (s *Store) receiveAll(ctx context.Context, all []*arrival) {
	err := s.receiveTogether(ctx, all)
	for _, a := range all {
		if a.err = err; err != nil && len(all) > 1 && !errors.Is(err, context.DeadlineExceeded) {
			a.err = s.receiveTogether(ctx, []*arrival{a})
		}
		close(a.done)
	}
}

func (s *Store) receiveTogether(ctx context.Context, all []*arrival) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), togetherLimit)
	defer cancel()
	var sources map[string]bool
	err := s.transaction(ctx, func(tx *sql.Tx) (err error) {
		sources = map[string]bool{}
		for _, a := range all {
			if a.fresh, err = receive(ctx, tx, a.delivery); err != nil {
				return fmt.Errorf("keep delivery: %w", err)
			}
			if a.fresh {
				sources[a.delivery.Source] = true
			}
		}
		for _, source := range slices.Sorted(maps.Keys(sources)) {
			job := environment.Job{Kind: environment.JobDelivery, ID: source, Urgency: environment.UrgencyPerson}
			if err := s.wake(ctx, tx, job); err != nil {
				return fmt.Errorf("wake the source %s: %w", source, err)
			}
		}
		return nil
	})
	if err == nil && len(sources) > 0 {
		s.bell.ring()
	}
	return err
}

func receive(ctx context.Context, tx *sql.Tx, d environment.Delivery) (fresh bool, err error) {
	if d.Within > 0 {
		until := micros(d.ReceivedAt.Add(-d.Within))
		if _, err := tx.ExecContext(ctx, giveUpKey, d.Source, d.Key, d.About, until); err != nil {
			return false, err
		}
	}
	// The body is kept in base64: text columns differ in which bytes they take.
	result, err := tx.ExecContext(ctx, insertDelivery, d.ID, d.Source, d.Key, flag(d.Within > 0), d.About, d.Type, d.ContentType,
		base64.StdEncoding.EncodeToString(d.Body), micros(d.HappenedAt), micros(d.ReceivedAt))
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err == nil, err
	}
	_, err = tx.ExecContext(ctx, countCopy, d.Source, d.Key, micros(d.ReceivedAt))
	return false, err
}

// Waiting lists what of a source is still to be carried out, in the order of
// receipt; a limit of 0 lists all.
func (s *Store) Waiting(ctx context.Context, source string, limit int) ([]environment.Delivery, error) {
	const text = `SELECT ` + deliveryColumns + `, body FROM deliveries
		WHERE source = $1 AND state = 'waiting' ORDER BY received_at, id LIMIT $2`
	return s.deliveries(ctx, text, source, atMost(limit))
}

// Overtaken reports whether one about the same that happened later was
// carried out already.
func (s *Store) Overtaken(ctx context.Context, d environment.Delivery) (bool, error) {
	if d.About == "" || d.HappenedAt.IsZero() {
		return false, nil
	}
	var n int
	err := s.reads.QueryRowContext(ctx, overtaken, d.Source, d.About, micros(d.HappenedAt)).Scan(&n)
	return n > 0, translate(err)
}

// Settle writes what became of a delivery.
func (s *Store) Settle(ctx context.Context, d environment.Delivery) error {
	return translate(s.transaction(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, settleDelivery, d.ID, string(d.State), d.Reason, d.Tries, micros(d.SettledAt))
		if err != nil {
			return fmt.Errorf("settle delivery %s: %w", d.ID, err)
		}
		return nil
	}))
}

// Again makes a parked delivery wait once more and wakes its source's job.
func (s *Store) Again(ctx context.Context, id string) (environment.Delivery, error) {
	err := s.transaction(ctx, func(tx *sql.Tx) error {
		var source string
		if err := tx.QueryRowContext(ctx, `SELECT source FROM deliveries WHERE id = $1`, id).Scan(&source); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, againDelivery, id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return cmpErr(err, environment.Errorf(environment.CodeConflict, "The delivery %s is not parked; only those can be tried again.", id))
		}
		return s.wake(ctx, tx, environment.Job{Kind: environment.JobDelivery, ID: source, Urgency: environment.UrgencyPerson})
	})
	if err != nil {
		return environment.Delivery{}, translate(fmt.Errorf("try delivery %s again: %w", id, err))
	}
	s.bell.ring()
	found, err := s.deliveries(ctx, `SELECT `+deliveryColumns+`, '' FROM deliveries WHERE id = $1`, id)
	if err == nil && len(found) == 0 {
		err = translate(sql.ErrNoRows)
	}
	if err != nil {
		return environment.Delivery{}, err
	}
	return found[0], nil
}

// cmpErr is err, or other when there is none.
func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// Deliveries lists, newest first, without bodies; a Limit of 0 lists all.
func (s *Store) Deliveries(ctx context.Context, f environment.DeliveryFilter) ([]environment.Delivery, error) {
	const text = `SELECT ` + deliveryColumns + `, '' FROM deliveries
		WHERE ($1 = '' OR source = $1) AND ($2 = '' OR state = $2)
		AND ($3 = '' OR (received_at, id) < (SELECT received_at, id FROM deliveries WHERE id = $3)) ORDER BY received_at DESC, id DESC LIMIT $4`
	return s.deliveries(ctx, text, f.Source, string(f.State), f.Before, atMost(f.Limit))
}

// Forget deletes what was settled, and last sent, before a time.
func (s *Store) Forget(ctx context.Context, before time.Time) (int, error) {
	var n int64
	err := s.transaction(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, forgetDeliveries, micros(before))
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return int(n), translate(err)
}

func (s *Store) deliveries(ctx context.Context, text string, args ...any) ([]environment.Delivery, error) {
	rs, err := s.reads.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, translate(fmt.Errorf("list deliveries: %w", err))
	}
	items, err := collect(rs, scanDelivery)
	return items, translate(err)
}

func scanDelivery(r row) (environment.Delivery, error) {
	var d environment.Delivery
	var state, body string
	var happened, received, last, settled int64
	err := r.Scan(&d.ID, &d.Source, &d.Key, &d.About, &d.Type, &d.ContentType, &state, &d.Reason, &d.Tries, &d.Copies,
		&happened, &received, &last, &settled, &body)
	if err != nil {
		return d, err
	}
	d.State = environment.DeliveryState(state)
	d.HappenedAt, d.ReceivedAt, d.LastAt, d.SettledAt = instant(happened), instant(received), instant(last), instant(settled)
	d.Body, err = base64.StdEncoding.DecodeString(body)
	return d, err
}

// instant is the inverse of micros.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
