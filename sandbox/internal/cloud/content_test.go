package cloud

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// TestContent follows a home directory from a disk through a snapshot to
// another disk.
func TestContent(t *testing.T) {
	const project, zone = "sandbox-project", "europe-west1-b"
	w, err := Open(Config{Dir: t.TempDir(), Network: "127.77"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.CreateDisk(t.Context(), project, zone, Disk{Name: "home", Type: "pd-balanced", SizeGB: 10}); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(w.Contents(), project, zone, "home")
	if err := os.WriteFile(filepath.Join(home, "pi.ipynb"), []byte("first"), 0o644); err != nil {
		t.Fatal(err)
	}
	insert := func(r Resource) {
		t.Helper()
		r.Project = project
		if _, err := w.Insert(r); err != nil {
			t.Fatal(err)
		}
	}
	insert(Resource{Kind: KindSnapshot, Location: Global, Name: "s1", SizeGB: 10, Source: "projects/" + project + "/zones/" + zone + "/disks/home"})
	if err := os.WriteFile(filepath.Join(home, "pi.ipynb"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	insert(Resource{Kind: KindDisk, Location: "europe-west1-c", Name: "home2", Type: "pd-ssd", SizeGB: 10, Asked: json.RawMessage(`{"sourceSnapshot": "global/snapshots/s1"}`)})
	if err := w.DeleteDisk(t.Context(), project, zone, "home"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(home); !os.IsNotExist(err) {
		t.Errorf("content of a deleted disk: %v; want none", err)
	}
	got, err := os.ReadFile(filepath.Join(w.Contents(), project, "europe-west1-c", "home2", "pi.ipynb"))
	if string(got) != "first" {
		t.Errorf("the disk made from the snapshot has %q, %v; want what the first disk had then", got, err)
	}
	if err := w.CreateDisk(t.Context(), project, zone, Disk{Name: "home", Type: "pd-balanced", SizeGB: 10}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) > 0 {
		t.Errorf("a new disk of an old name has %v, %v; want nothing", left, err)
	}
}
