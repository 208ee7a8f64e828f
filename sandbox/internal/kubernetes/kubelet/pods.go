package kubelet

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/latency"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/reconcile"
)

// How long a pod held back by the never-ready fault waits for the fault to be
// lifted before it asks again.
const heldAgain = 2 * time.Second

// releaseLabels are where charts write the name of their release.
var releaseLabels = []string{"app.kubernetes.io/instance", "release", "app.kubernetes.io/name", "app", "component", "app.kubernetes.io/component"}

// Pods decides when a bound pod's containers start.
type Pods struct {
	cluster cloud.ClusterSpec
	compute cloud.Compute
	client  kubernetes.Interface
	pods    corelisters.PodLister
	latency latency.Source
	loop    *reconcile.Loop

	mu    sync.Mutex
	bound map[types.UID]start
}

// start is when a pod was first seen on a node and when it may start.
type start struct{ seen, due time.Time }

// NewPods prepares to watch pods; nothing happens until Run.
func NewPods(cluster cloud.ClusterSpec, compute cloud.Compute, client kubernetes.Interface, pods coreinformers.PodInformer, log *slog.Logger) *Pods {
	p := &Pods{
		cluster: cluster, compute: compute, client: client, pods: pods.Lister(),
		latency: latency.Source{Compute: compute, ClusterID: cluster.ID},
		bound:   map[types.UID]start{},
	}
	p.loop = reconcile.New("pod-start", log, p.reconcile)
	p.loop.WatchBy(pods.Informer(), p.keys)
	return p
}

// Run starts pods until ctx is done.
func (p *Pods) Run(ctx context.Context) { p.loop.Run(ctx, 4) }

// keys keeps the pods that wait for their start, and forgets those that are
// deleted.
func (p *Pods) keys(object any) []string {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	if !waiting(pod) {
		p.forget(pod.UID)
		return nil
	}
	return []string{pod.Namespace + "/" + pod.Name}
}

func waiting(pod *corev1.Pod) bool {
	_, started := pod.Annotations[StartedAnnotation]
	return pod.Spec.NodeName != "" && !started && pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodPending
}

func (p *Pods) reconcile(ctx context.Context, key string) (time.Duration, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return 0, nil
	}
	pod, err := p.pods.Pods(namespace).Get(name)
	if err != nil || !waiting(pod) {
		return 0, nil
	}
	begins := p.begins(pod.UID)
	if left := time.Until(begins.due); left > 0 {
		return left, nil
	}
	if fault := p.compute.Fault("never-ready", p.cluster.ID); fault != nil && Concerns(fault.Value, pod) {
		return heldAgain, nil
	}
	patch := fmt.Sprintf(`{"metadata":{"uid":%q,"annotations":{%q:%q}}}`, pod.UID, StartedAnnotation, time.Now().UTC().Format(time.RFC3339Nano))
	_, err = p.client.CoreV1().Pods(namespace).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("start pod: %w", err)
	}
	p.latency.Record(cloud.PodStart, key, begins.seen)
	p.forget(pod.UID)
	return 0, nil
}

// begins draws the pod's start once, when it is first asked for.
func (p *Pods) begins(uid types.UID) start {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.bound[uid]
	if !ok {
		now := time.Now()
		s = start{seen: now, due: now.Add(p.latency.Draw(cloud.PodStart))}
		p.bound[uid] = s
	}
	return s
}

func (p *Pods) forget(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.bound, uid)
}

// Concerns reports whether a fault's value names the pod's release or its
// workload. An empty value names every pod.
func Concerns(value string, pod *corev1.Pod) bool {
	if value == "" || value == pod.Name {
		return true
	}
	for _, label := range releaseLabels {
		if pod.Labels[label] == value {
			return true
		}
	}
	return owns(value, pod)
}

// owns tells from the pod's name whether it belongs to a workload: NAME-0 of a
// StatefulSet, NAME-HASH-RAND of a Deployment, NAME-RAND of the others.
func owns(workload string, pod *corev1.Pod) bool {
	for _, owner := range pod.OwnerReferences {
		if owner.Name == workload {
			return true
		}
		if hash := pod.Labels["pod-template-hash"]; hash != "" && owner.Name == workload+"-"+hash {
			return true
		}
	}
	return false
}
