package provision

import (
	"sync"

	"github.com/daskbot/daskbot/internal/environment"
)

// lints remembers what charts have accepted. A class asks for the same recipe
// hundreds of times, and rendering it is the dearest thing on the way up that
// is not somebody else's.
type lints struct {
	mu    sync.Mutex
	known map[string]*lint
}

// lint is one recipe; its lock lets the first who asks answer for the others.
type lint struct {
	mu sync.Mutex
	ok bool
}

// mostLints bounds the memory: beyond it everything is asked anew.
const mostLints = 1000

// lintKey is what an answer depends on. The other placeholders (names, secrets)
// are texts whose shape daskbot itself made sure of.
func lintKey(e environment.Environment, recipe environment.Release, version string) string {
	return environment.Fingerprint([]any{recipe, version, e.Spec.Workers, e.Spec.Packages})
}

// once runs check unless it succeeded before under the same key. A refusal is
// not remembered: a repository may be mended.
func (l *lints) once(key string, check func() error) error {
	one := l.find(key)
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.ok {
		return nil
	}
	if err := check(); err != nil {
		return err
	}
	one.ok = true
	return nil
}

func (l *lints) find(key string) *lint {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= mostLints {
		l.known = map[string]*lint{}
	}
	if l.known[key] == nil {
		l.known[key] = &lint{}
	}
	return l.known[key]
}
