package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	insertPerson = `INSERT INTO people (subject, slack_id, email, document, version) VALUES ($1, $3, $4, $5, $2 + 1)`
	updatePerson = `UPDATE people SET slack_id = $3, email = $4, document = $5, version = version + 1
		WHERE subject = $1 AND version = $2`
)

func putPerson(ctx context.Context, tx *sql.Tx, p *environment.Person) error {
	if p == nil {
		return nil
	}
	document, err := encode(p)
	if err != nil {
		return fmt.Errorf("encode person: %w", err)
	}
	return put(ctx, tx, p.Version, insertPerson, updatePerson, p.Subject, p.Version, p.SlackID, strings.ToLower(p.Email), document)
}

// Person reads one by subject.
func (s *Store) Person(ctx context.Context, subject string) (environment.Person, error) {
	return s.person(ctx, `SELECT version, document FROM people WHERE subject = $1`, subject)
}

// PersonBySlack reads the one a Slack account belongs to.
func (s *Store) PersonBySlack(ctx context.Context, slackID string) (environment.Person, error) {
	return s.person(ctx, `SELECT version, document FROM people WHERE slack_id = $1 AND slack_id <> ''`, slackID)
}

// PersonByEmail reads the one with this e-mail address, whatever its case.
// Two with the same address are CodeConflict: neither may be taken for the
// other.
func (s *Store) PersonByEmail(ctx context.Context, email string) (environment.Person, error) {
	return s.person(ctx, `SELECT version, document FROM people WHERE email = $1 AND email <> ''`, strings.ToLower(email))
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
		return environment.Person{}, environment.Errorf(environment.CodeConflict, "Several people are registered with the same e-mail address.")
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
	rs, err := tx.QueryContext(ctx, `SELECT version, document FROM people`)
	if err != nil {
		return err
	}
	people, err := collect(rs, scanPerson)
	if err != nil {
		return err
	}
	for _, p := range people {
		const text = `UPDATE people SET slack_id = $2, email = $3 WHERE subject = $1`
		if _, err := tx.ExecContext(ctx, text, p.Subject, p.SlackID, strings.ToLower(p.Email)); err != nil {
			return err
		}
	}
	return nil
}
