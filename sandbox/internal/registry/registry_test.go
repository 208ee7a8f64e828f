package registry

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/sandbox/internal/images"
)

// served is a registry with one built image, pause, of one empty layer.
func served(t *testing.T) func(path string) *httptest.ResponseRecorder {
	t.Helper()
	dir := t.TempDir()
	const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	write := func(name, content string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("blobs/sha256/"+digest, "")
	write("images/pause.json", `{"Image": {"Name": "pause"}, "Layers": [{"Name": "x", "Digest": "sha256:`+digest+`", "DiffID": "sha256:`+digest+`"}]}`)
	write("packages/xgboost_cpu-3.2.0-py3-none-any.whl", "wheel")
	write("packages/.key", "secret")
	handler := New(Config{Store: images.Open(dir), Log: slog.New(slog.DiscardHandler)})
	return func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://10.1.0.1:5000"+path, nil)
		handler.ServeHTTP(w, r)
		return w
	}
}

func TestPull(t *testing.T) {
	get := served(t)
	manifest := get("/v2/pause/manifests/3.10?ns=registry.k8s.io")
	var m struct{ Config struct{ Digest string } }
	if err := json.Unmarshal(manifest.Body.Bytes(), &m); err != nil || manifest.Code != http.StatusOK {
		t.Fatalf("manifest: got %d, %v: %s", manifest.Code, err, manifest.Body)
	}
	again := get("/v2/pause/manifests/" + manifest.Header().Get("Docker-Content-Digest"))
	if again.Code != http.StatusOK || again.Body.String() != manifest.Body.String() {
		t.Errorf("by digest: got %d", again.Code)
	}
	config := get("/v2/pause/blobs/" + m.Config.Digest)
	if !strings.Contains(config.Body.String(), "PIP_INDEX_URL=http://10.1.0.1:5000/packages/simple/") {
		t.Errorf("the configuration does not lead pip to where the image came from: %s", config.Body)
	}
}

func TestAnswers(t *testing.T) {
	get := served(t)
	for path, want := range map[string]struct {
		code int
		says string
	}{
		"/v2/":                                                      {http.StatusOK, "{}"},
		"/v2/library/traefik/manifests/v3":                          {http.StatusNotFound, "NAME_UNKNOWN"},
		"/v2/pause/manifests/3.10?ns=quay.io":                       {http.StatusNotFound, "NAME_UNKNOWN"},
		"/v2/jupyterhub/k8s-hub/manifests/4.4.0":                    {http.StatusNotFound, "images build"},
		"/v2/pause/blobs/nonsense":                                  {http.StatusBadRequest, "DIGEST_INVALID"},
		"/v2/pause/manifests/sha256:" + strings.Repeat("0", 64):     {http.StatusNotFound, "MANIFEST_UNKNOWN"},
		"/v2/pause/blobs/sha256:" + strings.Repeat("0", 64):         {http.StatusNotFound, "BLOB_UNKNOWN"},
		"/packages/simple/":                                         {http.StatusOK, "xgboost-cpu"},
		"/packages/simple/XGBoost_cpu/":                             {http.StatusOK, "/packages/files/xgboost_cpu-3.2.0"},
		"/packages/simple/no-such-thing/":                           {http.StatusNotFound, ""},
		"/packages/files/xgboost_cpu-3.2.0-py3-none-any.whl":        {http.StatusOK, "wheel"},
		"/packages/files/.key":                                      {http.StatusNotFound, ""},
		"/packages/files/../packages/xgboost_cpu-3.2.0-py3-any.whl": {http.StatusNotFound, ""},
	} {
		got := get(path)
		if got.Code != want.code || !strings.Contains(got.Body.String(), want.says) {
			t.Errorf("%s: got %d %s; want %d %q", path, got.Code, got.Body, want.code, want.says)
		}
	}
}
