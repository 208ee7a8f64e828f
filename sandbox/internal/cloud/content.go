package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// Contents are directories below which the contents of disks and snapshots
// lie, where something writes to them: PROJECT/ZONE/NAME for a disk.
func (w *World) Contents() string { return filepath.Join(w.contents, "disks") }

// content is the directory of a disk's or a snapshot's content, "" for what
// has none.
func (w *World) content(r *Resource) string {
	switch r.Kind {
	case KindDisk:
		return filepath.Join(w.Contents(), r.Project, r.Location, r.Name)
	case KindSnapshot:
		return filepath.Join(w.contents, "snapshots", r.Project, r.Name)
	default:
		return ""
	}
}

// prepared is the content of a resource that is about to be made; its paths
// are empty for what has none.
type prepared struct{ of, here, place string }

// prepare makes the content of a new disk or snapshot, that of what it is made
// from or nothing, beside its place.
func (w *World) prepare(r *Resource) (prepared, error) {
	p := prepared{of: r.path(), place: w.content(r)}
	if p.place == "" {
		return prepared{}, nil
	}
	err := os.MkdirAll(filepath.Dir(p.place), 0o755)
	if err == nil {
		p.here, err = os.MkdirTemp(filepath.Dir(p.place), ".new-")
	}
	if err == nil {
		err = errors.Join(os.Chmod(p.here, 0o755), copyContent(w.content(origin(r)), p.here))
	}
	if err != nil {
		p.discard()
		return prepared{}, fmt.Errorf("make the content of %s: %w", p.of, err)
	}
	return p, nil
}

// settle puts the content in its place. What an earlier resource of the name
// left there is not seen.
func (p prepared) settle() error {
	if p.place == "" {
		return nil
	}
	if err := errors.Join(os.RemoveAll(p.place), os.Rename(p.here, p.place)); err != nil {
		return fmt.Errorf("make the content of %s: %w", p.of, err)
	}
	return nil
}

// discard removes what was not settled.
func (p prepared) discard() {
	if p.here != "" {
		_ = os.RemoveAll(p.here) // what stays is in nobody's way
	}
}

// copyContent copies a directory into another; one that does not exist is an
// empty one.
func copyContent(from, to string) error {
	if _, err := os.Stat(from); from == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// cp knows owners, links, holes and extended attributes, and shares blocks
	// where the file system can. An insert cannot be cancelled half-way.
	//nolint:noctx // see above
	if out, err := exec.Command("cp", "-a", "--reflink=auto", from+"/.", to).CombinedOutput(); err != nil {
		return fmt.Errorf("copy: %w: %s", err, out)
	}
	return nil
}

// origin is the resource whose content a new one begins with: the disk of a
// snapshot, or the snapshot of a disk. Its kind is empty when there is none.
func origin(r *Resource) *Resource {
	if r.Kind == KindSnapshot && r.Source != "" {
		zone := path.Base(path.Dir(path.Dir(r.Source)))
		return &Resource{Kind: KindDisk, Project: r.Project, Location: zone, Name: path.Base(r.Source)}
	}
	var asked struct {
		SourceSnapshot string `json:"sourceSnapshot"`
	}
	if r.Kind == KindDisk && json.Unmarshal(r.Asked, &asked) == nil && asked.SourceSnapshot != "" {
		return &Resource{Kind: KindSnapshot, Project: r.Project, Location: Global, Name: path.Base(asked.SourceSnapshot)}
	}
	return &Resource{}
}

// empty removes the content of what is gone. What cannot be removed is told
// and stays: it is replaced should the name come again.
func (w *World) empty(r *Resource) {
	dir := w.content(r)
	if dir == "" {
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		w.log.Warn("content stays", "of", r.path(), "error", err)
	}
}
