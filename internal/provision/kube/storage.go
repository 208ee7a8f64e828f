package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	storagev1ac "k8s.io/client-go/applyconfigurations/storage/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// applyStorageClass makes our StorageClass the only default one. Disks outlive
// clusters; these carry our labels, so the sweep finds them by identity.
func (l *link) applyStorageClass(ctx context.Context, p environment.Plan) error {
	class := storagev1ac.StorageClass(storageClass).
		WithLabels(map[string]string{labelManagedBy: managedBy}).
		WithAnnotations(map[string]string{annotationDefault: "true"}).
		WithProvisioner(diskProvisioner).
		WithParameters(map[string]string{
			"type":   "pd-balanced",
			"labels": environment.LabelInstallation + "=" + p.Installation + "," + environment.LabelCluster + "=" + p.ClusterName,
		}).
		WithReclaimPolicy(corev1.PersistentVolumeReclaimDelete).
		WithVolumeBindingMode(storagev1.VolumeBindingWaitForFirstConsumer).
		WithAllowVolumeExpansion(true)
	classes := l.typed.StorageV1().StorageClasses()
	if _, err := classes.Apply(ctx, class, applyOptions); err != nil {
		return err
	}
	list, err := classes.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, other := range list.Items {
		if other.Name == storageClass || other.Annotations[annotationDefault] != "true" {
			continue
		}
		patch := []byte(`{"metadata":{"annotations":{"` + annotationDefault + `":"false"}}}`)
		if _, err := classes.Patch(ctx, other.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager}); err != nil {
			return err
		}
	}
	return nil
}
