package helm

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/repo"

	"github.com/daskbot/daskbot/internal/environment"
)

// shelf is a Helm repository made of the charts in testdata.
type shelf struct {
	*httptest.Server
	indexes, archives atomic.Int32
	down              atomic.Bool
}

// newShelf offers tiny in two versions and a pre-release, and hooked.
func newShelf(t *testing.T) *shelf {
	t.Helper()
	dir := t.TempDir()
	for name, versions := range map[string][]string{"tiny": {"1.0.0", "1.2.0", "2.0.0-beta.1"}, "hooked": {"1.0.0"}} {
		for _, version := range versions {
			ch, err := loader.Load(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			ch.Metadata.Version = version
			if _, err := chartutil.Save(ch, dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	idx, err := repo.IndexDirectory(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	idx.SortEntries()
	if err := idx.WriteFile(filepath.Join(dir, "index.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &shelf{}
	files := http.FileServer(http.Dir(dir))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.down.Load():
			http.Error(w, "down", http.StatusBadGateway)
			return
		case strings.HasSuffix(r.URL.Path, "index.yaml"):
			s.indexes.Add(1)
			text, _ := os.ReadFile(filepath.Join(dir, "index.yaml"))
			w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(text))))
		default:
			s.archives.Add(1)
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shelf) release(chart string) environment.Release {
	return environment.Release{Name: "rel", Chart: chart, Repository: s.URL}
}

func TestResolve(t *testing.T) {
	s := newShelf(t)
	c := New(Config{CacheDir: t.TempDir()})
	tests := []struct {
		name, chart, repository, version string
		want                             string
		code                             environment.Code
	}{
		{name: "newest that is no pre-release", chart: "tiny", want: "1.2.0"},
		{name: "exact", chart: "tiny", version: "1.0.0", want: "1.0.0"},
		{name: "exact pre-release", chart: "tiny", version: "2.0.0-beta.1", want: "2.0.0-beta.1"},
		{name: "range", chart: "tiny", version: "~1.0", want: "1.0.0"},
		{name: "no such version", chart: "tiny", version: "9.9.9", code: environment.CodeInvalid},
		{name: "no version at all", chart: "tiny", version: "newest please", code: environment.CodeInvalid},
		{name: "no such chart", chart: "huge", code: environment.CodeInvalid},
		{name: "no repository", chart: "tiny", repository: "http://127.0.0.1:1", code: environment.CodeUnavailable},
		{name: "path", chart: "testdata/tiny", repository: "-", want: "1.0.0"},
		{name: "path with another version", chart: "testdata/tiny", repository: "-", version: "2.x", code: environment.CodeInvalid},
		{name: "no such path", chart: "testdata/nothing", repository: "-", code: environment.CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := environment.Release{Name: "rel", Chart: tt.chart, Repository: tt.repository, Version: tt.version}
			switch tt.repository {
			case "":
				r.Repository = s.URL
			case "-":
				r.Repository = ""
			}
			got, err := c.Resolve(t.Context(), r)
			if got != tt.want || environment.CodeOf(err) != tt.code {
				t.Errorf("got %q, %v; want %q, code %q", got, err, tt.want, tt.code)
			}
		})
	}
}

func TestManyShareOneDownload(t *testing.T) {
	s := newShelf(t)
	c := New(Config{CacheDir: t.TempDir()})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := c.Check(t.Context(), s.release("tiny")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if i, a := s.indexes.Load(), s.archives.Load(); i > 2 || a > 2 {
		t.Errorf("got %d index and %d chart downloads for 20 checks; want 1 or 2", i, a)
	}
}

func TestRepositoryDown(t *testing.T) {
	s := newShelf(t)
	dir := t.TempDir()
	r := s.release("tiny")
	if err := New(Config{CacheDir: dir}).Check(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	s.down.Store(true)
	if err := New(Config{CacheDir: dir}).Check(t.Context(), r); err != nil {
		t.Errorf("got %v; want the cache to serve after a restart", err)
	}
	if err := New(Config{CacheDir: t.TempDir()}).Check(t.Context(), r); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want CodeUnavailable without a cache", err)
	}
}

func TestIndexIsAskedForAgainWithItsETag(t *testing.T) {
	s := newShelf(t)
	c := New(Config{CacheDir: t.TempDir(), IndexTTL: time.Nanosecond})
	for range 2 {
		if _, err := c.Resolve(t.Context(), s.release("tiny")); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.indexes.Load(); n != 2 {
		t.Errorf("got %d requests; want 2", n)
	}
}

func TestAnotherDigestIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := save(path, strings.NewReader("content"), 100, strings.Repeat("0", 64)); err == nil {
		t.Error("got nil; want an error")
	}
	if err := save(path, strings.NewReader("content"), 3, ""); err == nil {
		t.Error("got nil for too much content; want an error")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v; want no file left", err)
	}
}

func TestCheck(t *testing.T) {
	s := newShelf(t)
	c := New(Config{CacheDir: t.TempDir()})
	tests := []struct {
		name   string
		edit   func(*environment.Release)
		want   string // part of the message
		absent string // must not be in it
	}{
		{name: "defaults"},
		{name: "good values", edit: values(map[string]any{"size": 3, "sub": map[string]any{"level": 2}, "global": map[string]any{}})},
		{name: "misspelt key", edit: values(map[string]any{"gretting": "x"}), want: `Did you mean "greeting"?`},
		{name: "far from any key", edit: values(map[string]any{"daskhub": 1}), want: "It knows global, greeting, size, sub, tags."},
		{name: "own list of keys", want: `Did you mean "sizes"?`, edit: func(r *environment.Release) {
			r.Values, r.TopLevel = map[string]any{"size": 1}, []string{"sizes"}
		}},
		{name: "schema of a dependency", edit: values(map[string]any{"sub": map[string]any{"auth": 1}}),
			want: "additional properties 'auth' not allowed"},
		{name: "wrong type", edit: values(map[string]any{"sub": map[string]any{"level": "high"}}), want: "want integer"},
		{name: "a value is not shown", edit: values(map[string]any{"sub": map[string]any{"code": "HUNTER2"}}),
			want: "the value does not match pattern", absent: "HUNTER2"},
		{name: "refused by a template", edit: values(map[string]any{"greeting": "forbidden"}), want: "BREAKING: say something else."},
		{name: "condition", edit: func(r *environment.Release) { r.Conditions = map[string]string{"sub": "sub.enabled"} }},
		{name: "condition on nothing", want: `no dependency "gateway"`,
			edit: func(r *environment.Release) { r.Conditions = map[string]string{"gateway": "gateway.enabled"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := s.release("tiny")
			if tt.edit != nil {
				tt.edit(&r)
			}
			err := c.Check(t.Context(), r)
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v; want nil", err)
				}
				return
			}
			message := environment.MessageOf(err)
			if environment.CodeOf(err) != environment.CodeInvalid || !strings.Contains(message, tt.want) {
				t.Errorf("got %q; want CodeInvalid with %q", message, tt.want)
			}
			if tt.absent != "" && strings.Contains(message, tt.absent) {
				t.Errorf("got %q; want no %q in it", message, tt.absent)
			}
		})
	}
}

func values(v map[string]any) func(*environment.Release) {
	return func(r *environment.Release) { r.Values = v }
}

func TestConditionSwitchesADependencyOff(t *testing.T) {
	s := newShelf(t)
	c := New(Config{CacheDir: t.TempDir()})
	for enabled, want := range map[bool]int{true: 1, false: 0} {
		r := s.release("tiny")
		r.Conditions = map[string]string{"sub": "sub.enabled"}
		r.Values = map[string]any{"sub": map[string]any{"enabled": enabled}}
		ch, err := c.load(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if err := chartutil.ProcessDependenciesWithMerge(ch, copyValues(r.Values)); err != nil {
			t.Fatal(err)
		}
		if got := len(ch.Dependencies()); got != want {
			t.Errorf("enabled %v: got %d dependencies; want %d", enabled, got, want)
		}
	}
}

func TestPick(t *testing.T) {
	versions := []string{"1.0.0", "0.9.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "junk"}
	tests := []struct{ wish, want string }{
		{"", "1.10.0"}, {"1.9.0", "1.9.0"}, {"^0.9", "0.9.0"}, {"<1.10", "1.9.0"}, {"2.0.0-rc.1", "2.0.0-rc.1"}, {">=3", ""}, {"!!", ""},
	}
	for _, tt := range tests {
		if got, _ := pick(versions, tt.wish); got != tt.want {
			t.Errorf("%q: got %q; want %q", tt.wish, got, tt.want)
		}
	}
}
