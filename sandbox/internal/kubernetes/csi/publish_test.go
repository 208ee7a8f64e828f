package csi

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func driver(t *testing.T) *Driver {
	t.Helper()
	disks := t.TempDir()
	if err := os.MkdirAll(filepath.Join(disks, "p/europe-west1-b/home"), 0o755); err != nil {
		t.Fatal(err)
	}
	return New(Config{Node: "n1", Zone: "europe-west1-b", Disks: disks, KubeletDir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
}

const home = "projects/p/zones/europe-west1-b/disks/home"

func TestContent(t *testing.T) {
	d := driver(t)
	for handle, want := range map[string]codes.Code{
		home: codes.OK,
		"projects/p/zones/europe-west1-b/disks/gone":      codes.NotFound,
		"projects/p/zones/europe-west1-c/disks/home":      codes.FailedPrecondition,
		"projects/p/zones/europe-west1-b/disks/..":        codes.InvalidArgument,
		"projects/p/zones/europe-west1-b/disks/home/more": codes.InvalidArgument,
		"vol-1": codes.InvalidArgument,
	} {
		if _, err := d.content(handle); status.Code(err) != want {
			t.Errorf("content(%q) = %v; want %s", handle, err, want)
		}
	}
}

func TestPublish(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	d := driver(t)
	target := filepath.Join(t.TempDir(), "pod", "mount")
	request := &csi.NodePublishVolumeRequest{VolumeId: home, TargetPath: target}
	for range 2 { // the kubelet asks again when it is not sure
		if _, err := d.NodePublishVolume(t.Context(), request); err != nil {
			t.Skipf("this machine lets nobody mount: %v", err)
		}
	}
	if err := os.WriteFile(filepath.Join(target, "f"), []byte("kept"), 0o644); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := d.NodeUnpublishVolume(t.Context(), &csi.NodeUnpublishVolumeRequest{VolumeId: home, TargetPath: target}); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(target); !os.IsNotExist(err) {
		t.Errorf("target after unpublish: %v; want none", err)
	}
	got, err := os.ReadFile(filepath.Join(d.Disks, "p/europe-west1-b/home/f"))
	if string(got) != "kept" {
		t.Errorf("content is %q, %v; want what the pod wrote", got, err)
	}
}
