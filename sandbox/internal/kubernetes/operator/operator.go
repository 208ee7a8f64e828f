package operator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/reconcile"
)

const (
	chartName      = "dask-kubernetes-operator"
	labelCluster   = "dask.org/cluster-name"
	labelGroup     = "dask.org/workergroup-name"
	labelComponent = "dask.org/component"
)

var clusters = schema.GroupVersionResource{Group: "kubernetes.dask.org", Version: "v1", Resource: "daskclusters"}

// Operator gives DaskClusters their pods.
type Operator struct {
	client    kubernetes.Interface
	dynamic   dynamic.Interface
	loop      *reconcile.Loop
	available chan struct{}
	once      sync.Once
}

// New prepares to watch; nothing happens until Run.
func New(client kubernetes.Interface, custom dynamic.Interface, shared informers.SharedInformerFactory, log *slog.Logger) *Operator {
	o := &Operator{client: client, dynamic: custom, available: make(chan struct{})}
	o.loop = reconcile.New("dask-operator", log, o.reconcile)
	o.loop.WatchBy(shared.Apps().V1().Deployments().Informer(), func(object any) []string {
		d, ok := object.(*appsv1.Deployment)
		switch {
		case !ok:
			return nil
		case d.Labels["app.kubernetes.io/name"] == chartName && d.Status.AvailableReplicas > 0:
			o.once.Do(func() { close(o.available) })
		case d.Labels[labelCluster] != "":
			return []string{d.Namespace + "/" + d.Labels[labelCluster]}
		}
		return nil
	})
	return o
}

// Run waits until the operator is installed, then plays it until ctx is done.
// Its custom resources exist only from then on, so nothing is watched before.
func (o *Operator) Run(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-o.available:
	}
	watched := dynamicinformer.NewDynamicSharedInformerFactory(o.dynamic, 0)
	o.loop.Watch(watched.ForResource(clusters).Informer())
	watched.Start(ctx.Done())
	defer watched.Shutdown()
	o.loop.Run(ctx, 1)
}

// daskCluster is the part of the custom resource that is played.
type daskCluster struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Worker struct {
			Replicas int            `json:"replicas"`
			Spec     corev1.PodSpec `json:"spec"`
		} `json:"worker"`
		Scheduler struct {
			Spec    corev1.PodSpec     `json:"spec"`
			Service corev1.ServiceSpec `json:"service"`
		} `json:"scheduler"`
	} `json:"spec"`
}

func (o *Operator) reconcile(ctx context.Context, key string) (time.Duration, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return 0, nil
	}
	object, err := o.dynamic.Resource(clusters).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return 0, nil // what it owned is collected by the controller manager
	}
	if err != nil || object.GetDeletionTimestamp() != nil {
		return 0, err
	}
	var c daskCluster
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &c); err != nil {
		return 0, err
	}
	if err := o.scheduler(ctx, object, c); err != nil {
		return 0, err
	}
	return 0, o.workers(ctx, object, c)
}

func (o *Operator) scheduler(ctx context.Context, owner *unstructured.Unstructured, c daskCluster) error {
	meta := metav1.ObjectMeta{Name: c.Name + "-scheduler", Namespace: c.Namespace,
		Labels: map[string]string{labelCluster: c.Name, labelComponent: "scheduler"}, OwnerReferences: ownedBy(owner)}
	if err := o.deploy(ctx, meta, c.Spec.Scheduler.Spec); err != nil {
		return err
	}
	_, err := o.client.CoreV1().Services(c.Namespace).Create(ctx, &corev1.Service{ObjectMeta: meta, Spec: c.Spec.Scheduler.Service}, metav1.CreateOptions{})
	return ignoreExists(err)
}

// workers makes as many Deployments of one pod as replicas asks for.
func (o *Operator) workers(ctx context.Context, owner *unstructured.Unstructured, c daskCluster) error {
	selector := labels.Set{labelCluster: c.Name, labelComponent: "worker"}.String()
	// Asked of the API server, since a cache that lags would make too many.
	list, err := o.client.AppsV1().Deployments(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return err
	}
	have := list.Items
	group := c.Name + "-default"
	for n := len(have); n < c.Spec.Worker.Replicas; n++ {
		meta := metav1.ObjectMeta{Name: fmt.Sprintf("%s-worker-%s", group, random()), Namespace: c.Namespace, OwnerReferences: ownedBy(owner),
			Labels: map[string]string{labelCluster: c.Name, labelGroup: group, labelComponent: "worker"}}
		if err := o.deploy(ctx, meta, c.Spec.Worker.Spec); err != nil {
			return err
		}
	}
	for n := len(have); n > c.Spec.Worker.Replicas; n-- {
		err := o.client.AppsV1().Deployments(c.Namespace).Delete(ctx, have[n-1].Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

func (o *Operator) deploy(ctx context.Context, meta metav1.ObjectMeta, pod corev1.PodSpec) error {
	chosen := map[string]string{"sandbox.daskbot.dev/deployment": meta.Name}
	podLabels := map[string]string{"sandbox.daskbot.dev/deployment": meta.Name}
	for k, v := range meta.Labels {
		podLabels[k] = v
	}
	one := int32(1)
	_, err := o.client.AppsV1().Deployments(meta.Namespace).Create(ctx, &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: chosen},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: podLabels}, Spec: pod},
	}}, metav1.CreateOptions{})
	return ignoreExists(err)
}

func ignoreExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func ownedBy(o *unstructured.Unstructured) []metav1.OwnerReference {
	return []metav1.OwnerReference{*metav1.NewControllerRef(o, schema.GroupVersionKind{Group: clusters.Group, Version: clusters.Version, Kind: "DaskCluster"})}
}

func random() string {
	b := make([]byte, 5)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}
