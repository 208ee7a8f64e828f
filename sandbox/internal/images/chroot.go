package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// chroot is a file system for one script: layers below, one directory above
// that takes the changes.
type chroot struct {
	work  string   // for overlayfs's own use
	lower []string // highest first; none: upper is the whole file system
	upper string
	build string // seen as /build
	cache string // seen as /build/cache
}

// enter mounts the file system and becomes the script. It runs in a mount and a
// process namespace of its own: whatever ends it, nothing stays.
const enter = `
set -eu
mount --make-rprivate /
if [ -n "$LOWER" ]; then
	mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" "$ROOT"
else
	mount --bind "$UPPER" "$ROOT"
fi
mount -t tmpfs -o mode=1777 tmp "$ROOT/tmp"
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount --bind "$BUILD" "$ROOT/build"
mount --bind "$CACHE" "$ROOT/build/cache"
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs; do
	if [ -e "$file" ]; then mount --bind "$(readlink -f "$file")" "$ROOT$file"; fi
done
exec chroot "$ROOT" /bin/sh -euc "$SCRIPT"
`

// mountpoints are what the file system must have for enter; they belong to the
// first layer.
var mountpoints = struct{ dirs, files []string }{
	dirs:  []string{"proc", "dev", "tmp", "build", "etc/ssl/certs"},
	files: []string{"etc/resolv.conf", "etc/hosts", "etc/pip.conf"},
}

// run runs the script. The error carries the end of what the script wrote.
func (c chroot) run(ctx context.Context, script string) error {
	root, work := filepath.Join(c.work, "root"), filepath.Join(c.work, "overlay")
	for _, dir := range []string{root, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// The kernel sends the parent-death signal when the thread that forked
	// ends, so that thread must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", enter)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL, Setpgid: true}
	cmd.Env = append(passed(os.Environ()), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LANG=C.UTF-8",
		"LOWER="+strings.Join(c.lower, ":"), "UPPER="+c.upper, "WORK="+work, "ROOT="+root, "BUILD="+c.build, "CACHE="+c.cache, "SCRIPT="+script)
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("%w: %s", err, out.text()), ctx.Err())
	}
	return nil
}

// passed keeps the variables that lead package clients to their registries:
// proxies, certificates, addresses.
func passed(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(v string) bool {
		name, _, _ := strings.Cut(strings.ToLower(v), "=")
		keep := strings.HasPrefix(name, "pip_") && name != "pip_find_links" || strings.HasPrefix(name, "npm_config_") ||
			strings.HasSuffix(name, "_proxy") || strings.Contains(name, "ssl_cert") || name == "node_extra_ca_certs" || name == "requests_ca_bundle"
		return !keep
	})
}

// tail remembers the last few kilobytes written to it.
type tail struct{ buf bytes.Buffer }

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if extra := t.buf.Len() - tailSize; extra > 0 {
		t.buf.Next(extra)
	}
	return len(p), nil
}

func (t *tail) text() string { return strings.TrimSpace(t.buf.String()) }

// ready says what this machine lacks for building.
func ready() error {
	if os.Geteuid() != 0 {
		return errors.New("building images needs root: layers are made with overlay mounts")
	}
	for _, tool := range []string{"apt-get", "dpkg-deb", "tar", "mount", "chroot"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("building images needs %s, which is not installed: %w", tool, err)
		}
	}
	return nil
}
