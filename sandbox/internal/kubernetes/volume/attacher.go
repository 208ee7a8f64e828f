package volume

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/fit"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/reconcile"
)

// attacher keeps the cloud's record of which node uses a disk. Its keys are
// claims.
type attacher struct {
	*Provisioner
	loop *reconcile.Loop

	mu   sync.Mutex
	uses map[disk]string // what the cloud was told
}

func newAttacher(p *Provisioner) *attacher {
	a := &attacher{Provisioner: p, uses: map[disk]string{}}
	a.loop = reconcile.New("attacher", p.Log, a.reconcile)
	core := p.Shared.Core().V1()
	a.loop.WatchBy(core.Pods().Informer(), claimsOf)
	a.loop.WatchBy(core.PersistentVolumeClaims().Informer(), func(object any) []string {
		if claim, ok := object.(*corev1.PersistentVolumeClaim); ok && claim.Status.Phase == corev1.ClaimBound {
			return []string{claim.Namespace + "/" + claim.Name}
		}
		return nil
	})
	return a
}

// claimsOf are the keys of the claims a pod mounts.
func claimsOf(object any) (keys []string) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" {
		return nil
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			keys = append(keys, pod.Namespace+"/"+volume.PersistentVolumeClaim.ClaimName)
		}
	}
	return keys
}

func (a *attacher) reconcile(ctx context.Context, key string) (time.Duration, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return 0, nil
	}
	claim, err := a.claims.PersistentVolumeClaims(namespace).Get(name)
	if err != nil || claim.Spec.VolumeName == "" {
		return 0, nil // the reclaimer detaches before it deletes
	}
	volume, err := a.volumes.Get(claim.Spec.VolumeName)
	if err != nil {
		return 0, nil
	}
	disk, ours := diskOf(volume)
	if !ours {
		return 0, nil
	}
	node, err := a.user(namespace, key)
	if err != nil || !a.news(disk, node) {
		return 0, err
	}
	if err := a.Compute.AttachDisk(ctx, disk.project, disk.zone, disk.name, node); err != nil {
		return 0, fmt.Errorf("attach disk %s to %q: %w", disk.name, node, err)
	}
	a.tell(disk, node)
	return 0, nil
}

// user is the node on which a pod uses the claim now, "" when none does.
func (a *attacher) user(namespace, claim string) (string, error) {
	pods, err := a.pods.Pods(namespace).List(labels.Everything())
	if err != nil {
		return "", err
	}
	for _, pod := range pods {
		if fit.Ended(pod) {
			continue
		}
		for _, key := range claimsOf(pod) {
			if key == claim {
				return pod.Spec.NodeName, nil
			}
		}
	}
	return "", nil
}

func (a *attacher) news(disk disk, node string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	told, known := a.uses[disk]
	return !known || told != node
}

func (a *attacher) tell(disk disk, node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.uses[disk] = node
}

func (a *attacher) detachAll(ctx context.Context) {
	a.mu.Lock()
	uses := maps.Clone(a.uses)
	a.mu.Unlock()
	for disk, node := range uses {
		if node == "" {
			continue
		}
		if err := a.Compute.AttachDisk(ctx, disk.project, disk.zone, disk.name, ""); err != nil {
			a.Log.Warn("disk stays attached", "disk", disk.name, "node", node, "error", err)
		}
	}
}
