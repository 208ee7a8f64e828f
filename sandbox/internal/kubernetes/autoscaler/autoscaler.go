package autoscaler

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/fit"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/latency"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/nodepool"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/reconcile"
)

const (
	up   = "scale-up"
	down = "scale-down"
	// Pods below this priority are not worth a node, as on GKE.
	expendable = -10
	// While pods wait, whether for a booting node or for quota, this is how
	// often it is looked at again.
	stillWaitingAgain = 5 * time.Second
)

// Config is what an Autoscaler needs.
type Config struct {
	Cluster  cloud.ClusterSpec
	Compute  cloud.Compute
	Pools    *nodepool.Pools
	Shared   informers.SharedInformerFactory
	Recorder record.EventRecorder
	Log      *slog.Logger
}

// Autoscaler sizes the autoscaled pools of one cluster.
type Autoscaler struct {
	Config
	latency latency.Source
	pods    corelisters.PodLister
	nodes   corelisters.NodeLister
	loop    *reconcile.Loop

	// Used by the single worker only.
	due   time.Time            // when the pods seen waiting are acted upon
	told  map[types.UID]string // the last event each waiting pod got
	empty map[string]time.Time // when a node that stays empty is removed
}

// New prepares to watch pods and nodes; nothing happens until Run.
func New(cfg Config) *Autoscaler {
	core := cfg.Shared.Core().V1()
	a := &Autoscaler{
		Config: cfg, latency: latency.Source{Compute: cfg.Compute, ClusterID: cfg.Cluster.ID},
		pods: core.Pods().Lister(), nodes: core.Nodes().Lister(),
		told: map[types.UID]string{}, empty: map[string]time.Time{},
	}
	a.loop = reconcile.New("autoscaler", cfg.Log, a.reconcile)
	a.loop.WatchBy(core.Pods().Informer(), func(object any) []string {
		if pod, ok := object.(*corev1.Pod); ok && waiting(pod) {
			return []string{up}
		}
		return []string{down}
	})
	a.loop.WatchBy(core.Nodes().Informer(), func(any) []string { return []string{down} })
	return a
}

// Run sizes pools until ctx is done.
func (a *Autoscaler) Run(ctx context.Context) { a.loop.Run(ctx, 1) }

func (a *Autoscaler) reconcile(ctx context.Context, key string) (time.Duration, error) {
	if key == up {
		return a.scaleUp(ctx)
	}
	return a.scaleDown(ctx)
}

// waiting reports whether a scheduler has given up on placing the pod and a
// node could help.
func waiting(pod *corev1.Pod) bool {
	if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil || fit.Ended(pod) {
		return false
	}
	if pod.Spec.Priority != nil && *pod.Spec.Priority < expendable {
		return false
	}
	owner := metav1.GetControllerOf(pod)
	if owner != nil && owner.Kind == "DaemonSet" {
		return false
	}
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
	})
}

// scaleUp waits until the autoscaler would have looked, then asks for nodes.
func (a *Autoscaler) scaleUp(ctx context.Context) (time.Duration, error) {
	pods, existing, err := a.look()
	if err != nil {
		return 0, err
	}
	a.forgetToldExcept(pods)
	if len(pods) == 0 {
		a.due = time.Time{}
		return 0, nil
	}
	if a.due.IsZero() {
		a.due = time.Now().Add(a.latency.Draw(cloud.ScaleUp))
	}
	if left := time.Until(a.due); left > 0 {
		return left, nil
	}
	a.due = time.Time{}
	plan := Make(pods, existing, a.growable())
	byUID := map[types.UID]*corev1.Pod{}
	for _, pod := range pods {
		byUID[pod.UID] = pod
	}
	for uid, why := range plan.Refused {
		a.tell(byUID[uid], corev1.EventTypeNormal, "NotTriggerScaleUp", "pod didn't trigger scale-up: "+why)
	}
	for pool, n := range plan.Grow {
		a.grow(ctx, pool, n, plan.For[pool], byUID)
	}
	return stillWaitingAgain, nil
}

// grow asks for nodes one by one, so that a quota that leaves room for some
// gives some, and tells the pods what came of it.
func (a *Autoscaler) grow(ctx context.Context, pool string, n int, uids []types.UID, pods map[types.UID]*corev1.Pod) {
	before := a.poolOf(pool)
	var err error
	granted := 0
	for range n {
		if err = a.Pools.Grow(ctx, pool, 1); err != nil {
			break
		}
		granted++
	}
	zone := a.Cluster.Location
	if len(before.Zones) > 0 {
		zone = before.Zones[0]
	}
	if granted > 0 {
		group := fmt.Sprintf("https://www.googleapis.com/compute/v1/projects/%s/zones/%s/instanceGroups/%s-grp",
			a.Cluster.Project, zone, nodepool.GroupPrefix(a.Cluster, pool, zone))
		a.tellAll(uids, pods, corev1.EventTypeNormal, "TriggeredScaleUp", fmt.Sprintf("pod triggered scale-up: [{%s %d->%d (max: %d)}]",
			group, before.Count, before.Count+granted, before.Max))
		a.Log.Info("node pool grows", "pool", pool, "from", before.Count, "to", before.Count+granted)
	}
	if err != nil {
		a.tellAll(uids, pods, corev1.EventTypeWarning, "FailedScaleUp", fmt.Sprintf(
			"Node scale up in zones %s associated with this pod failed: %v. Pod is at risk of not being scheduled.", zone, err))
	}
}

// look finds the waiting pods, and what is free on nodes that are there or
// booting.
func (a *Autoscaler) look() (pods []*corev1.Pod, existing []fit.Node, err error) {
	all, err := a.pods.List(labels.Everything())
	if err != nil {
		return nil, nil, err
	}
	nodes, err := a.nodes.List(labels.Everything())
	if err != nil {
		return nil, nil, err
	}
	nodes = a.withBooting(nodes)
	for _, pod := range all {
		if waiting(pod) {
			pods = append(pods, pod)
		}
	}
	return pods, fit.Nodes(nodes, all), nil
}

// withBooting has those nodes that are not ready as they will be: until then
// they say nothing of what they can hold, and carry a taint.
func (a *Autoscaler) withBooting(registered []*corev1.Node) (nodes []*corev1.Node) {
	up := map[string]bool{}
	for _, node := range registered {
		if isReady(node) {
			up[node.Name] = true
			nodes = append(nodes, node)
		}
	}
	state := a.Pools.Snapshot()
	for _, node := range state.Nodes {
		i := slices.IndexFunc(state.Pools, func(p cloud.NodePool) bool { return p.Name == node.Pool })
		if !up[node.Name] && i >= 0 {
			nodes = append(nodes, nodepool.Build(a.Cluster, state.Pools[i], node.Name, node.Zone))
		}
	}
	return nodes
}

// growable are the pools that autoscale, smallest machine first, which is also
// the cheapest.
func (a *Autoscaler) growable() (pools []Pool) {
	state := a.Pools.Snapshot()
	slices.SortStableFunc(state.Pools, func(x, y cloud.NodePool) int { return int(x.MilliCPU - y.MilliCPU) })
	for _, pool := range state.Pools {
		if !pool.Autoscaling {
			continue
		}
		zone := a.Cluster.Location
		if len(pool.Zones) > 0 {
			zone = pool.Zones[0]
		}
		pools = append(pools, Pool{
			Name: pool.Name, Size: pool.Count, Max: pool.Max,
			Template: nodepool.Build(a.Cluster, pool, "template-"+pool.Name, zone),
		})
	}
	return pools
}

func (a *Autoscaler) poolOf(name string) cloud.NodePool {
	for _, pool := range a.Pools.Snapshot().Pools {
		if pool.Name == name {
			return pool
		}
	}
	return cloud.NodePool{}
}

func (a *Autoscaler) tellAll(uids []types.UID, pods map[types.UID]*corev1.Pod, kind, reason, message string) {
	for _, uid := range uids {
		a.tell(pods[uid], kind, reason, message)
	}
}

// tell sends a pod an event, unless it is the same as the one before.
func (a *Autoscaler) tell(pod *corev1.Pod, kind, reason, message string) {
	if a.told[pod.UID] == message {
		return
	}
	a.told[pod.UID] = message
	a.Recorder.Event(pod, kind, reason, message)
}

func (a *Autoscaler) forgetToldExcept(pods []*corev1.Pod) {
	for uid := range a.told {
		if !slices.ContainsFunc(pods, func(p *corev1.Pod) bool { return p.UID == uid }) {
			delete(a.told, uid)
		}
	}
}
