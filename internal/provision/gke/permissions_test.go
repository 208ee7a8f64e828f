package gke

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestMissing(t *testing.T) {
	lacks := []string{"container.clusters.delete", "compute.disks.list"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Permissions []string }
		switch err := json.NewDecoder(r.Body).Decode(&asked); {
		case err != nil || r.Header.Get("Authorization") != "Bearer t":
			http.Error(w, "bad", http.StatusBadRequest)
		case r.URL.Path == "/v1/projects/shut:testIamPermissions":
			http.Error(w, "no", http.StatusForbidden)
		case r.URL.Path == "/v1/projects/class:testIamPermissions":
			_ = json.NewEncoder(w).Encode(map[string]any{"permissions": slices.DeleteFunc(asked.Permissions, func(p string) bool { return slices.Contains(lacks, p) })})
		default:
			http.Error(w, "?", http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	c := &Client{tokens: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})}
	got, err := c.Missing(t.Context(), server.URL, "class")
	slices.Sort(got)
	if diff := cmp.Diff([]string{"compute.disks.list", "container.clusters.delete"}, got); diff != "" || err != nil {
		t.Errorf("(-want +got)\n%s%v", diff, err)
	}
	for project, want := range map[string]environment.Code{"shut": environment.CodeForbidden, "odd": environment.CodeUnavailable} {
		if _, err := c.Missing(t.Context(), server.URL, project); environment.CodeOf(err) != want {
			t.Errorf("%s: got %v; want %s", project, err, want)
		}
	}
}
