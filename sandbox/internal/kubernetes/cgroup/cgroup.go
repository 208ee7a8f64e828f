package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// system is the group of a node's own processes. Version 2 allows processes in
// leaves only, and the kubelet makes its groups beside it.
const system = "system"

// How long dying processes may keep a group busy.
const patience = 5 * time.Second

// hierarchy is one mounted tree of groups.
type hierarchy struct {
	mount   string
	unified bool
}

// hierarchies lists the trees of this machine. A mount is listed once.
func hierarchies() ([]hierarchy, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	var all []hierarchy
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		h, ok := parse(lines.Text())
		if ok && !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	return all, lines.Err()
}

// parse reads a line of mountinfo: … MOUNT-POINT OPTIONS … - TYPE SOURCE …
func parse(line string) (hierarchy, bool) {
	before, after, ok := strings.Cut(line, " - ")
	fields := strings.Fields(before)
	kind, _, _ := strings.Cut(after, " ")
	if !ok || len(fields) < 5 || kind != "cgroup" && kind != "cgroup2" {
		return hierarchy{}, false
	}
	return hierarchy{mount: fields[4], unified: kind == "cgroup2"}, true
}

// Create makes the group at path, such as /sandbox/node-1, in every hierarchy,
// so that a kubelet can work below it. A group that exists is fine. An error
// means that this machine does not let us make groups.
func Create(path string) error {
	all, err := hierarchies()
	if err != nil {
		return fmt.Errorf("find control groups: %w", err)
	}
	for _, h := range all {
		if err := h.create(filepath.Join(path, system)); err != nil {
			return fmt.Errorf("make control group: %w", err)
		}
	}
	return nil
}

// create makes a group and those above it, each with what it needs before a
// process or a child can use it.
func (h hierarchy) create(path string) error {
	dir := h.mount
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if h.unified {
			h.delegate(dir)
		}
		dir = filepath.Join(dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := inheritCPUs(dir); err != nil {
			return err
		}
	}
	return nil
}

// delegate lets the children of a version 2 group use its controllers. One
// that cannot be delegated is one the kubelet then reports as missing, in words
// better than any here.
func (h hierarchy) delegate(dir string) {
	available, _ := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	for controller := range strings.FieldsSeq(string(available)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
	}
}

// inheritCPUs copies the parent's CPUs and memory nodes: a version 1 cpuset
// begins empty, and nothing can run in an empty one.
func inheritCPUs(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		own, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || strings.TrimSpace(string(own)) != "" {
			continue // not a cpuset, or one that was made before
		}
		parent, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil || strings.TrimSpace(string(parent)) == "" {
			continue // version 2 takes the parent's by itself
		}
		if err := os.WriteFile(filepath.Join(dir, name), parent, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Join moves the calling process, and so everything it starts from now on,
// into the node's group, which Create has made.
func Join(path string) error {
	all, err := hierarchies()
	if err != nil {
		return fmt.Errorf("find control groups: %w", err)
	}
	for _, h := range all {
		procs := filepath.Join(h.mount, path, system, "cgroup.procs")
		if err := os.WriteFile(procs, []byte("0"), 0o644); err != nil {
			return fmt.Errorf("join control group: %w", err)
		}
	}
	return nil
}

// Dirs are the directories of the group at path in every hierarchy where it
// exists.
func Dirs(path string) ([]string, error) {
	all, err := hierarchies()
	if err != nil {
		return nil, fmt.Errorf("find control groups: %w", err)
	}
	var dirs []string
	for _, h := range all {
		dir := filepath.Join(h.mount, path)
		if _, err := os.Stat(dir); err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}

// Remove takes the group at path and all below it away. The processes in them
// must be gone or dying. A group that does not exist is fine.
func Remove(ctx context.Context, path string) error {
	dirs, err := Dirs(path)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, dir := range dirs {
		if err := removeSoon(ctx, dir); err != nil {
			return fmt.Errorf("remove control group: %w", err)
		}
	}
	return nil
}

// removeSoon tries until ctx ends: the kernel tells nobody when the last process
// has left a group.
func removeSoon(ctx context.Context, dir string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := removeTree(dir)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// removeTree removes directories from the leaves up; the files in them are the
// kernel's and go with them.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		if err := removeTree(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Processes are the ids of the processes in the group at path or below it.
func Processes(path string) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it ended while we looked
		}
		if within(string(text), path) {
			var pid int
			if _, err := fmt.Sscanf(file, "/proc/%d/cgroup", &pid); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}

// within reports whether one of a process's groups is path or below it. The
// lines are HIERARCHY:CONTROLLERS:PATH.
func within(groups, path string) bool {
	for line := range strings.Lines(groups) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && (parts[2] == path || strings.HasPrefix(parts[2], path+"/")) {
			return true
		}
	}
	return false
}
