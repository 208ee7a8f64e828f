package volume

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/latency"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/reconcile"
)

// Config is what a Provisioner needs.
type Config struct {
	Cluster  cloud.ClusterSpec
	Compute  cloud.Compute
	Client   kubernetes.Interface
	Shared   informers.SharedInformerFactory
	Recorder record.EventRecorder
	Log      *slog.Logger
}

// Provisioner makes and removes the disks behind a cluster's claims.
type Provisioner struct {
	Config
	latency latency.Source
	pods    corelisters.PodLister
	nodes   corelisters.NodeLister
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
	classes storagelisters.StorageClassLister

	provision *reconcile.Loop // keys: claims
	reclaim   *reconcile.Loop // keys: volumes
	attach    *attacher
}

// New prepares to watch claims and volumes; nothing happens until Run.
func New(cfg Config) *Provisioner {
	core := cfg.Shared.Core().V1()
	p := &Provisioner{
		Config: cfg, latency: latency.Source{Compute: cfg.Compute, ClusterID: cfg.Cluster.ID},
		pods: core.Pods().Lister(), nodes: core.Nodes().Lister(),
		claims: core.PersistentVolumeClaims().Lister(), volumes: core.PersistentVolumes().Lister(),
		classes: cfg.Shared.Storage().V1().StorageClasses().Lister(),
	}
	p.provision = reconcile.New("provisioner", cfg.Log, p.provisionClaim)
	p.provision.Watch(core.PersistentVolumeClaims().Informer())
	p.reclaim = reconcile.New("reclaimer", cfg.Log, p.reclaimVolume)
	p.reclaim.Watch(core.PersistentVolumes().Informer())
	p.attach = newAttacher(p)
	return p
}

// Run provisions, attaches and reclaims until ctx is done. The shared
// informers must run, too.
func (p *Provisioner) Run(ctx context.Context) {
	go p.provision.Run(ctx, 4)
	go p.attach.loop.Run(ctx, 2)
	p.reclaim.Run(ctx, 4)
}

// Detach tells the cloud that no node of this cluster uses its disks any more,
// for a cluster that ends.
func (p *Provisioner) Detach(ctx context.Context) { p.attach.detachAll(ctx) }

func (p *Provisioner) provisionClaim(ctx context.Context, key string) (time.Duration, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return 0, nil
	}
	claim, err := p.claims.PersistentVolumeClaims(namespace).Get(name)
	if err != nil || claim.DeletionTimestamp != nil || claim.Spec.VolumeName != "" || claim.Spec.StorageClassName == nil {
		return 0, nil
	}
	class, err := p.classes.Get(*claim.Spec.StorageClassName)
	if apierrors.IsNotFound(err) {
		return 5 * time.Second, nil // the class may come after the claim
	}
	if err != nil || class.Provisioner != Driver {
		return 0, err
	}
	zone, ok := p.zone(claim, class)
	if !ok {
		return 0, nil // waits for its first consumer
	}
	if _, err := p.volumes.Get(Name(claim)); err == nil {
		return 0, nil
	}
	return 0, p.create(ctx, claim, class, zone)
}

// create makes a claim's disk and volume. Both may exist from an attempt that
// a crash cut short.
func (p *Provisioner) create(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, zone string) error {
	p.Recorder.Eventf(claim, corev1.EventTypeNormal, "Provisioning",
		"External provisioner is provisioning volume for claim %q", claim.Namespace+"/"+claim.Name)
	err := p.createDisk(ctx, claim, class, zone)
	if err == nil {
		_, err = p.Client.CoreV1().PersistentVolumes().Create(ctx, For(p.Cluster, claim, class, zone), metav1.CreateOptions{})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		p.Recorder.Eventf(claim, corev1.EventTypeWarning, "ProvisioningFailed",
			"failed to provision volume with StorageClass %q: rpc error: code = Internal desc = %v", class.Name, err)
		return fmt.Errorf("provision %s: %w", Name(claim), err)
	}
	p.Recorder.Eventf(claim, corev1.EventTypeNormal, "ProvisioningSucceeded", "Successfully provisioned volume %s", Name(claim))
	return nil
}

func (p *Provisioner) createDisk(ctx context.Context, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, zone string) error {
	disk, err := DiskFor(p.Cluster, claim, class)
	if err != nil {
		return err
	}
	if err := p.Compute.CreateDisk(ctx, p.Cluster.Project, zone, disk); err != nil {
		return err
	}
	return p.latency.Wait(ctx, cloud.DiskCreate, disk.Name)
}

// zone is where a claim's disk goes: with its first consumer, or for a class
// that binds at once, with any node.
func (p *Provisioner) zone(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) (string, bool) {
	if class.VolumeBindingMode != nil && *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer {
		node, err := p.nodes.Get(claim.Annotations[selectedNode])
		if err != nil {
			return "", false
		}
		return node.Labels[corev1.LabelTopologyZone], true
	}
	for _, pool := range p.Cluster.Pools {
		if len(pool.Zones) > 0 {
			return pool.Zones[0], true
		}
	}
	return p.Cluster.Location, true
}

// reclaimVolume removes the disk of a volume whose claim is gone.
func (p *Provisioner) reclaimVolume(ctx context.Context, name string) (time.Duration, error) {
	volume, err := p.volumes.Get(name)
	if err != nil {
		return 0, nil
	}
	disk, ours := diskOf(volume)
	if !ours || volume.Annotations[provisionedBy] != Driver {
		return 0, nil
	}
	released := volume.Status.Phase == corev1.VolumeReleased
	deleted := volume.DeletionTimestamp != nil && volume.Status.Phase != corev1.VolumeBound
	if !released && !deleted {
		return 0, nil
	}
	if volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		if deleted {
			return 0, p.unfinalize(ctx, volume) // the disk stays, as asked
		}
		return 0, nil
	}
	if err := p.deleteDisk(ctx, disk); err != nil {
		p.Recorder.Eventf(volume, corev1.EventTypeWarning, "VolumeFailedDelete", "rpc error: code = Internal desc = %v", err)
		return 0, fmt.Errorf("delete disk %s: %w", disk.name, err)
	}
	err = p.Client.CoreV1().PersistentVolumes().Delete(ctx, name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return 0, fmt.Errorf("delete volume: %w", err)
	}
	return 0, p.unfinalize(ctx, volume)
}

func (p *Provisioner) deleteDisk(ctx context.Context, disk disk) error {
	if err := p.Compute.AttachDisk(ctx, disk.project, disk.zone, disk.name, ""); err != nil {
		return err
	}
	return p.Compute.DeleteDisk(ctx, disk.project, disk.zone, disk.name)
}

// unfinalize lets a volume go. The object is read afresh, because deleting it
// has changed it.
func (p *Provisioner) unfinalize(ctx context.Context, volume *corev1.PersistentVolume) error {
	client := p.Client.CoreV1().PersistentVolumes()
	current, err := client.Get(ctx, volume.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	current.Finalizers = slices.DeleteFunc(current.Finalizers, func(f string) bool { return f == finalizer })
	if _, err = client.Update(ctx, current, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("release volume: %w", err)
	}
	return nil
}
