package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// TestRecipesFit sees that every image is made of layers that stand on each
// other in the order given, and every layer of files that are there.
func TestRecipesFit(t *testing.T) {
	parents := map[string]string{}
	b := New(Config{Dir: t.TempDir(), Programs: map[string]string{"daskbot-controlplane": os.Args[0]}})
	for _, r := range recipes() {
		if _, known := parents[r.Parent]; r.Parent != "" && !known {
			t.Errorf("layer %s stands on %q, which is not made before it", r.Name, r.Parent)
		}
		parents[r.Name] = r.Parent
		if _, err := b.key(r, ""); err != nil {
			t.Errorf("layer %s: %v", r.Name, err)
		}
	}
	for _, image := range Images() {
		below := ""
		for _, name := range image.Layers {
			if parent, known := parents[name]; !known || parent != below {
				t.Errorf("image %s: layer %s stands on %q; want %q", image.Name, name, parent, below)
			}
			below = name
		}
	}
}

func TestKeyFollowsEverything(t *testing.T) {
	b := New(Config{Dir: t.TempDir()})
	base := recipe{Name: "x", Files: []string{"files/pause"}, Script: "true"}
	first, err := b.key(base, "below")
	if err != nil {
		t.Fatal(err)
	}
	other := base
	other.Script = "false"
	changed, _ := b.key(other, "below")
	moved, _ := b.key(base, "elsewhere")
	if again, _ := b.key(base, "below"); again != first || changed == first || moved == first {
		t.Errorf("got %s again as %s, with another script %s, on another layer %s", first, again, changed, moved)
	}
}

func TestPackKeepsWhatCounts(t *testing.T) {
	dir := t.TempDir()
	when := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
	script := filepath.Join(dir, "bin", "run")
	if err := errors.Join(os.Mkdir(filepath.Dir(script), 0o755), os.WriteFile(script, []byte("#!"), 0o755),
		os.Chtimes(script, when, when), os.Symlink("run", filepath.Join(dir, "bin", "go"))); err != nil {
		t.Fatal(err)
	}
	want := []string{"bin/", "bin/go", "bin/run"}
	if err := syscall.Mknod(filepath.Join(dir, "gone"), syscall.S_IFCHR, 0); err == nil { // only root may
		want = append(want, ".wh.gone")
	}
	var out bytes.Buffer
	p, err := pack(t.Context(), dir, &out)
	if err != nil {
		t.Fatal(err)
	}
	if p.size != int64(out.Len()) || p.digest == p.diffID {
		t.Errorf("got %+v for %d bytes", p, out.Len())
	}
	plain, err := zstd.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	var names []string
	for archive := tar.NewReader(plain); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Name == "bin/run" && (!h.ModTime.Equal(when) || h.Mode != 0o755) {
			t.Errorf("bin/run: got %s, mode %o; want %s, 755", h.ModTime, h.Mode, when)
		}
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("archive (-want +got):\n%s", diff)
	}
}

func TestStore(t *testing.T) {
	b := New(Config{Dir: t.TempDir()})
	unlock, err := b.store.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.lock(); err == nil {
		t.Error("two builds hold the store")
	}
	unlock()
	if _, err := b.store.Image("pause"); !errors.Is(err, ErrNotBuilt) {
		t.Errorf("an image that is not built: got %v; want ErrNotBuilt", err)
	}
	made := map[string]layer{}
	for _, name := range []string{"debian", "helpers"} {
		work, err := b.store.workspace()
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(filepath.Join(work, name), nil, 0o600), b.store.keepTree(name, work)); err != nil {
			t.Fatal(err)
		}
		if made[name], err = b.store.pack(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	i := slices.IndexFunc(Images(), func(i Image) bool { return i.Name == "pause" })
	if err := b.assemble(Images()[i], made); err != nil {
		t.Fatal(err)
	}
	image, err := b.store.Image("pause", "A=b")
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(config.Config.Env, " "); !strings.Contains(got, "A=b") || len(config.RootFS.DiffIDs) != 2 {
		t.Errorf("got environment %s and layers %v", got, config.RootFS.DiffIDs)
	}
	if config.Architecture != runtime.GOARCH {
		t.Errorf("the image is for %s; want %s, whose programs are in it", config.Architecture, runtime.GOARCH)
	}
}

func TestOnlyWhatLeadsToRegistriesIsPassed(t *testing.T) {
	in := []string{"PATH=/bin", "PIP_INDEX_URL=u", "https_proxy=p", "HOME=/root", "NPM_CONFIG_REGISTRY=r", "SECRET=s", "SSL_CERT_FILE=f"}
	want := []string{"PIP_INDEX_URL=u", "https_proxy=p", "NPM_CONFIG_REGISTRY=r", "SSL_CERT_FILE=f"}
	if diff := cmp.Diff(want, passed(in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
