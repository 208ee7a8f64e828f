package store

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func hub(title string) environment.Profile {
	return environment.Profile{Name: "hub", Title: title, Releases: []environment.Release{{Name: "dhub", Values: map[string]any{
		"replicas": 3, "share": 0.5, "hub": map[string]any{"limits": []any{1, "2G"}}, "Recipe": map[string]any{"name": "inner"}}}}}
}

// TestARecipeIsReadOnce: documents come out the same whether their recipe is
// known or not, whatever else they say.
func TestARecipeIsReadOnce(t *testing.T) {
	var r recipes
	for _, e := range []environment.Environment{
		{ID: "a", Recipe: hub("A hub")},
		{ID: "b", Recipe: hub("A hub"), State: environment.StateReady},
		{ID: "c", Recipe: hub("A hub for you"), Message: "the next"},
		{ID: "d", Recipe: hub(`A "Recipe":{} in it`), Message: `says "Recipe":{"name":"hub"}`},
		{ID: "e", Owner: `"Recipe":{}`, Recipe: hub("A hub")},
		{ID: "f"},
		{ID: "g", Recipe: hub("A hub"), Former: &environment.Former{Generation: 2, Releases: hub("What ran").Releases}},
	} {
		document, err := encode(e)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2 {
			var got environment.Environment
			if err := r.decode(document, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(e, got); diff != "" {
				t.Errorf("%s, read %d times (-want +got):\n%s", e.ID, i+1, diff)
			}
		}
	}
	if len(r.known) != 4 { // three hubs, and none
		t.Errorf("%d recipes are known; want 4", len(r.known))
	}
}

func TestRecipesAreBounded(t *testing.T) {
	var r recipes
	for i := range 2 * keptRecipes {
		document, err := encode(environment.Environment{Recipe: hub(fmt.Sprint(i))})
		if err != nil {
			t.Fatal(err)
		}
		var got environment.Environment
		if err := r.decode(document, &got); err != nil || got.Recipe.Title != fmt.Sprint(i) {
			t.Errorf("got %q, %v; want %d", got.Recipe.Title, err, i)
		}
	}
	if len(r.known) != keptRecipes {
		t.Errorf("%d recipes are kept; want %d", len(r.known), keptRecipes)
	}
}
