package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/spdx/tools-golang/json"
)

// small is a module whose program takes a moment to compile; what is made of
// the real one differs in size only.
func small(t *testing.T) request {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{
		"go.mod":  "module example.edu/small\n\ngo 1.26.0\n",
		"main.go": "package main\n\nvar release string\n\nfunc main() { println(release) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return request{
		program:   program{source: dir, pkg: ".", version: "v1.2.3", revision: "abc", created: time.Unix(1_800_000_000, 0).UTC()},
		platforms: []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}},
		out:       t.TempDir(),
	}
}

func made(t *testing.T, r request) built {
	t.Helper()
	b, err := build(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTheSameSourceGivesTheSameDigest builds twice, in two folders.
func TestTheSameSourceGivesTheSameDigest(t *testing.T) {
	first, err := made(t, small(t)).index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	second, err := made(t, small(t)).index.Digest()
	if err != nil || first != second {
		t.Errorf("got %s and %s, %v; want the same twice", first, second, err)
	}
	later := small(t)
	later.version = "v1.2.4"
	if third, err := made(t, later).index.Digest(); err != nil || third == first {
		t.Errorf("another version: got %s, %v; want another digest", third, err)
	}
}

func TestLayout(t *testing.T) {
	r := small(t)
	b := made(t, r)
	if err := b.write(r.out); err != nil {
		t.Fatal(err)
	}
	read, err := layout.ImageIndexFromPath(filepath.Join(r.out, "image"))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(read); err != nil {
		t.Error(err)
	}
	list, err := read.IndexManifest()
	if err != nil || len(list.Manifests) != 3 {
		t.Fatalf("the layout: got %v, %v; want the image and two bills of materials", list, err)
	}
	if got := list.Manifests[0].Annotations["org.opencontainers.image.ref.name"]; got != "v1.2.3" {
		t.Errorf("the image's name in the layout: got %q", got)
	}
	image, err := b.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, m := range image.Manifests {
		platforms = append(platforms, m.Platform.String())
	}
	if want := []string{"linux/amd64", "linux/arm64"}; !slices.Equal(platforms, want) {
		t.Errorf("platforms: got %v, want %v", platforms, want)
	}
}

// TestFiles sees what is in the image, whose it is, and that nobody but the
// daemon's user may write, and where.
func TestFiles(t *testing.T) {
	files := map[string]*tar.Header{}
	content := mutate.Extract(made(t, small(t)).parts[0].image)
	defer content.Close()
	var roots []byte
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimSuffix(h.Name, "/")] = h
		if strings.HasSuffix(h.Name, ".crt") {
			if roots, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(files) != 11 || files["daskbot"] == nil || files["etc/passwd"] == nil {
		t.Errorf("files: got %d; want the program, users, certificates and the folders above them", len(files))
	}
	for path, h := range files {
		writable := h.Uid == nobody || h.Mode&0o022 != 0
		if want := path == "tmp" || path == "var/lib/daskbot"; writable != want {
			t.Errorf("%s: mode %o of user %d; writable for the daemon: got %v, want %v", path, h.Mode, h.Uid, writable, want)
		}
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(roots) || bytes.Count(roots, []byte("BEGIN")) < 100 {
		t.Errorf("root certificates: got %d, want the web's", bytes.Count(roots, []byte("BEGIN")))
	}
}

// TestBill reads the bill of materials back, and follows it to its image.
func TestBill(t *testing.T) {
	p := made(t, small(t)).parts[1]
	doc, err := json.Read(bytes.NewReader(p.bill))
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, pkg := range doc.Packages {
		parts = append(parts, pkg.PackageExternalReferences[0].Locator)
	}
	if len(parts) != 2 || parts[0] != "pkg:golang/example.edu/small@v1.2.3" || !strings.HasPrefix(parts[1], "pkg:golang/stdlib@1.") {
		t.Errorf("parts: got %v; want the program and the standard library", parts)
	}
	manifest, err := p.attached.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := p.image.Digest(); err != nil || manifest.Subject == nil || manifest.Subject.Digest != want {
		t.Errorf("the bill is of %v, want %s, %v", manifest.Subject, want, err)
	}
}

// TestPublish writes to a registry and pulls as a node of either kind would.
func TestPublish(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	repository := strings.TrimPrefix(server.URL, "http://") + "/teaching/daskbot"
	var said bytes.Buffer
	b := made(t, small(t))
	if err := b.publish(t.Context(), repository, &said); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag(repository + ":v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range b.parts {
		pulled, err := remote.Image(tag, remote.WithPlatform(p.platform), remote.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := pulled.Digest()
		if want, _ := p.image.Digest(); err != nil || got != want {
			t.Errorf("%s: pulled %s, %v; want %s", p.platform, got, err, want)
		}
		referrers, err := remote.Referrers(tag.Digest(got.String()), remote.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if list, err := referrers.IndexManifest(); err != nil || len(list.Manifests) != 1 {
			t.Errorf("%s: the registry lists %v, %v; want its bill of materials", p.platform, list, err)
		}
	}
	if digest, _ := b.index.Digest(); !strings.Contains(said.String(), digest.String()) {
		t.Errorf("it said %q, without the digest", said.String())
	}
}

// TestTheDockerfileSaysTheSame compares what both ways to build set.
func TestTheDockerfileSaysTheSame(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, ok := strings.Cut(string(text), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the Dockerfile has no last stage FROM scratch")
	}
	said := func(instruction string) string {
		var all []string
		for _, m := range regexp.MustCompile(`(?m)^`+instruction+` (.*)$`).FindAllStringSubmatch(last, -1) {
			all = append(all, m[1])
		}
		return strings.Join(all, " ")
	}
	want := settings()
	for instruction, value := range map[string]string{
		"USER": want.User, "ENV": strings.Join(want.Env, " "), "EXPOSE": "8080", "VOLUME": "/var/lib/daskbot",
		"ENTRYPOINT": `["/daskbot"]`, "CMD": `["serve", "--config", "/etc/daskbot/daskbot.yaml"]`,
	} {
		if got := said(instruction); got != value {
			t.Errorf("%s: the Dockerfile says %q, the image has %q", instruction, got, value)
		}
	}
	for _, flag := range []string{"CGO_ENABLED=0", "-trimpath", "-tags timetzdata", "-X main.release=", "GOOS=${TARGETOS:-linux}", "GOARCH=${TARGETARCH}"} {
		if !strings.Contains(string(text), flag) {
			t.Errorf("the Dockerfile compiles without %s", flag)
		}
	}
	if found := regexp.MustCompile(`(?m)^ARG TARGET\w+=.*$`).FindString(string(text)); found != "" {
		t.Errorf("the Dockerfile says %q, which counts more than the platform that the builder asks for", found)
	}

}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{{"--created", "yesterday"}, {"--platforms", "linux/amd64/v8/x/y"}, {"--no-such"}} {
		if err := run(context.WithoutCancel(t.Context()), args, io.Discard); err == nil {
			t.Errorf("%v: got no error", args)
		}
	}
}
