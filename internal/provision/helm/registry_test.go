package helm

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/registry"

	"github.com/daskbot/daskbot/internal/environment"
)

// newRegistry serves the hooked chart as charts/hooked:1.0.0 and 1.1.0, with as
// much of the OCI distribution protocol as pulling takes.
func newRegistry(t *testing.T) string {
	t.Helper()
	blobs, tags := map[string][]byte{}, map[string]string{}
	put := func(content []byte) (digest string) {
		digest = fmt.Sprintf("sha256:%x", sha256.Sum256(content))
		blobs[digest] = content
		return digest
	}
	for _, version := range []string{"1.0.0", "1.1.0"} {
		ch, err := loader.Load("testdata/hooked")
		if err != nil {
			t.Fatal(err)
		}
		ch.Metadata.Version = version
		file, err := chartutil.Save(ch, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		archive, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			t.Fatal(err)
		}
		meta, err := json.Marshal(ch.Metadata)
		if err != nil {
			t.Fatal(err)
		}
		manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",`+
			`"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`,
			registry.ConfigMediaType, put(meta), len(meta), registry.ChartLayerMediaType, put(archive), len(archive))
		tags[version] = put([]byte(manifest))
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := path.Base(r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "/tags/list") {
			fmt.Fprint(w, `{"name":"charts/hooked","tags":["1.0.0","1.1.0","junk"]}`)
			return
		}
		if digest, ok := tags[name]; ok {
			name = digest
		}
		content, ok := blobs[name]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if strings.Contains(r.URL.Path, "/manifests/") {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		}
		w.Header().Set("Docker-Content-Digest", name)
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		if r.Method != http.MethodHead {
			_, _ = w.Write(content)
		}
	}))
	t.Cleanup(s.Close)
	return "oci://" + strings.TrimPrefix(s.URL, "http://") + "/charts/hooked"
}

func TestRegistry(t *testing.T) {
	c := New(Config{CacheDir: t.TempDir()})
	r := environment.Release{Name: "rel", Chart: newRegistry(t)}
	if got, err := c.Resolve(t.Context(), r); err != nil || got != "1.1.0" {
		t.Fatalf("got %q, %v; want the newest", got, err)
	}
	r.Version = "1.0.0"
	for range 2 { // the second comes from the cache
		ch, err := c.load(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if ch.Name() != "hooked" || ch.Metadata.Version != "1.0.0" {
			t.Errorf("got %s %s; want hooked 1.0.0", ch.Name(), ch.Metadata.Version)
		}
	}
	r.Version = "7.0.0"
	if err := c.Check(t.Context(), r); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("got %v; want CodeInvalid for an exact version that does not exist", err)
	}
	r.Version = "~3"
	if _, err := c.Resolve(t.Context(), r); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("got %v; want CodeInvalid", err)
	}
	r.Chart, r.Version = "oci://127.0.0.1:1/charts/x", ""
	if _, err := c.Resolve(t.Context(), r); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want CodeUnavailable", err)
	}
}
