package provision

import (
	"errors"
	"sync"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestAChartIsAskedOnceForARecipe(t *testing.T) {
	var l lints
	asked := 0
	refuse := errors.New("refused")
	if err := l.once("a", func() error { asked++; return refuse }); !errors.Is(err, refuse) {
		t.Errorf("got %v; want the refusal", err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := l.once("a", func() error { asked++; return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if asked != 2 {
		t.Errorf("asked %d times; want once after the refusal", asked)
	}
	for i := range mostLints + 1 {
		_ = l.once(string(rune(i)), func() error { return nil })
	}
	if len(l.known) > mostLints {
		t.Errorf("remembers %d recipes; want at most %d", len(l.known), mostLints)
	}
}

func TestLintKeyFollowsWhatAPersonMayChange(t *testing.T) {
	e := environment.Environment{ID: "a", Owner: "ann", Spec: environment.Spec{Workers: 2, Packages: []string{"xgboost"}}}
	recipe := environment.Release{Name: "dask", Values: map[string]any{"worker": map[string]any{"replicas": "${workers}"}}}
	key := lintKey(e, recipe, "1")
	same := e
	same.ID, same.Owner = "b", "bob"
	if lintKey(same, recipe, "1") != key {
		t.Error("another owner's same request is linted again")
	}
	more, other := e, e
	more.Spec.Workers, other.Spec.Packages = 3, nil
	changed := recipe
	changed.Values = map[string]any{"worker": map[string]any{"replicas": 7}}
	for name, got := range map[string]string{"workers": lintKey(more, recipe, "1"), "packages": lintKey(other, recipe, "1"),
		"version": lintKey(e, recipe, "2"), "values": lintKey(e, changed, "1")} {
		if got == key {
			t.Errorf("another %s is not linted again", name)
		}
	}
}
