package store

import (
	"context"
	"fmt"
)

// Sealed counts stored secrets by how they are kept.
type Sealed struct {
	Current    int // as they would be written now
	Old        int // in the clear although there is a key, or for an older key
	Unreadable int // for a key that is not given
}

// resealable are the places with sealed values: how to list them, and how to
// replace one that nobody wrote meanwhile.
var resealable = []struct {
	list, replace string
	name          func(key string) string // what a value is sealed for
}{
	{`SELECT environment, sealed FROM environment_secrets`,
		`UPDATE environment_secrets SET sealed = $2 WHERE environment = $1 AND sealed = $3`, func(id string) string { return id }},
	{`SELECT key, sealed FROM notes WHERE sealed <> ''`,
		`UPDATE notes SET sealed = $2 WHERE key = $1 AND sealed = $3`, noteSeal},
}

// Reseal encrypts with the current key what is not, so that older keys can go.
// It may run at any time, in any replica: what somebody wrote meanwhile is
// left. It reports how things were; what cannot be read is left as it is.
func (s *Store) Reseal(ctx context.Context) (Sealed, error) { return s.seals(ctx, true) }

// Seals counts without changing anything.
func (s *Store) Seals(ctx context.Context) (Sealed, error) { return s.seals(ctx, false) }

func (s *Store) seals(ctx context.Context, anew bool) (n Sealed, err error) {
	for _, place := range resealable {
		values, err := s.sealedValues(ctx, place.list)
		if err != nil {
			return n, translate(fmt.Errorf("list sealed values: %w", err))
		}
		for _, v := range values {
			secrets, err := s.sealer.open(place.name(v.key), v.sealed)
			switch {
			case err != nil:
				n.Unreadable++
				continue
			case s.sealer.current(place.name(v.key), v.sealed):
				n.Current++
				continue
			}
			n.Old++
			if !anew {
				continue
			}
			fresh, err := s.sealer.seal(place.name(v.key), secrets)
			if err != nil {
				return n, fmt.Errorf("seal anew: %w", err)
			}
			if _, err := s.db.ExecContext(ctx, place.replace, v.key, fresh, v.sealed); err != nil {
				return n, translate(fmt.Errorf("seal anew: %w", err))
			}
		}
	}
	return n, nil
}

type sealedValue struct{ key, sealed string }

func (s *Store) sealedValues(ctx context.Context, text string) ([]sealedValue, error) {
	rs, err := s.reads.QueryContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return collect(rs, func(r row) (v sealedValue, err error) {
		err = r.Scan(&v.key, &v.sealed)
		return v, err
	})
}
