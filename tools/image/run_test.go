package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// probe tells what a program sees inside: who it is, where it may write, the
// time zones, and the root certificates.
const probe = `package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"time"
)

var release string

func main() {
	zone, err := time.LoadLocation("Europe/Paris")
	fmt.Println("release", release, "user", os.Getuid(), "zone", zone, err)
	for _, dir := range []string{"/", "/etc", "/tmp", os.Getenv("HOME")} {
		fmt.Println("write", dir, os.WriteFile(dir+"/probe", nil, 0o600) == nil)
	}
	roots, err := x509.SystemCertPool()
	fmt.Println("roots", err == nil && !roots.Equal(x509.NewCertPool()))
}
`

// TestRunsWithAReadOnlyRoot starts the image as a cluster does under the
// restricted level: its user, no capabilities, a root that cannot be written
// to, and volumes for the two folders that can.
func TestRunsWithAReadOnlyRoot(t *testing.T) {
	r := small(t)
	if err := os.WriteFile(filepath.Join(r.source, "main.go"), []byte(probe), 0o600); err != nil {
		t.Fatal(err)
	}
	r.platforms = r.platforms[:1]
	r.platforms[0].Architecture = ownArchitecture()
	out, err := started(t, made(t, r).parts[0].image)
	want := "release v1.2.3 user 65532 zone Europe/Paris <nil>\nwrite / false\nwrite /etc false\nwrite /tmp true\nwrite /var/lib/daskbot true\nroots true\n"
	if err != nil || out != want {
		t.Errorf("got %v,\n%s\nwant\n%s", err, out, want)
	}
}

// most is what a node may have to download at most: how long a pod of a new
// version takes to start is for the most part this.
const most = 45e6

// TestTheRealImage starts the daskbot in the image that `make image` wrote, or
// in the layout that DASKBOT_IMAGE names, and weighs it. To compile it here
// would be to compile everything again, for minutes.
func TestTheRealImage(t *testing.T) {
	at := os.Getenv("DASKBOT_IMAGE")
	if at == "" {
		at = filepath.Join("..", "..", ".daskbot", "dist", "image")
	}
	index, err := layout.ImageIndexFromPath(at)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("DASKBOT_IMAGE") == "" {
		t.Skip("there is no image; `make image` makes one")
	}
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	all, err := index.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	platforms, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	ran := false
	for _, m := range platforms.Manifests {
		image, err := all.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		packed, unpacked, err := sizes(image)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.1f MB to download, %.1f MB on disk", m.Platform, mega(packed), mega(unpacked))
		if packed > most {
			t.Errorf("%s: %.1f MB to download; want at most %.0f", m.Platform, mega(packed), most/1e6)
		}
		if m.Platform.Architecture != ownArchitecture() {
			continue
		}
		ran = true
		out, err := started(t, image, "version")
		if version := manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"]; err != nil || !strings.Contains(out, version) {
			t.Errorf("daskbot version: got %q, %v; want %s", out, err, version)
		}
	}
	if !ran {
		t.Errorf("none of the image's platforms is %s", ownArchitecture())
	}
}

// ownArchitecture is that of this machine, not of what is compiled for.
func ownArchitecture() string {
	out, err := exec.Command("go", "env", "GOHOSTARCH").Output()
	if err != nil {
		return runtime.GOARCH
	}
	return strings.TrimSpace(string(out))
}

// started starts an image with runc, or, where there is none, in a mount namespace
// with its root mounted read-only.
func started(t *testing.T, image v1.Image, args ...string) (string, error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("it needs root")
	}
	dir := bundleOf(t, image, args...)
	cmd := exec.CommandContext(t.Context(), "runc", "--root", filepath.Join(dir, "state"), "run", "daskbot-image-test-"+filepath.Base(dir))
	if _, err := exec.LookPath("runc"); err != nil {
		file, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		cmd = inNamespace(t, filepath.Join(dir, "rootfs"), append(file.Config.Entrypoint, args...), file.Config.Env)
	}
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if text := strings.ToLower(string(out)); err != nil && (strings.Contains(text, "operation not permitted") || strings.Contains(text, "permission denied")) {
		t.Skipf("this machine lets nobody make containers: %s", out)
	}
	return string(out), err
}

// inNamespace is a command as the image's user in its root, which cannot be
// written to but for the two folders.
func inNamespace(t *testing.T, root string, args, env []string) *exec.Cmd {
	t.Helper()
	for _, tool := range []string{"unshare", "mount", "chroot"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("it needs runc, or %s", tool)
		}
	}
	const script = `set -e
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
for dir in tmp var/lib/daskbot; do mount -t tmpfs -o nosuid,nodev,mode=0770,uid=65532,gid=65532 tmpfs "$root/$dir"; done
exec chroot --userspec=65532:65532 --groups=65532 "$root" "$@"`
	cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "--propagation", "private", "sh", "-c", script, "sh", root}, args...)...)
	cmd.Env = append(slices.Clone(env), "PATH="+os.Getenv("PATH"))
	return cmd
}

// bundleOf unpacks an image and writes how to run it.
func bundleOf(t *testing.T, image v1.Image, args ...string) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "daskbot-bundle-") // t.TempDir lies below folders that others may not enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	unpack(t, image, filepath.Join(dir, "rootfs"))
	file, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	volume := func(path string) map[string]any { // whose it is a cluster says with fsGroup
		return map[string]any{"destination": path, "type": "tmpfs", "source": "tmpfs",
			"options": []string{"nosuid", "nodev", "mode=0770", fmt.Sprintf("uid=%d", nobody), fmt.Sprintf("gid=%d", nobody)}}
	}
	spec := map[string]any{
		"ociVersion": "1.0.2", "root": map[string]any{"path": "rootfs", "readonly": true},
		"process": map[string]any{"cwd": "/", "args": append(slices.Clone(file.Config.Entrypoint), args...), "env": file.Config.Env, "noNewPrivileges": true,
			"user": map[string]int{"uid": nobody, "gid": nobody}, "capabilities": map[string]any{}},
		"mounts": []any{map[string]any{"destination": "/proc", "type": "proc", "source": "proc"}, volume("/tmp"), volume("/var/lib/daskbot")},
		"linux":  map[string]any{"namespaces": []any{map[string]string{"type": "mount"}, map[string]string{"type": "pid"}, map[string]string{"type": "network"}}},
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func unpack(t *testing.T, image v1.Image, root string) {
	t.Helper()
	if err := os.MkdirAll(root, 0o755); err != nil { //nolint:gosec // the user of the image looks into it
		t.Fatal(err)
	}
	content := mutate.Extract(image)
	defer content.Close()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = place(filepath.Join(root, filepath.Clean("/"+h.Name)), h, r)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// place writes one file or folder as the archive says.
func place(path string, h *tar.Header, body io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as in the image
		return err
	}
	if h.Typeflag == tar.TypeDir {
		return errors.Join(os.MkdirAll(path, 0o755), os.Chmod(path, h.FileInfo().Mode()), os.Chown(path, h.Uid, h.Gid)) //nolint:gosec // as in the image
	}
	content, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path, content, h.FileInfo().Mode()), os.Chown(path, h.Uid, h.Gid))
}
