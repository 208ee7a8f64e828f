package standin

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestActivityIsKept(t *testing.T) {
	dir := t.TempDir()
	want := Activity{Users: []User{{Name: "alice", LastActivity: at(noon)}}, Scheduler: &Scheduler{Processing: 1}}
	first := New(Config{StateDir: dir})
	if err := first.SetActivity(clusterID, want); err != nil {
		t.Fatal(err)
	}
	again := New(Config{StateDir: dir})
	if diff := cmp.Diff(want, again.Activity(clusterID)); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	if err := again.Forget(clusterID); err != nil {
		t.Fatal(err)
	}
	if err := again.Forget(clusterID); err != nil {
		t.Errorf("a second time: %v; want nothing to do", err)
	}
	if diff := cmp.Diff(Activity{}, New(Config{StateDir: dir}).Activity(clusterID)); diff != "" {
		t.Errorf("after it was forgotten (-want +got):\n%s", diff)
	}
}

func TestActivityOfNamespaces(t *testing.T) {
	b := New(Config{})
	for _, a := range []Activity{
		{Namespace: "n1", Users: []User{{Name: "alice"}}, Scheduler: &Scheduler{}},
		{Namespace: "n2", Users: []User{{Name: "bob"}}, Scheduler: &Scheduler{Processing: 1}},
	} {
		if err := b.SetActivity(clusterID, a); err != nil {
			t.Fatal(err)
		}
	}
	want := Activity{Users: []User{{Name: "alice"}, {Name: "bob"}}, Scheduler: &Scheduler{Processing: 1}}
	if diff := cmp.Diff(want, b.Activity(clusterID)); diff != "" {
		t.Errorf("all of it (-want +got):\n%s", diff)
	}
}

func TestImpossibleActivityIsRefused(t *testing.T) {
	b := New(Config{})
	for name, a := range map[string]Activity{
		"no name":       {Users: []User{{}}},
		"twice":         {Users: []User{{Name: "a"}, {Name: "a"}}},
		"pending":       {Users: []User{{Name: "a", Server: &Server{Pending: "soon"}}}},
		"kernel":        {Users: []User{{Name: "a", Server: &Server{Kernels: []Kernel{{ExecutionState: "tired"}}}}}},
		"jupyter alone": {Jupyter: &Server{Kernels: []Kernel{{}}}},
	} {
		if err := b.SetActivity(clusterID, a); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}
