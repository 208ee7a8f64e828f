// Package csi is the part of the persistent disk driver that runs on a node:
// it registers with the kubelet and mounts a disk's content, which is a
// directory of the host, where the kubelet wants it. It makes, attaches and
// deletes no disks; that is package volume.
package csi
