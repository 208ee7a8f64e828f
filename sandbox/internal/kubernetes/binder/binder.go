package binder

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/fit"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/reconcile"
)

const (
	selectedNode = "volume.kubernetes.io/selected-node"
	// A pod without a place is looked at again when nodes change, and this
	// often because other pods may have gone.
	noRoomAgain = 2 * time.Second
	volumeAgain = 250 * time.Millisecond
)

// Binder binds pods whose schedulerName is not the default one.
type Binder struct {
	client   kubernetes.Interface
	pods     corelisters.PodLister
	nodes    corelisters.NodeLister
	claims   corelisters.PersistentVolumeClaimLister
	recorder record.EventRecorder
	loop     *reconcile.Loop

	// What was bound and may not be in the caches yet. Used by the single
	// worker only.
	assumed map[types.UID]*corev1.Pod
}

// New prepares to watch pods; nothing happens until Run.
func New(client kubernetes.Interface, shared informers.SharedInformerFactory, recorder record.EventRecorder, log *slog.Logger) *Binder {
	core := shared.Core().V1()
	b := &Binder{
		client: client, pods: core.Pods().Lister(), nodes: core.Nodes().Lister(),
		claims: core.PersistentVolumeClaims().Lister(), recorder: recorder, assumed: map[types.UID]*corev1.Pod{},
	}
	b.loop = reconcile.New("binder", log, b.reconcile)
	b.loop.WatchBy(core.Pods().Informer(), func(object any) []string {
		if pod, ok := object.(*corev1.Pod); ok && unbound(pod) {
			return []string{pod.Namespace + "/" + pod.Name}
		}
		return nil
	})
	return b
}

// Run binds pods until ctx is done. One worker, so that two pods are never
// promised the same room.
func (b *Binder) Run(ctx context.Context) { b.loop.Run(ctx, 1) }

func unbound(pod *corev1.Pod) bool {
	return pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil && !fit.Ended(pod) && len(pod.Spec.SchedulingGates) == 0 &&
		pod.Spec.SchedulerName != "" && pod.Spec.SchedulerName != corev1.DefaultSchedulerName
}

func (b *Binder) reconcile(ctx context.Context, key string) (time.Duration, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return 0, nil
	}
	pod, err := b.pods.Pods(namespace).Get(name)
	if err != nil || !unbound(pod) {
		return 0, nil
	}
	nodes, err := b.nodes.List(labels.Everything())
	if err != nil {
		return 0, err
	}
	pods, err := b.placed()
	if err != nil {
		return 0, err
	}
	node, reason := Choose(pod, fit.Nodes(nodes, pods))
	if node == "" {
		return noRoomAgain, b.unschedulable(ctx, pod, reason)
	}
	if ready, err := b.volumes(ctx, pod, node); err != nil || !ready {
		return volumeAgain, err
	}
	return 0, b.bind(ctx, pod, node)
}

// placed are the pods that are on a node, those just bound included.
func (b *Binder) placed() ([]*corev1.Pod, error) {
	all, err := b.pods.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	pods := slices.Clone(all)
	for i, pod := range pods {
		assumed, ok := b.assumed[pod.UID]
		switch {
		case ok && pod.Spec.NodeName == "":
			pods[i] = assumed
		case ok:
			delete(b.assumed, pod.UID)
		}
	}
	for uid := range b.assumed {
		if !slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return pod.UID == uid }) {
			delete(b.assumed, uid)
		}
	}
	return pods, nil
}

// Choose picks the fullest node that has room for the pod, or says why there
// is none in the scheduler's words.
func Choose(pod *corev1.Pod, nodes []fit.Node) (name, reason string) {
	reasons := map[string]int{}
	var room []fit.Node
	for _, node := range nodes {
		if why := node.Why(pod); why != "" {
			reasons[why]++
			continue
		}
		room = append(room, node)
	}
	if len(room) > 0 {
		best := slices.MinFunc(room, func(a, b fit.Node) int {
			return cmp.Or(cmp.Compare(a.Free[corev1.ResourceMemory], b.Free[corev1.ResourceMemory]), cmp.Compare(a.Name, b.Name))
		})
		return best.Name, ""
	}
	var parts []string
	for why, n := range reasons {
		parts = append(parts, fmt.Sprintf("%d %s", n, why))
	}
	slices.Sort(parts)
	return "", fmt.Sprintf("0/%d nodes are available: %s.", len(nodes), strings.Join(parts, ", "))
}

// volumes asks for the pod's claims to be provisioned where the pod will run,
// and reports whether they all are.
func (b *Binder) volumes(ctx context.Context, pod *corev1.Pod, node string) (bool, error) {
	ready := true
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim == nil {
			continue
		}
		claim, err := b.claims.PersistentVolumeClaims(pod.Namespace).Get(volume.PersistentVolumeClaim.ClaimName)
		if err != nil {
			ready = false // the claim does not exist yet
			continue
		}
		if claim.Status.Phase == corev1.ClaimBound {
			continue
		}
		ready = false
		if claim.Annotations[selectedNode] != "" {
			continue
		}
		claim = claim.DeepCopy()
		metav1.SetMetaDataAnnotation(&claim.ObjectMeta, selectedNode, node)
		if _, err := b.client.CoreV1().PersistentVolumeClaims(pod.Namespace).Update(ctx, claim, metav1.UpdateOptions{}); err != nil {
			return false, fmt.Errorf("choose node for claim %s: %w", claim.Name, err)
		}
	}
	return ready, nil
}

func (b *Binder) bind(ctx context.Context, pod *corev1.Pod, node string) error {
	err := b.client.CoreV1().Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // deleted, or bound by someone else
	}
	if err != nil {
		return fmt.Errorf("bind pod to %s: %w", node, err)
	}
	assumed := pod.DeepCopy()
	assumed.Spec.NodeName = node
	b.assumed[pod.UID] = assumed
	b.recorder.Eventf(pod, corev1.EventTypeNormal, "Scheduled", "Successfully assigned %s/%s to %s", pod.Namespace, pod.Name, node)
	return nil
}

// unschedulable writes the condition by which the autoscaler finds the pod.
func (b *Binder) unschedulable(ctx context.Context, pod *corev1.Pod, reason string) error {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Message == reason {
			return nil
		}
	}
	pod = pod.DeepCopy()
	pod.Status.Conditions = slices.DeleteFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodScheduled })
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
		Message: reason, LastTransitionTime: metav1.Now(),
	})
	_, err := b.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("mark pod unschedulable: %w", err)
	}
	b.recorder.Event(pod, corev1.EventTypeWarning, "FailedScheduling", reason)
	return nil
}
