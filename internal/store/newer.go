package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
)

// While replicas are upgraded one by one, two versions write the same rows. A
// document may then hold fields that this version does not know; they must
// survive being written by it. newer finds them, and graft puts them back.

// unknown is what of an object this version does not know: whole values by
// their names, and under an object that it knows, in turn an unknown.
type unknown map[string]any

// newer returns what of a stored document T does not know, nil for nothing.
func newer[T any](document string) (unknown, error) {
	strict := json.NewDecoder(strings.NewReader(document))
	strict.DisallowUnknownFields()
	var known T
	if strict.Decode(&known) == nil {
		return nil, nil // the usual case
	}
	if err := decode(document, &known); err != nil {
		return nil, err
	}
	back, err := encode(known)
	if err != nil {
		return nil, err
	}
	whole, part, err := objects(document, back)
	return without(whole, part), err
}

// without is what of whole is not in part, at any depth; nil for nothing.
// Lists are taken as they are: their elements have no names to tell them by.
func without(whole, part map[string]any) unknown {
	left := unknown{}
	for key, value := range whole {
		other, ok := part[key]
		if !ok {
			left[key] = value
			continue
		}
		inner, isObject := value.(map[string]any)
		otherInner, alsoObject := other.(map[string]any)
		if !isObject || !alsoObject {
			continue
		}
		if more := without(inner, otherInner); more != nil {
			left[key] = more
		}
	}
	if len(left) == 0 {
		return nil
	}
	return left
}

// graft adds what a document has no value for. An object that the document no
// longer has is not brought back for the sake of what was in it.
func graft(document string, what unknown) (string, error) {
	var into map[string]any
	if err := decode(document, &into); err != nil {
		return "", err
	}
	add(into, what)
	return encode(into)
}

func add(into map[string]any, what unknown) {
	for key, value := range what {
		there, ok := into[key]
		more, within := value.(unknown)
		if !within {
			if !ok {
				into[key] = value
			}
			continue
		}
		if inner, is := there.(map[string]any); is {
			add(inner, more)
		}
	}
}

func objects(a, b string) (whole, part map[string]any, err error) {
	if err = decode(a, &whole); err == nil {
		err = decode(b, &part)
	}
	return whole, part, err
}

// ownRows bounds for how many rows a process knows what it wrote.
const ownRows = 50_000

// own tells documents that this process wrote, and that hold nothing newer:
// looking for that costs more than everything else about a write.
type own struct {
	mu   sync.Mutex
	sums map[uint64]uint64 // of what was last written, by row; what a failed transaction left here fits none
}

var ownSeed = maphash.MakeSeed()

func sum(text string) uint64 { return maphash.String(ownSeed, text) }

func (o *own) wrote(row, document string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sums == nil || len(o.sums) >= ownRows {
		o.sums = map[uint64]uint64{}
	}
	o.sums[sum(row)] = sum(document)
}

func (o *own) is(row, document string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	last, ok := o.sums[sum(row)]
	return ok && last == sum(document)
}

// encodeOver is encode for a row that is at version: what a newer version
// wrote there stays. query reads the document of the row by its id.
func encodeOver[T any](ctx context.Context, tx *sql.Tx, o *own, noun T, version int64, query, id string) (string, error) {
	document, err := encode(noun)
	if err != nil {
		return "", err
	}
	stays, err := unknownAt[T](ctx, tx, o, version, query, id)
	if err != nil {
		return "", err
	}
	if stays != nil {
		return graft(document, stays)
	}
	o.wrote(query+id, document)
	return document, nil
}

// unknownAt is what of a row's document T does not know, nil for nothing.
func unknownAt[T any](ctx context.Context, tx *sql.Tx, o *own, version int64, query, id string) (unknown, error) {
	if version == 0 {
		return nil, nil // it is new
	}
	var old string
	err := tx.QueryRowContext(ctx, query, id).Scan(&old)
	if errors.Is(err, sql.ErrNoRows) || err == nil && o.is(query+id, old) {
		return nil, nil // without a row, the update will say so
	}
	if err != nil {
		return nil, err
	}
	stays, err := newer[T](old)
	if err != nil {
		return nil, fmt.Errorf("read the stored document of %s: %w", id, err)
	}
	return stays, nil
}
