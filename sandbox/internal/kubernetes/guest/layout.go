package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Places inside a node. They are where a real machine has them, so that pods
// which mount the host's paths find what they expect.
const (
	disksDir      = "/var/lib/disks"
	kubeletDir    = "/var/lib/kubelet"
	containerdDir = "/var/lib/containerd"
	logDir        = "/var/log"
	settingsDir   = "/run/node"
	socket        = "/run/containerd/containerd.sock"
)

// tunables are what the kubelet sets for the whole kernel. The host keeps its
// own values: the node writes to files of its own in their place.
var tunables = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes",
}

// mount is one call of mount(2).
type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

// layOut gives the calling process's mount namespace the file system of a node:
// the host's, with a /var/lib, /var/log and /run of the node's own.
func layOut(spec Spec) error {
	if err := syscall.Sethostname([]byte(spec.Name)); err != nil {
		return err
	}
	own := filepath.Join(spec.Dir, "lib")
	log := filepath.Join(spec.Dir, "log")
	for _, dir := range []string{filepath.Join(own, "disks"), filepath.Join(own, "kubelet"), filepath.Join(own, "containerd"), log} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	err := do([]mount{
		// What the host mounts and unmounts later is followed; nothing goes
		// the other way. Pods may ask for propagation among themselves.
		{"none", "/", "", syscall.MS_REC | syscall.MS_SLAVE, ""},
		{"none", "/", "", syscall.MS_REC | syscall.MS_SHARED, ""},
		{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
		{spec.Disks, filepath.Join(own, "disks"), "", syscall.MS_BIND, ""},
		{log, logDir, "", syscall.MS_BIND, ""},
	})
	if err != nil {
		return err
	}
	settings, err := readSettings(spec)
	if err != nil {
		return err
	}
	err = do([]mount{
		{own, "/var/lib", "", syscall.MS_BIND | syscall.MS_REC, ""},
		{"run", "/run", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=755"},
	})
	if err != nil {
		return err
	}
	if err := settings.write(); err != nil {
		return err
	}
	return shieldTunables()
}

func do(mounts []mount) error {
	for _, m := range mounts {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.source, m.target, err)
		}
	}
	return nil
}

// shieldTunables puts a copy of each tunable in its place.
func shieldTunables() error {
	dir := filepath.Join(settingsDir, "sysctl")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range tunables {
		real := filepath.Join("/proc/sys", name)
		value, err := os.ReadFile(real)
		if err != nil {
			continue // this kernel has no such tunable
		}
		copied := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(copied, value, 0o600); err != nil {
			return err
		}
		if err := do([]mount{{copied, real, "", syscall.MS_BIND, ""}}); err != nil {
			return err
		}
	}
	return nil
}
