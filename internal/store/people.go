package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	insertPerson = `INSERT INTO people (subject, slack_id, email, lms_id, document, version) VALUES ($1, $3, $4, $5, $6, $2 + 1)`
	updatePerson = `UPDATE people SET slack_id = $3, email = $4, lms_id = $5, document = $6, version = version + 1
		WHERE subject = $1 AND version = $2`
)

func (s *Store) putPerson(ctx context.Context, tx *sql.Tx, p *environment.Person) error {
	if p == nil {
		return nil
	}
	document, err := encodeOver(ctx, tx, &s.own, *p, p.Version, `SELECT document FROM people WHERE subject = $1`, p.Subject)
	if err != nil {
		return fmt.Errorf("encode person: %w", err)
	}
	return put(ctx, tx, p.Version, insertPerson, updatePerson, p.Subject, p.Version, p.SlackID, environment.CleanAddress(p.Email), p.LMSID, document)
}

func (s *Store) putPeople(ctx context.Context, tx *sql.Tx, people []environment.Person) error {
	for _, p := range people {
		if err := s.putPerson(ctx, tx, &p); err != nil {
			return err
		}
	}
	return nil
}

// Person reads one by subject.
func (s *Store) Person(ctx context.Context, subject string) (environment.Person, error) {
	return s.person(ctx, `SELECT version, document FROM people WHERE subject = $1`, subject)
}

// PersonBySlack reads the one a Slack account belongs to.
func (s *Store) PersonBySlack(ctx context.Context, slackID string) (environment.Person, error) {
	return s.person(ctx, `SELECT version, document FROM people WHERE slack_id = $1 AND slack_id <> ''`, slackID)
}

// PeopleBySlack reads everybody whose account of Slack that one may be.
func (s *Store) PeopleBySlack(ctx context.Context, slackID string) ([]environment.Person, error) {
	user := slackID[strings.LastIndexByte(slackID, ':')+1:]
	rs, err := s.reads.QueryContext(ctx, `SELECT version, document FROM people WHERE slack_id = $1 OR slack_id LIKE $2 ORDER BY subject`, user, "%:"+user)
	if err != nil {
		return nil, translate(fmt.Errorf("read people: %w", err))
	}
	people, err := collect(rs, scanPerson)
	return slices.DeleteFunc(people, func(p environment.Person) bool { return !environment.SameSlack(p.SlackID, slackID) }), translate(err)
}

// PersonByEmail reads the one with this e-mail address, whatever its case.
// Two with the same address are CodeConflict: neither may be taken for the
// other.
func (s *Store) PersonByEmail(ctx context.Context, email string) (environment.Person, error) {
	return s.person(ctx, `SELECT version, document FROM people WHERE email = $1 AND email <> ''`, environment.CleanAddress(email))
}

// PersonByLMS reads the one an account of a learning platform belongs to. An
// admin may have given the same one to two people: that is CodeConflict.
func (s *Store) PersonByLMS(ctx context.Context, lmsID string) (environment.Person, error) {
	return s.person(ctx, `SELECT version, document FROM people WHERE lms_id = $1 AND lms_id <> ''`, lmsID)
}

func (s *Store) person(ctx context.Context, text, identity string) (environment.Person, error) {
	rs, err := s.reads.QueryContext(ctx, text, identity)
	if err != nil {
		return environment.Person{}, translate(fmt.Errorf("read person: %w", err))
	}
	people, err := collect(rs, scanPerson)
	switch {
	case err != nil:
		return environment.Person{}, translate(err)
	case len(people) == 0:
		return environment.Person{}, translate(sql.ErrNoRows)
	case len(people) > 1:
		return environment.Person{}, environment.Errorf(environment.CodeConflict, "Several people are registered with the same address or account.")
	}
	return people[0], nil
}

func scanPerson(r row) (environment.Person, error) {
	var (
		p        environment.Person
		version  int64
		document string
	)
	if err := r.Scan(&version, &document); err != nil {
		return p, err
	}
	err := decode(document, &p)
	p.Version = version
	return p, err
}

// indexPeople fills the columns that later versions search people by.
func indexPeople(ctx context.Context, tx *sql.Tx) error {
	people, err := everybody(ctx, tx)
	if err != nil {
		return err
	}
	for _, p := range people {
		const text = `UPDATE people SET slack_id = $2, email = $3 WHERE subject = $1`
		if _, err := tx.ExecContext(ctx, text, p.Subject, p.SlackID, environment.CleanAddress(p.Email)); err != nil {
			return err
		}
	}
	return nil
}

func everybody(ctx context.Context, tx *sql.Tx) ([]environment.Person, error) {
	rs, err := tx.QueryContext(ctx, `SELECT version, document FROM people`)
	if err != nil {
		return nil, err
	}
	return collect(rs, scanPerson)
}

// indexAccounts lets people be found by their accounts of learning platforms.
func indexAccounts(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, `ALTER TABLE people ADD COLUMN lms_id TEXT NOT NULL DEFAULT ''`); err != nil {
		return err
	}
	people, err := everybody(ctx, tx)
	if err != nil {
		return err
	}
	for _, p := range people {
		if _, err := tx.ExecContext(ctx, `UPDATE people SET lms_id = $2 WHERE subject = $1`, p.Subject, p.LMSID); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `CREATE INDEX people_lms_id ON people (lms_id) WHERE lms_id <> ''`)
	return err
}
