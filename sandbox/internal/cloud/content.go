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

// fill makes the content of a new disk or snapshot: that of what it is made
// from, or nothing. What an earlier one of the name left is not seen.
func (w *World) fill(r *Resource) error {
	dir := w.content(r)
	if dir == "" {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("make the content of %s: %w", r.path(), err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the content of %s: %w", r.path(), err)
	}
	from := w.content(origin(r))
	if _, err := os.Stat(from); from == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// cp knows owners, links, holes and extended attributes, and shares blocks
	// where the file system can. An insert cannot be cancelled half-way.
	//nolint:noctx // see above
	if out, err := exec.Command("cp", "-a", "--reflink=auto", from+"/.", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("copy the content of %s: %w: %s", r.path(), err, out)
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
