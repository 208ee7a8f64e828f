package cloud

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
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

// TestCopyingStopsNobody sees the cloud answer while a large disk is copied,
// and that a copy that fails leaves no disk.
func TestCopyingStopsNobody(t *testing.T) {
	const project, zone = "sandbox-project", "europe-west1-b"
	w, err := Open(Config{Dir: t.TempDir(), Network: "127.77"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.CreateDisk(t.Context(), project, zone, Disk{Name: "home", Type: "pd-ssd", SizeGB: 10}); err != nil {
		t.Fatal(err)
	}
	// A cp that waits until somebody has written to the gate, and fails then.
	programs := t.TempDir()
	gate := filepath.Join(programs, "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	if err := os.WriteFile(filepath.Join(programs, "cp"), []byte("#!/bin/sh\nread line < "+gate+"\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	snapshot := Resource{Kind: KindSnapshot, Project: project, Location: Global, Name: "s1", SizeGB: 10, Source: "zones/" + zone + "/disks/home"}
	done := make(chan error, 1)
	go func() {
		_, err := w.Insert(snapshot)
		done <- err
	}()
	open, err := os.OpenFile(gate, os.O_WRONLY, 0) // returns when cp is at the gate
	if err != nil {
		t.Fatal(err)
	}
	if w.mu.TryLock() {
		w.mu.Unlock()
	} else {
		t.Error("the cloud is locked while a disk is copied")
	}
	_, err = open.WriteString("go\n")
	_ = open.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("a snapshot whose content could not be copied was made")
	}
	if got := w.Resources(KindSnapshot, project); len(got) != 0 {
		t.Errorf("snapshots are %v; want none", got)
	}
	if left, err := filepath.Glob(filepath.Join(w.contents, "snapshots", project, ".*")); err != nil || len(left) != 0 {
		t.Errorf("left of the copy: %v, %v; want nothing", left, err)
	}
}
