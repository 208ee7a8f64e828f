package main

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
)

// wired is a daemon with a store of its own and no cloud that answers.
func wired(t *testing.T) *daemon { t.Helper(); return wiredWith(t, "") }

// wiredWith is wired with more of a configuration.
func wiredWith(t *testing.T, more string) *daemon {
	t.Helper()
	cfg, err := config.Parse([]byte(`
store: {url: "sqlite:`+filepath.Join(t.TempDir(), "daskbot.db")+`"}
auth: {adminTokenFile: ""}
gke: {project: sandbox-project, installation: test, tokenFrom: static, staticToken: {fromEnv: TEST_TOKEN, default: token},
  endpoint: "127.0.0.1:1", insecure: true, computeEndpoint: "http://127.0.0.1:1/compute/v1/"}
`+more), "test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d, err := wire(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

// TestAnAdminTokenThatAnOperatorChose starts replicas at once with the token of
// a Secret, then revokes it.
func TestAnAdminTokenThatAnOperatorChose(t *testing.T) {
	d := wired(t)
	chosen := environment.NewSecret("dbt_" + strings.Repeat("0f", 32))
	errs := make([]error, 3)
	var replicas sync.WaitGroup
	for i := range errs {
		replicas.Go(func() { errs[i] = d.service.AdmitAdminToken(t.Context(), chosen) })
	}
	replicas.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	who, err := d.service.Authenticate(t.Context(), chosen.Reveal())
	if err != nil || who.Role != environment.RoleAdmin {
		t.Fatalf("got %+v, %v; want an admin", who, err)
	}
	all, err := d.service.Tokens(t.Context(), who)
	if err != nil || len(all) != 1 {
		t.Fatalf("tokens: got %v, %v; want one", all, err)
	}
	if err := d.service.RevokeToken(t.Context(), who, all[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := d.service.AdmitAdminToken(t.Context(), chosen); err != nil {
		t.Errorf("a start after it was revoked: %v", err)
	}
	if _, err := d.service.Authenticate(t.Context(), chosen.Reveal()); environment.CodeOf(err) != environment.CodeUnauthorized {
		t.Errorf("the revoked token: got %v; want that it opens nothing", err)
	}
	if err := d.service.AdmitAdminToken(t.Context(), environment.NewSecret("dbt_1234")); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("a token that can be guessed: got %v", err)
	}
}
