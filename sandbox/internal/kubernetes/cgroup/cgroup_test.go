package cgroup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	tests := map[string]struct {
		line string
		want hierarchy
		ok   bool
	}{
		"version 1": {"36 25 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory", hierarchy{"/sys/fs/cgroup/memory", false}, true},
		"version 2": {"31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw", hierarchy{"/sys/fs/cgroup", true}, true},
		"another":   {"22 1 254:0 / / rw,relatime - ext4 /dev/root rw", hierarchy{}, false},
		"nothing":   {"", hierarchy{}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := parse(test.line)
			if ok != test.ok || got != test.want {
				t.Errorf("parse = %v, %v; want %v, %v", got, ok, test.want, test.ok)
			}
		})
	}
}

func TestWithin(t *testing.T) {
	groups := "5:memory:/daskbot-1/node-1/system\n1:name=systemd:/user.slice\n0::/\n"
	got := map[string]bool{}
	for _, path := range []string{"/daskbot-1", "/daskbot-1/node-1", "/daskbot", "/daskbot-2", "/user.slice"} {
		got[path] = within(groups, path)
	}
	want := map[string]bool{"/daskbot-1": true, "/daskbot-1/node-1": true, "/daskbot": false, "/daskbot-2": false, "/user.slice": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("within (-want +got):\n%s", diff)
	}
}

// TestGroup makes real groups, puts a process in one and removes them.
func TestGroup(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path := fmt.Sprintf("/daskbot-test-%d", os.Getpid())
	if err := Create(path + "/node"); err != nil {
		t.Skipf("this machine lets nobody make control groups: %v", err)
	}
	defer func() {
		if err := Remove(context.WithoutCancel(t.Context()), path); err != nil {
			t.Error(err)
		}
		if dirs, err := Dirs(path); err != nil || len(dirs) > 0 {
			t.Errorf("left after Remove: %v, %v", dirs, err)
		}
	}()
	dirs, err := Dirs(path + "/node")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("Dirs = %v, %v; want some", dirs, err)
	}
	// Another process joins, since this one would have to leave again.
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	defer func() { _ = child.Process.Kill() }()
	if err := os.WriteFile(dirs[0]+"/"+system+"/cgroup.procs", fmt.Append(nil, child.Process.Pid), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := Processes(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{child.Process.Pid}, got); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
}
