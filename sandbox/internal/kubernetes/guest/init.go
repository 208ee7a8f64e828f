package guest

import (
	"fmt"
	"os"
	"syscall"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/cgroup"
)

// Init is the first process of a node: it joins the node's control group, lays
// out the file system, starts this program again with the given arguments, and
// buries every process of the node that loses its parent. It returns when the
// process it started has ended, and the caller must exit then; the kernel ends
// whatever else is left.
//
// An error means that the node could not be laid out; the host tries again.
func Init(spec Spec, args ...string) error {
	if os.Getpid() != 1 {
		return fmt.Errorf("process %d is not the first of a node", os.Getpid())
	}
	if err := cgroup.Join(spec.Cgroup); err != nil {
		return err
	}
	if err := layOut(spec); err != nil {
		return fmt.Errorf("lay out the node's file system: %w", err)
	}
	child, err := os.StartProcess("/proc/self/exe", append([]string{os.Args[0]}, args...), &os.ProcAttr{
		Dir: "/", Env: environment(spec), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return err
	}
	return bury(child.Pid)
}

// environment is what the node's processes inherit. A proxy for the host's own
// downloads must not come between a node and its cluster.
func environment(spec Spec) []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "HOSTNAME=" + spec.Name}
}

// bury waits for processes until the one named has ended.
func bury(pid int) error {
	for {
		var status syscall.WaitStatus
		gone, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return fmt.Errorf("wait for the node's processes: %w", err)
		case gone == pid:
			return fmt.Errorf("the node's supervisor ended: exit %d, signal %d", status.ExitStatus(), status.Signal())
		}
	}
}
