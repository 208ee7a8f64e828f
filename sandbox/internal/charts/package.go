package charts

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
)

// released is one version of a chart as the repository offers it.
type released struct {
	folder  string    // in the embedded files
	overlay string    // folder whose files replace those of the same name; may be empty
	at      time.Time // what the index says it was created
}

// releases lists every version on offer. The dates are those of the charts
// people know, not of this program.
func releases() []released {
	early := time.Date(2024, 1, 16, 0, 0, 0, 0, time.UTC)
	spring := time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)
	summer := time.Date(2026, 6, 12, 0, 0, 0, 0, time.UTC)
	const hub = "/charts/jupyterhub"
	return []released{
		{folder: "daskhub", overlay: "older/daskhub-2024.1.1", at: early},
		{folder: "daskhub", at: summer},
		{folder: "daskhub" + hub, overlay: "older/daskhub-2024.1.1" + hub, at: early},
		{folder: "daskhub" + hub, at: summer},
		{folder: "dask", overlay: "older/dask-2024.1.1", at: early},
		{folder: "dask", at: summer},
		{folder: "dask-kubernetes-operator", at: spring},
	}
}

// load reads a release's files, checks that they make a chart and returns
// both, the files sorted by name.
func load(files fs.FS, r released) (*chart.Chart, []*loader.BufferedFile, error) {
	content := map[string][]byte{}
	for _, folder := range []string{r.folder, r.overlay} {
		if folder == "" {
			continue
		}
		if err := read(files, folder, content); err != nil {
			return nil, nil, fmt.Errorf("read chart %s: %w", folder, err)
		}
	}
	buffered := make([]*loader.BufferedFile, 0, len(content))
	for name, data := range content {
		buffered = append(buffered, &loader.BufferedFile{Name: name, Data: data})
	}
	slices.SortFunc(buffered, func(a, b *loader.BufferedFile) int { return cmp.Compare(a.Name, b.Name) })
	loaded, err := loader.LoadFiles(buffered)
	if err != nil {
		return nil, nil, fmt.Errorf("load chart %s: %w", r.folder, err)
	}
	if err := loaded.Validate(); err != nil {
		return nil, nil, fmt.Errorf("validate chart %s: %w", r.folder, err)
	}
	return loaded, buffered, nil
}

// read adds the files under folder to content, by their name inside it.
func read(files fs.FS, folder string, content map[string][]byte) error {
	return fs.WalkDir(files, folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		content[strings.TrimPrefix(name, folder+"/")] = data
		return nil
	})
}

// archive packs files as helm package would. chartutil.Save is not used: it
// writes to disk, stamps the time of the day, and so never gives the same
// bytes twice.
func archive(name string, files []*loader.BufferedFile, at time.Time) ([]byte, error) {
	var buffer bytes.Buffer
	zipped := gzip.NewWriter(&buffer)
	packed := tar.NewWriter(zipped)
	for _, file := range files {
		header := &tar.Header{Name: path.Join(name, file.Name), Mode: 0o644, Size: int64(len(file.Data)), ModTime: at}
		if err := packed.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("pack %s: %w", header.Name, err)
		}
		if _, err := packed.Write(file.Data); err != nil {
			return nil, fmt.Errorf("pack %s: %w", header.Name, err)
		}
	}
	if err := packed.Close(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("pack %s: %w", name, err)
	}
	return buffer.Bytes(), nil
}
