package csi

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// NodePublishVolume mounts a disk's content at the path the kubelet names. It
// is NotFound when there is no such disk.
func (d *Driver) NodePublishVolume(_ context.Context, r *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	if r.GetVolumeCapability().GetBlock() != nil {
		return nil, status.Error(codes.InvalidArgument, "this sandbox has no block volumes: ask for a file system")
	}
	content, err := d.content(r.VolumeId)
	if err != nil {
		return nil, err
	}
	mounted, err := isMountPoint(r.TargetPath)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "look at %s: %v", r.TargetPath, err)
	}
	if mounted {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	if err := os.MkdirAll(r.TargetPath, 0o750); err != nil {
		return nil, status.Errorf(codes.Internal, "make %s: %v", r.TargetPath, err)
	}
	if err := syscall.Mount(content, r.TargetPath, "", syscall.MS_BIND, ""); err != nil {
		return nil, status.Errorf(codes.Internal, "mount %s: %v", r.VolumeId, err)
	}
	if r.Readonly {
		if err := syscall.Mount("none", r.TargetPath, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			return nil, status.Errorf(codes.Internal, "mount %s read-only: %v", r.VolumeId, err)
		}
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

// NodeUnpublishVolume undoes NodePublishVolume; what is undone already is fine.
func (d *Driver) NodeUnpublishVolume(_ context.Context, r *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	err := syscall.Unmount(r.TargetPath, 0)
	if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
		return nil, status.Errorf(codes.Internal, "unmount %s: %v", r.TargetPath, err)
	}
	// Remove takes an empty directory only: should the unmount have missed
	// something, the content is safe.
	if err := os.Remove(r.TargetPath); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, status.Errorf(codes.Internal, "remove %s: %v", r.TargetPath, err)
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// content is the directory of the disk that a volume handle names.
func (d *Driver) content(handle string) (string, error) {
	parts := strings.Split(handle, "/")
	if len(parts) != 6 || parts[0] != "projects" || parts[2] != "zones" || parts[4] != "disks" {
		return "", status.Errorf(codes.InvalidArgument, "volume handle %q is not projects/P/zones/Z/disks/D", handle)
	}
	for _, part := range parts {
		if part == "" || part == "." || part == ".." {
			return "", status.Errorf(codes.InvalidArgument, "volume handle %q names no disk", handle)
		}
	}
	if parts[3] != d.Zone {
		return "", status.Errorf(codes.FailedPrecondition, "disk %s is in zone %s and node %s in %s", parts[5], parts[3], d.Node, d.Zone)
	}
	dir := filepath.Join(d.Disks, parts[1], parts[3], parts[5])
	if _, err := os.Stat(dir); err != nil {
		return "", status.Errorf(codes.NotFound, "the disk %s was not found", handle)
	}
	return dir, nil
}

// isMountPoint reports whether something is mounted at a path. A path that
// does not exist is none.
func isMountPoint(path string) (bool, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == path {
			return true, nil
		}
	}
	return false, nil
}
