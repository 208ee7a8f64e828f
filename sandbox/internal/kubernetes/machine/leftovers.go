package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/cgroup"
)

// Leftovers lists what real nodes of a state directory have outside it:
// processes, mounts, network interfaces, packet filter tables and control
// groups. After a sandbox has stopped the list is empty.
func Leftovers(ctx context.Context, dir string) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	id := ID(dir)
	var all []string
	for _, look := range []func(ctx context.Context, id, dir string) ([]string, error){processes, mounts, links, tables, groups} {
		found, err := look(ctx, id, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// processes are those in our control groups, and those that were told of a file
// in the state directory.
func processes(_ context.Context, id, dir string) ([]string, error) {
	pids, err := cgroup.Processes(group(id))
	if err != nil {
		return nil, err
	}
	ours := map[int]bool{}
	for _, pid := range pids {
		ours[pid] = true
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, file := range files {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		text, err := os.ReadFile(file)
		if err != nil || pid == os.Getpid() {
			continue
		}
		command := strings.ReplaceAll(strings.TrimRight(string(text), "\x00"), "\x00", " ")
		if ours[pid] || pid != os.Getppid() && strings.Contains(command, dir+"/") {
			found = append(found, fmt.Sprintf("process %d: %.100s", pid, command))
		}
	}
	return found, nil
}

func mounts(_ context.Context, _, dir string) ([]string, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var found []string
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			found = append(found, "mount "+fields[4])
		}
	}
	return found, nil
}

func links(_ context.Context, id, _ string) ([]string, error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, link := range all {
		if strings.HasPrefix(link.Attrs().Name, "db"+id) {
			found = append(found, strings.TrimSuffix("network interface "+link.Attrs().Name+" of "+link.Attrs().Alias, " of "))
		}
	}
	return found, nil
}

func tables(ctx context.Context, id, _ string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "nft", "list", "tables").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, nil // then nobody made one
	}
	if err != nil {
		return nil, fmt.Errorf("list packet filter tables: %w", err)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if strings.TrimSpace(line) == "table ip "+table(id) {
			found = append(found, "packet filter "+strings.TrimSpace(line))
		}
	}
	return found, nil
}

func groups(_ context.Context, id, _ string) ([]string, error) {
	dirs, err := cgroup.Dirs(group(id))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, dir := range dirs {
		found = append(found, "control group "+dir)
		nodes, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, node := range nodes {
			if node.IsDir() {
				found = append(found, "control group "+filepath.Join(dir, node.Name()))
			}
		}
	}
	return found, nil
}

// Clear removes everything Leftovers finds, except mounts, which only a node's
// own processes can have made and which end with them, and processes outside the
// nodes, which end with the sandbox. Nothing to remove is fine. The sandbox must
// not run.
func Clear(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	id := ID(dir)
	return errors.Join(kill(ctx, id), unplug(id), dropTable(ctx, id), cgroup.Remove(ctx, group(id)), forwarding.back())
}

// kill ends what runs in our control groups and waits for it.
func kill(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		pids, err := cgroup.Processes(group(id))
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d processes of nodes do not end", len(pids))
		case <-tick.C:
		}
	}
}

func unplug(id string) error {
	all, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("list network interfaces: %w", err)
	}
	for _, link := range all {
		if !strings.HasPrefix(link.Attrs().Name, "db"+id) {
			continue
		}
		if err := netlink.LinkDel(link); err != nil && !errors.Is(err, syscall.ENODEV) {
			return fmt.Errorf("remove network interface %s: %w", link.Attrs().Name, err)
		}
	}
	return nil
}

func dropTable(ctx context.Context, id string) error {
	found, err := tables(ctx, id, "")
	if err != nil || len(found) == 0 {
		return err
	}
	if out, err := exec.CommandContext(ctx, "nft", "delete", "table", "ip", table(id)).CombinedOutput(); err != nil {
		return fmt.Errorf("remove packet filter table: %w: %s", err, out)
	}
	return nil
}
