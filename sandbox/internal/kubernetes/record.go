package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/nodepool"
)

// record is what is on disk of a control plane.
type record struct {
	Spec  cloud.ClusterSpec `json:"spec"`
	IP    string            `json:"ip"`             // its own loopback address
	Port  int               `json:"port,omitempty"` // where clients connect
	Nodes nodepool.State    `json:"nodes"`
	Index int               `json:"index"` // its number among the clusters with real nodes
	Real  bool              `json:"realNodes,omitempty"`
}

const recordName = "cluster.json"

// save writes the record so that a kill leaves either the old or the new one.
func (r record) save(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, recordName)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// loadRecords reads the control planes under dir. A directory without a record
// is what a crash left of a start or a stop, and is removed.
func loadRecords(dir string) ([]record, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var records []record
	for _, entry := range entries {
		r, err := loadRecord(filepath.Join(dir, entry.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		default:
			records = append(records, r)
		}
	}
	return records, nil
}

func loadRecord(dir string) (r record, err error) {
	data, err := os.ReadFile(filepath.Join(dir, recordName))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", filepath.Join(dir, recordName), err)
	}
	return r, nil
}
