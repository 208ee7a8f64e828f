package environment

import (
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// allWell is an environment that is ready, and a world in which nothing is
// left to do; each case breaks one thing.
func allWell() (Environment, Observed) {
	e := Environment{ID: "b2c3d4f5", Owner: "alice", Profile: "x", Namespace: "daskhub", ClusterID: "b2c3d4f5",
		Desired: Present, State: StateReady, Phase: PhaseReady, PhaseSince: t0, ReadyAt: t0, URL: "http://127.0.0.9",
		Spec: Spec{TTL: time.Hour, Workers: 2, Versions: map[string]string{"dhub": "1.0.0"}}, Generation: 1, ObservedGeneration: 1,
		Recipe: Profile{Placement: Dedicated, Workers: Workers{Kind: WorkersValues}, Releases: []Release{{Name: "dhub", Values: map[string]any{"n": "${workers}"}}}}}
	good := e.Spec
	e.Good = &good
	rendered := Render(e)
	seen := Observed{
		Cluster: &Cluster{ID: e.ID, Placement: Dedicated, Desired: Present, State: StateReady}, Known: true,
		Workloads: SeenWorkloads{Prepared: true, Ready: 3, Wanted: 3, Address: e.URL}, DoorOpen: true,
		Rendered: rendered, Releases: []SeenRelease{{Status: ReleaseDeployed, Hash: ReleaseHash(rendered[0])}},
	}
	return e, seen
}

func TestNextUp(t *testing.T) {
	refused := &Error{Code: CodeForbidden, Message: "It refused."}
	for name, tt := range map[string]struct {
		edit  func(*Environment, *Observed)
		at    time.Duration
		want  StepKind
		phase Phase
	}{
		"all well":        {func(*Environment, *Observed) {}, 0, StepRest, PhaseReady},
		"all well again":  {func(e *Environment, _ *Observed) { e.Phase = PhaseAccess }, time.Hour, StepRest, PhaseReady},
		"no versions yet": {func(e *Environment, _ *Observed) { e.Spec.Versions = nil }, 0, StepResolve, PhaseQueued},
		"not placed":      {func(_ *Environment, s *Observed) { s.Cluster = nil }, 0, StepPlace, PhaseQueued},
		"cluster coming":  {func(_ *Environment, s *Observed) { s.Cluster.State = StateCreating }, 0, StepWait, PhaseCluster},
		"cluster coming, for long": {func(e *Environment, s *Observed) {
			e.Good, e.State, e.Phase, s.Cluster.State = nil, StateCreating, PhaseCluster, StateCreating
		}, 2 * time.Hour, StepWait, PhaseCluster},
		"API silent":        {func(_ *Environment, s *Observed) { s.Known = false }, 0, StepWait, PhaseAccess},
		"not prepared":      {func(_ *Environment, s *Observed) { s.Workloads.Prepared = false }, 0, StepPrepare, PhaseAccess},
		"release absent":    {func(_ *Environment, s *Observed) { s.Releases[0] = SeenRelease{Status: ReleaseAbsent} }, 0, StepConverge, PhaseInstall},
		"release stuck":     {func(_ *Environment, s *Observed) { s.Releases[0].Status = ReleasePending }, 0, StepConverge, PhaseInstall},
		"release outdated":  {func(_ *Environment, s *Observed) { s.Releases[0].Hash = "old" }, 0, StepConverge, PhaseInstall},
		"pods missing":      {func(_ *Environment, s *Observed) { s.Workloads.Ready = 1 }, 0, StepWait, PhaseWorkloads},
		"no pods at all":    {func(_ *Environment, s *Observed) { s.Workloads.Ready, s.Workloads.Wanted = 0, 0 }, 0, StepWait, PhaseWorkloads},
		"no address":        {func(_ *Environment, s *Observed) { s.Workloads.Address = "" }, 0, StepWait, PhaseAddress},
		"door shut":         {func(_ *Environment, s *Observed) { s.DoorOpen = false }, 0, StepWait, PhaseVerify},
		"new generation":    {func(e *Environment, _ *Observed) { e.Generation, e.State = 2, StateUpdating }, 0, StepReady, PhaseReady},
		"another address":   {func(_ *Environment, s *Observed) { s.Workloads.Address = "http://127.0.0.8" }, 0, StepReady, PhaseReady},
		"wants DaskCluster": {func(e *Environment, _ *Observed) { e.Recipe.Workers.Kind = WorkersDaskCluster }, 0, StepWorkers, PhaseInstall},
		"cluster failed, even after ready": {func(_ *Environment, s *Observed) {
			s.Cluster.State, s.Cluster.Failure = StateFailed, &Failure{Code: CodeQuota, Message: "No quota."}
		}, 0, StepFail, PhaseCluster},
		"first up, pods late": {func(e *Environment, s *Observed) {
			e.Good, e.State, e.Phase, s.Workloads.Ready = nil, StateCreating, PhaseWorkloads, 0
		}, time.Hour, StepFail, PhaseWorkloads},
		"first up, late, but the API is only just silent": {func(e *Environment, s *Observed) {
			e.Good, e.State, e.Phase, s.Known = nil, StateCreating, PhaseWorkloads, false
		}, time.Hour, StepWait, PhaseWorkloads},
		"first up, the API is silent for too long": {func(e *Environment, s *Observed) {
			e.Good, e.State, e.Phase, e.SilentSince, s.Known = nil, StateCreating, PhaseWorkloads, t0, false
		}, time.Hour, StepFail, PhaseWorkloads},
		"first up, door refuses for good": {func(e *Environment, s *Observed) {
			e.Good, e.State, e.Phase, s.DoorOpen, s.DoorError = nil, StateCreating, PhaseVerify, false, refused
		}, 0, StepFail, PhaseVerify},
		"change, pods late": {func(e *Environment, s *Observed) {
			e.Spec.Workers, e.State, e.Phase, s.Workloads.Ready = 5, StateUpdating, PhaseWorkloads, 0
			s.Rendered = Render(*e)
			s.Releases[0].Hash = ReleaseHash(s.Rendered[0])
		}, time.Hour, StepRollBack, PhaseWorkloads},
		"nothing changed, pods late": {func(e *Environment, s *Observed) { e.Phase, s.Workloads.Ready = PhaseWorkloads, 0 }, time.Hour, StepSettle, PhaseReady},
		"another tenant's operator serves": {func(_ *Environment, s *Observed) {
			s.Rendered[0].ClusterWide, s.Releases[0].Hash = true, "another tenant's"
		}, 0, StepRest, PhaseReady},
	} {
		t.Run(name, func(t *testing.T) {
			e, seen := allWell()
			tt.edit(&e, &seen)
			got := Next(e, seen, t0.Add(tt.at))
			if got.Kind != tt.want || got.Phase != tt.phase {
				t.Errorf("got %s in %s (%s); want %s in %s", got.Kind, got.Phase, got.Message, tt.want, tt.phase)
			}
			if got.Kind == StepFail && got.Failure == nil {
				t.Error("it fails without a reason")
			}
		})
	}
}

func TestNextDown(t *testing.T) {
	for name, tt := range map[string]struct {
		edit  func(*Environment, *Observed)
		at    time.Duration
		want  StepKind
		phase Phase
	}{
		"never placed":    {func(_ *Environment, s *Observed) { s.Cluster = nil }, 0, StepGone, PhaseGone},
		"inventory first": {func(*Environment, *Observed) {}, 0, StepInventory, PhaseStopping},
		"API silent":      {func(_ *Environment, s *Observed) { s.Known = false }, 0, StepWait, PhaseStopping},
		"API silent for long": {func(_ *Environment, s *Observed) { s.Known = false },
			time.Hour, StepSkip, PhaseStopping},
		"API silent for long, shared": {func(_ *Environment, s *Observed) { s.Known, s.Cluster.Placement = false, Shared },
			time.Hour, StepWait, PhaseStopping},
		"then uninstall": {func(e *Environment, _ *Observed) { e.InventoryDone = true }, 0, StepUninstall, PhaseStopping},
		"then addresses": {func(e *Environment, s *Observed) {
			e.InventoryDone, e.Uninstalled, s.ExposedKnown, s.Exposed = true, true, true, 2
		}, 0, StepUnexpose, PhaseExposed},
		"addresses unknown": {func(e *Environment, s *Observed) { e.InventoryDone, e.Uninstalled = true, true }, 0, StepWait, PhaseExposed},
		"addresses gone": {func(e *Environment, s *Observed) { e.InventoryDone, e.Uninstalled, s.ExposedKnown = true, true, true },
			0, StepSkip, PhaseExposed},
		"then the cluster":       {func(e *Environment, _ *Observed) { e.Unexposed = true }, 0, StepRelease, PhaseTeardown},
		"cluster never finished": {func(_ *Environment, s *Observed) { s.Cluster.State = StateCreating }, 0, StepRelease, PhaseTeardown},
		"cluster going":          {func(_ *Environment, s *Observed) { s.Cluster.Desired, s.Cluster.State = Absent, StateDeleting }, 0, StepWait, PhaseTeardown},
		"cluster failed, not confirmed gone": {func(_ *Environment, s *Observed) { s.Cluster.Desired, s.Cluster.State = Absent, StateFailed },
			0, StepWait, PhaseTeardown},
		"leftovers unknown": {func(_ *Environment, s *Observed) { clusterGone(s) }, 0, StepWait, PhaseLeftovers},
		"leftovers unknown for ever": {func(_ *Environment, s *Observed) { clusterGone(s) },
			1000 * time.Hour, StepWait, PhaseLeftovers},
		"leftovers": {func(_ *Environment, s *Observed) {
			clusterGone(s)
			s.LeftoversKnown, s.Leftovers = true, []Resource{{Kind: KindDisk}}
		}, 0, StepSweep, PhaseLeftovers},
		"nothing left": {func(_ *Environment, s *Observed) { clusterGone(s); s.LeftoversKnown = true }, 0, StepGone, PhaseGone},
		"shared: others stay": {func(e *Environment, s *Observed) {
			s.Cluster.Placement, e.Unexposed, s.LeftoversKnown = Shared, true, true
		}, 0, StepGone, PhaseGone},
	} {
		t.Run(name, func(t *testing.T) {
			e, seen := allWell()
			MarkDown(&e, t0, "Down.")
			tt.edit(&e, &seen)
			got := Next(e, seen, t0.Add(tt.at))
			if got.Kind != tt.want || got.Phase != tt.phase {
				t.Errorf("got %s in %s (%s); want %s in %s", got.Kind, got.Phase, got.Message, tt.want, tt.phase)
			}
		})
	}
}

func clusterGone(s *Observed) {
	s.Cluster.Desired, s.Cluster.State, s.Cluster.DeletedAt = Absent, StateDeleted, t0
}

func TestNextCluster(t *testing.T) {
	stockout := &Error{Code: CodeUnavailable, Stockout: true, Message: "No machines."}
	fault := &Error{Code: CodeUnavailable, Message: "The network was busy."}
	running := SeenCluster{State: CloudRunning, Mine: true, MaxNodes: 3}
	for name, tt := range map[string]struct {
		edit func(*Cluster, *ObservedCluster)
		at   time.Duration
		want ClusterStepKind
	}{
		"all well":             {func(*Cluster, *ObservedCluster) {}, 0, ClusterRest},
		"cloud silent":         {func(_ *Cluster, s *ObservedCluster) { s.Known = false }, 0, ClusterWait},
		"new":                  {func(c *Cluster, s *ObservedCluster) { fresh(c, s) }, 0, ClusterQuota},
		"quota read":           {func(c *Cluster, s *ObservedCluster) { fresh(c, s); c.QuotaChecked = t0 }, 0, ClusterCreate},
		"asked, and not there": {func(c *Cluster, s *ObservedCluster) { fresh(c, s); c.AskedAt = t0 }, 0, ClusterCreate},
		"asked, maybe on its way": {func(c *Cluster, s *ObservedCluster) {
			fresh(c, s)
			c.AskedAt, c.UnsureUntil = t0, t0.Add(time.Minute)
		}, 0, ClusterCreate},
		"name taken by others": {func(c *Cluster, s *ObservedCluster) { c.State, s.Current.Mine = StatePending, false }, 0, ClusterElse},
		"no machines": {func(c *Cluster, s *ObservedCluster) {
			c.State, s.Current.State, s.Current.Failure = StateCreating, CloudError, stockout
		}, 0, ClusterElse},
		"no machines anywhere": {func(c *Cluster, s *ObservedCluster) {
			c.State, c.Attempt, s.Current.State, s.Current.Failure = StateCreating, 1, CloudError, stockout
		}, 0, ClusterFail},
		"too long, but there now": {func(c *Cluster, _ *ObservedCluster) { c.State = StateCreating }, time.Hour, ClusterReady},
		"too long to be asked":    {func(c *Cluster, s *ObservedCluster) { fresh(c, s) }, time.Hour, ClusterFail},
		"an earlier attempt took long": {func(c *Cluster, s *ObservedCluster) {
			c.State, c.Attempt, c.AskedAt, s.Current.State = StateCreating, 1, t0.Add(30*time.Minute), CloudProvisioning
		}, time.Hour, ClusterWait},
		"an earlier attempt took long, and the next waits": {func(c *Cluster, s *ObservedCluster) {
			fresh(c, s)
			c.Attempt, c.PhaseSince = 1, t0.Add(30*time.Minute)
		}, time.Hour, ClusterQuota},
		"a fault of the cloud's": {func(c *Cluster, s *ObservedCluster) {
			c.State, s.Current.State, s.Current.Failure = StateCreating, CloudError, fault
		}, 0, ClusterElse},
		"a fault of the cloud's, again": {func(c *Cluster, s *ObservedCluster) {
			c.State, c.Attempt, s.Current.State, s.Current.Failure = StateCreating, 1, CloudError, fault
		}, 0, ClusterFail},
		"refused as it is": {func(c *Cluster, s *ObservedCluster) {
			c.State, s.Current.State, s.Current.Failure = StateCreating, CloudError, &Error{Code: CodeInvalid, Message: "No."}
		}, 0, ClusterFail},
		"too long":                       {func(c *Cluster, s *ObservedCluster) { c.State, s.Current.State = StateCreating, CloudProvisioning }, time.Hour, ClusterFail},
		"too long, and only just silent": {func(c *Cluster, s *ObservedCluster) { c.State, s.Known = StateCreating, false }, time.Hour, ClusterWait},
		"too long silent": {func(c *Cluster, s *ObservedCluster) {
			c.State, c.SilentSince, s.Known = StateCreating, t0, false
		}, time.Hour, ClusterFail},
		"running":           {func(c *Cluster, _ *ObservedCluster) { c.State = StateCreating }, 0, ClusterReady},
		"deleted by others": {func(_ *Cluster, s *ObservedCluster) { s.Current = SeenCluster{State: CloudAbsent} }, 0, ClusterFail},
		"ceiling moved":     {func(c *Cluster, _ *ObservedCluster) { c.MaxNodes = 7 }, 0, ClusterResize},
		"ceiling moving":    {func(c *Cluster, s *ObservedCluster) { c.MaxNodes, s.Current.Operation = 7, OperationRunning }, 0, ClusterWait},
		"fixed in a region": {func(c *Cluster, s *ObservedCluster) { fixed(c, s) }, 0, ClusterRest},
		"fixed, asked for more": {func(c *Cluster, s *ObservedCluster) {
			fixed(c, s)
			c.MaxNodes = 7
		}, 0, ClusterResize},
		"fixed, and growing": {func(c *Cluster, s *ObservedCluster) {
			fixed(c, s)
			c.MaxNodes, c.Sized, s.Current.Operation = 7, 7, OperationRunning
		}, 0, ClusterWait},
		"fixed, and could not grow": {func(c *Cluster, s *ObservedCluster) {
			fixed(c, s)
			c.MaxNodes, c.Sized, s.Current.Operation = 7, 7, OperationFailed
		}, 0, ClusterResize},
		"labels lost": {func(_ *Cluster, s *ObservedCluster) { s.Current.Mine = false }, 0, ClusterWait},
		"breaks while it is used": {func(_ *Cluster, s *ObservedCluster) {
			s.Current.State, s.Current.Failure = CloudError, stockout
		}, 0, ClusterWait},
		"being deleted by others": {func(_ *Cluster, s *ObservedCluster) { s.Current.State = CloudStopping }, 0, ClusterWait},
		"shared, unused for long": {func(c *Cluster, _ *ObservedCluster) {
			c.Placement, c.IdleSince = Shared, t0.Add(-time.Hour)
		}, 0, ClusterRetire},
		"shared, nobody left": {func(c *Cluster, _ *ObservedCluster) { c.Placement = Shared }, 0, ClusterIdle},
		"shared, broken, and unused for long": {func(c *Cluster, s *ObservedCluster) {
			c.Placement, c.IdleSince, s.Current.State = Shared, t0.Add(-time.Hour), CloudError
		}, 0, ClusterRetire},
		"shared, broken, and nobody left": {func(c *Cluster, s *ObservedCluster) {
			c.Placement, s.Current.State = Shared, CloudError
		}, 0, ClusterIdle},
		"shared, broken, in use": {func(c *Cluster, s *ObservedCluster) {
			c.Placement, c.IdleSince, s.Tenants, s.Staying, s.Current.State = Shared, t0.Add(-time.Hour), 2, 1, CloudError
		}, 0, ClusterWait},
		"shared, broken, and all are to go": {func(c *Cluster, s *ObservedCluster) {
			c.Placement, c.IdleSince, s.Tenants, s.Current.State = Shared, t0.Add(-time.Hour), 2, CloudError
		}, 0, ClusterRetire},
		"shared, in use": {func(c *Cluster, s *ObservedCluster) {
			c.Placement, c.IdleSince, s.Tenants = Shared, t0.Add(-time.Hour), 1
		}, 0, ClusterRest},
		"an earlier attempt is still there": {func(c *Cluster, s *ObservedCluster) {
			c.Abandoned, s.Abandoned = []ClusterAttempt{{Name: "dask-x"}}, []SeenCluster{{State: CloudError, Mine: true}}
		}, 0, ClusterDelete},
		"down, never asked": {func(c *Cluster, s *ObservedCluster) { fresh(c, s); c.Desired = Absent }, 0, ClusterDeleted},
		"down, maybe on its way": {func(c *Cluster, s *ObservedCluster) {
			fresh(c, s)
			c.Desired, c.UnsureUntil = Absent, t0.Add(time.Minute)
		}, 0, ClusterWait},
		"down, cloud silent": {func(c *Cluster, s *ObservedCluster) { c.Desired, s.Known = Absent, false }, 1000 * time.Hour, ClusterWait},
		"down, being made": {func(c *Cluster, s *ObservedCluster) {
			c.Desired, s.Current.State, s.Current.Busy = Absent, CloudProvisioning, "operation-1"
		}, 0, ClusterWait},
		"down, left half made": {func(c *Cluster, s *ObservedCluster) {
			c.Desired, s.Current.State, s.Current.Operation = Absent, CloudProvisioning, OperationFailed
		}, 0, ClusterDelete},
		"an earlier attempt is being made": {func(c *Cluster, s *ObservedCluster) {
			c.Abandoned, s.Abandoned = []ClusterAttempt{{Name: "dask-x"}}, []SeenCluster{{State: CloudProvisioning, Mine: true, Busy: "operation-1"}}
		}, 0, ClusterWait},
		"an earlier attempt was left half made": {func(c *Cluster, s *ObservedCluster) {
			c.Abandoned, s.Abandoned = []ClusterAttempt{{Name: "dask-x"}}, []SeenCluster{{State: CloudProvisioning, Mine: true}}
		}, 0, ClusterDelete},
		"down, running":        {func(c *Cluster, _ *ObservedCluster) { c.Desired = Absent }, 0, ClusterDelete},
		"down, going":          {func(c *Cluster, s *ObservedCluster) { c.Desired, s.Current.State = Absent, CloudStopping }, 0, ClusterWait},
		"down, name of others": {func(c *Cluster, s *ObservedCluster) { c.Desired, s.Current.Mine = Absent, false }, 0, ClusterDeleted},
		"down, labels lost":    {func(c *Cluster, s *ObservedCluster) { c.Desired, c.ReadyAt, s.Current.Mine = Absent, t0, false }, 0, ClusterWait},
		"down, earlier attempt unknown": {func(c *Cluster, s *ObservedCluster) {
			c.Desired, s.Current = Absent, SeenCluster{State: CloudAbsent}
			c.Abandoned, s.Abandoned = []ClusterAttempt{{Name: "dask-x"}}, []SeenCluster{{}}
		}, 0, ClusterWait},
		"given is never deleted in the cloud": {func(c *Cluster, _ *ObservedCluster) { c.Given, c.Desired = "lab", Absent }, 0, ClusterDeleted},
	} {
		t.Run(name, func(t *testing.T) {
			c := Cluster{ID: "x", Name: "dask-x", Placement: Dedicated, Desired: Present, State: StateReady, CreatedAt: t0, AskedAt: t0,
				MaxNodes: 3, Shape: ClusterShape{MaxNodes: 3, Locations: []string{"a", "b"}, IdleMinutes: 30}}
			seen := ObservedCluster{Known: true, Current: running}
			tt.edit(&c, &seen)
			if got := NextCluster(c, seen, t0.Add(tt.at)); got.Kind != tt.want {
				t.Errorf("got %s (%s); want %s", got.Kind, got.Message, tt.want)
			}
		})
	}
}

// fixed is a pool of five that a region with three zones made six of.
func fixed(c *Cluster, s *ObservedCluster) {
	c.Shape.Nodes, c.Shape.MinNodes, c.Shape.MaxNodes, c.MaxNodes = 5, 5, 5, 5
	s.Current.Nodes, s.Current.MaxNodes = 6, 6
}

func fresh(c *Cluster, s *ObservedCluster) {
	c.State, c.AskedAt, s.Current = StatePending, time.Time{}, SeenCluster{State: CloudAbsent}
}

func TestRenderReplacesEveryPlaceholder(t *testing.T) {
	e := Environment{ID: "b2c3d4f5", Owner: "alice", Namespace: "ns", Secrets: Secrets{SecretPassword: NewSecret("pw")},
		Spec: Spec{Workers: 4, Packages: []string{"a", "b==1"}, Versions: map[string]string{"r": "9"}},
		Recipe: Profile{Releases: []Release{{Name: "r", Version: ">1", Manifests: "n: ${workers}", Values: map[string]any{
			"n": "${workers}", "s": "w=${workers}", "l": []any{"${owner}", 7, "${unknown}"}, "m": map[string]any{"p": "${packages}", "q": "${secret.password}"},
		}}}}}
	r := Render(e)[0]
	if r.Values["n"] != 4 || r.Values["s"] != "w=4" || r.Manifests != "n: 4" || r.Version != "9" || r.Namespace != "ns" {
		t.Errorf("got %+v", r)
	}
	l, m := r.Values["l"].([]any), r.Values["m"].(map[string]any)
	if l[0] != "alice" || l[1] != 7 || l[2] != "${unknown}" || m["p"] != "a b==1" || m["q"] != "pw" {
		t.Errorf("got %v %v", l, m)
	}
	if e.Recipe.Releases[0].Values["n"] != "${workers}" {
		t.Error("the recipe was changed")
	}
	if before := ReleaseHash(r); before == ReleaseHash(Render(with(e, func(e *Environment) { e.Spec.Workers = 5 }))[0]) {
		t.Error("another number of workers has the same hash")
	}
	if s := strings.Join(Placeholders(e.Recipe), " "); !strings.Contains(s, "unknown") || !strings.Contains(s, "secret.password") {
		t.Errorf("placeholders: got %s", s)
	}
}

func with(e Environment, f func(*Environment)) Environment { f(&e); return e }
