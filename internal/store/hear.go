package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/daskbot/daskbot/internal/environment"
)

// eventsChannel is where PostgreSQL tells replicas that something happened.
const eventsChannel = "daskbot_events"

// tellReplicas lets the other replicas know, once this transaction is written,
// which environments something happened to.
func (s *Store) tellReplicas(ctx context.Context, tx *sql.Tx, events []environment.Event) error {
	if s.back.exclusive {
		return nil
	}
	told := map[string]bool{}
	for _, ev := range events {
		if ev.Environment == "" || told[ev.Environment] {
			continue
		}
		told[ev.Environment] = true
		if _, err := tx.ExecContext(ctx, `SELECT pg_notify($1, $2)`, eventsChannel, ev.Environment); err != nil {
			return err
		}
	}
	return nil
}

// Hear calls told with the id of each environment that something happened to,
// on whichever replica, until ctx ends; with "" when it may have missed some.
// What happens on this replica is among it. It promises speed and no more:
// followers of events read them from the store, and look from time to time.
// On SQLite there is nobody else to hear.
func (s *Store) Hear(ctx context.Context, told func(id string)) error {
	if s.back.exclusive {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.listen(ctx, told); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "events of other replicas come late", "reason", err.Error())
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

// listen hears until the connection is lost or ctx ends.
func (s *Store) listen(ctx context.Context, told func(id string)) error {
	conn, leave, err := s.holdOn(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if _, err := conn.ExecContext(ctx, "LISTEN "+eventsChannel); err != nil {
		return err
	}
	told("")
	return conn.Raw(func(c any) error {
		pg, ok := c.(*stdlib.Conn)
		if !ok {
			return errors.New("the driver is not PostgreSQL's")
		}
		for {
			n, err := pg.Conn().WaitForNotification(ctx)
			if err != nil {
				return err
			}
			told(n.Payload)
		}
	})
}
