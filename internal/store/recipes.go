package store

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/daskbot/daskbot/internal/environment"
)

// keptRecipes is how many are remembered: a few profiles, as each was at
// different times.
const keptRecipes = 64

// recipes remembers those that documents of environments hold. Each document
// has a copy of its own, which is most of it, and nearly all are alike: read
// once, they take neither time nor memory again. They are never changed; see
// environment.Render.
type recipes struct {
	mu    sync.RWMutex
	known []recipe
}

type recipe struct {
	text    string // as it stands in documents
	profile environment.Profile
}

// recipeField begins a recipe. In a text within a document the quotes would be
// escaped.
const recipeField = `"Recipe":`

// decode reads the document of an environment.
func (r *recipes) decode(document string, e *environment.Environment) error {
	if short, known, ok := r.cut(document); ok {
		err := decode(short, e)
		e.Recipe = known
		restoreFormer(e)
		return err
	}
	// The outer field goes before that of the environment.
	whole := struct {
		*environment.Environment
		Recipe json.RawMessage
	}{Environment: e}
	if err := decode(document, &whole); err != nil || len(whole.Recipe) == 0 {
		return err
	}
	restoreFormer(e)
	if err := decode(string(whole.Recipe), &e.Recipe); err != nil {
		return err
	}
	restoreValues(e.Recipe.Releases)
	r.remember(recipe{string(whole.Recipe), e.Recipe})
	return nil
}

// restoreFormer: what an upgrade replaced is rendered again when it is taken back.
func restoreFormer(e *environment.Environment) {
	if e.Former != nil {
		restoreValues(e.Former.Releases)
	}
}

// cut takes a recipe that is known out of a document.
func (r *recipes) cut(document string) (short string, known environment.Profile, ok bool) {
	before, after, found := strings.Cut(document, recipeField)
	if !found {
		return "", known, false
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, one := range r.known {
		if rest, ok := strings.CutPrefix(after, one.text); ok {
			return before + recipeField + "{}" + rest, one.profile, true
		}
	}
	return "", known, false
}

// remember drops the oldest for a new one when there are too many.
func (r *recipes) remember(one recipe) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) == keptRecipes {
		r.known = append(r.known[:0:0], r.known[1:]...)
	}
	r.known = append(r.known, one)
}
