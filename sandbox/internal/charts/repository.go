package charts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/repo"
	"sigs.k8s.io/yaml"

	"github.com/daskbot/daskbot/sandbox/charts"
)

// file is one thing the repository serves.
type file struct {
	data        []byte
	contentType string
	modified    time.Time
	etag        string
}

// Repository is a chart repository in memory. Its index names the archives
// relative to itself, so it works under any prefix that is stripped before.
type Repository struct {
	files map[string]file
	index *repo.IndexFile
}

// New packages every chart the sandbox carries. An error means that a chart
// in this very program is broken; the caller ends.
func New() (*Repository, error) {
	return build(charts.Files, releases())
}

func build(files fs.FS, list []released) (*Repository, error) {
	r := &Repository{files: map[string]file{}, index: repo.NewIndexFile()}
	r.index.Generated = time.Time{}
	for _, release := range list {
		if err := r.add(files, release); err != nil {
			return nil, err
		}
		if release.at.After(r.index.Generated) {
			r.index.Generated = release.at
		}
	}
	r.index.SortEntries()
	data, err := yaml.Marshal(r.index)
	if err != nil {
		return nil, fmt.Errorf("write chart index: %w", err)
	}
	r.put("index.yaml", "text/yaml; charset=utf-8", data, r.index.Generated)
	return r, nil
}

// add packages one release and enters it into the index.
func (r *Repository) add(files fs.FS, release released) error {
	loaded, buffered, err := load(files, release)
	if err != nil {
		return err
	}
	data, err := archive(loaded.Name(), buffered, release.at)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s.tgz", loaded.Name(), loaded.Metadata.Version)
	digest := sha256.Sum256(data)
	entry := &repo.ChartVersion{
		Metadata: loaded.Metadata,
		URLs:     []string{name},
		Created:  release.at,
		Digest:   hex.EncodeToString(digest[:]),
	}
	r.index.Entries[loaded.Name()] = append(r.index.Entries[loaded.Name()], entry)
	r.put(name, "application/gzip", data, release.at)
	return nil
}

func (r *Repository) put(name, contentType string, data []byte, modified time.Time) {
	digest := sha256.Sum256(data)
	r.files[name] = file{
		data:        data,
		contentType: contentType,
		modified:    modified,
		etag:        `"` + hex.EncodeToString(digest[:16]) + `"`,
	}
}

// Versions lists the versions on offer of a chart, newest first; none when
// there is no such chart.
func (r *Repository) Versions(name string) []string {
	var versions []string
	for _, entry := range r.index.Entries[name] {
		versions = append(versions, entry.Version)
	}
	return versions
}

// Chart loads one version of a chart without going over HTTP. The error names
// what is not there.
func (r *Repository) Chart(name, version string) (*chart.Chart, error) {
	found, ok := r.files[fmt.Sprintf("%s-%s.tgz", name, version)]
	if !ok {
		return nil, fmt.Errorf("chart %s has no version %s", name, version)
	}
	return loader.LoadArchive(bytes.NewReader(found.data))
}

// ServeHTTP answers GET and HEAD for index.yaml and the archives, with ETag
// and If-None-Match, and 404 for all else.
func (r *Repository) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "a chart repository is only read", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean(req.URL.Path), "/")
	found, ok := r.files[name]
	if !ok {
		http.NotFound(w, req)
		return
	}
	w.Header().Set("Content-Type", found.contentType)
	w.Header().Set("ETag", found.etag)
	http.ServeContent(w, req, name, found.modified, bytes.NewReader(found.data))
}
