package main

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
)

// TestTheDoctorLooksAtTheAdminToken: a file that others may read is wrong where
// it can be mended, and as it should be in a Secret that a cluster mounted.
func TestTheDoctorLooksAtTheAdminToken(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		mode os.FileMode
		want status
	}{
		{"own.token", 0o600, ""}, {"group.token", 0o640, isIll}, {"all.token", 0o644, isIll},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte("dbt_x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		if got := adminToken(path); got.Status != c.want {
			t.Errorf("%s: got %+v; want %q", c.name, got, c.want)
		}
	}
	if got := adminToken(mountedFile(t)); got.Status != "" {
		t.Errorf("on a read-only mount: got %+v; want nothing: chmod is not possible there", got)
	}
}

// TestTheDoctorReadsAWholePage: what identity providers say of themselves is
// long, and comes in pieces.
func TestTheDoctorReadsAWholePage(t *testing.T) {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"claims_supported": "`+strings.Repeat("x", 8<<10)+`", `)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, `"jwks_uri": "https://id.example.edu/keys"}`)
	}))
	defer provider.Close()
	x := examined{cfg: new(config.Config), http: provider.Client()}
	x.cfg.Auth.OIDC.Issuer = provider.URL
	if got := x.identity(t.Context()); len(got) != 1 || got[0].Status != isWell {
		t.Errorf("got %+v; want that it answers", got)
	}
}

// TestTheDoctorSaysHowAnAccountGetsItsRights: that its folder or server are
// well is no help to it.
func TestTheDoctorSaysHowAnAccountGetsItsRights(t *testing.T) {
	got := unusable(&environment.Error{Code: environment.CodeForbidden, Message: "It may not.", Err: errors.New("permission denied")})
	if got.Status != isIll || !strings.Contains(got.Mend, "GRANT USAGE, CREATE ON SCHEMA public TO") || !strings.Contains(got.Says, "permission denied") {
		t.Errorf("got %+v; want the reason, and what grants the rights", got)
	}
	if other := unusable(&environment.Error{Code: environment.CodeUnavailable, Message: "It does not answer."}); strings.Contains(other.Mend, "GRANT") {
		t.Errorf("a database that does not answer: got %+v; want nothing about rights", other)
	}
}

// mountedFile finds something that others may read on a mount that nobody may
// write to; most machines have one.
func mountedFile(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[3]+",", "ro,") {
			continue
		}
		if info, err := os.Stat(fields[1]); err == nil && info.Mode().Perm()&0o077 != 0 {
			return fields[1]
		}
	}
	t.Skip("nothing is mounted read-only here")
	return ""
}
