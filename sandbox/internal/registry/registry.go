package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/daskbot/daskbot/sandbox/internal/images"
)

// Config says what to serve.
type Config struct {
	Store *images.Store
	Log   *slog.Logger
}

// Registry serves images below /v2/ and Python packages below /packages/.
type Registry struct{ cfg Config }

var _ http.Handler = (*Registry)(nil)

// New returns a registry. Images built later are served as soon as they are
// there.
func New(cfg Config) *Registry { return &Registry{cfg} }

// ServeHTTP answers GET and HEAD.
func (g *Registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/packages/") {
		g.servePackages(w, r)
		return
	}
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, http.StatusMethodNotAllowed, "UNSUPPORTED", "this registry is for pulling only")
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	if path == "" || path == r.URL.Path {
		_, _ = w.Write([]byte("{}"))
		return
	}
	repository, kind, reference := split(path)
	image, ok := find(r.URL.Query().Get("ns"), repository)
	if !ok {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "no image of the sandbox answers to "+repository)
		return
	}
	built, err := g.cfg.Store.Image(image, packagesFrom(r.Host)...)
	if err != nil {
		g.failed(w, image, err)
		return
	}
	switch kind {
	case "manifests":
		err = g.manifest(w, r, built, reference)
	case "blobs":
		err = g.blob(w, r, built, reference)
	default:
		refuse(w, http.StatusNotFound, "UNSUPPORTED", "no such thing here")
	}
	if err != nil {
		g.failed(w, image, err)
	}
}

// split takes NAME/manifests/REFERENCE apart; a name may hold slashes.
func split(path string) (repository, kind, reference string) {
	parts := strings.Split(path, "/")
	if len(parts) < 3 {
		return "", "", ""
	}
	last := len(parts) - 1
	return strings.Join(parts[:last-1], "/"), parts[last-1], parts[last]
}

// manifest answers with the image's manifest, whatever the tag.
func (g *Registry) manifest(w http.ResponseWriter, r *http.Request, image v1.Image, reference string) error {
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	if strings.Contains(reference, ":") && reference != digest.String() {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "the image has been built anew since")
		return nil
	}
	kind, err := image.MediaType()
	if err != nil {
		return err
	}
	manifest, err := image.RawManifest()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", string(kind))
	w.Header().Set("Docker-Content-Digest", digest.String())
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(manifest))
	return nil
}

// blob answers with the image's configuration or one of its layers.
func (g *Registry) blob(w http.ResponseWriter, r *http.Request, image v1.Image, reference string) error {
	digest, err := v1.NewHash(reference)
	if err != nil {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "not a digest")
		return nil
	}
	w.Header().Set("Docker-Content-Digest", digest.String())
	w.Header().Set("Content-Type", "application/octet-stream")
	if own, err := image.ConfigName(); err != nil {
		return err
	} else if own == digest {
		config, err := image.RawConfigFile()
		if err != nil {
			return err
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(config))
		return nil
	}
	if _, err := image.LayerByDigest(digest); err != nil {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "the image has no such part")
		return nil
	}
	f, err := os.Open(g.cfg.Store.Blob(digest))
	if err != nil {
		return err
	}
	defer f.Close()
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

func (g *Registry) failed(w http.ResponseWriter, image string, err error) {
	if errors.Is(err, images.ErrNotBuilt) {
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", fmt.Sprintf("the image %s is not built; run daskbot-sandbox images build", image))
		return
	}
	g.cfg.Log.Error("serve an image", "image", image, "error", err)
	refuse(w, http.StatusInternalServerError, "UNKNOWN", "see the sandbox's log")
}

// refuse answers in the protocol's form of an error.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
