package volume

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/nodepool"
)

const (
	// Driver is the provisioner of GKE's storage classes.
	Driver = "pd.csi.storage.gke.io"

	finalizer     = "external-provisioner.volume.kubernetes.io/finalizer"
	provisionedBy = "pv.kubernetes.io/provisioned-by"
	selectedNode  = "volume.kubernetes.io/selected-node"
	gib           = 1 << 30
)

// Classes are the storage classes every GKE cluster has.
func Classes() []*storagev1.StorageClass {
	return []*storagev1.StorageClass{class("standard-rwo", "pd-balanced", true), class("premium-rwo", "pd-ssd", false)}
}

func class(name, diskType string, isDefault bool) *storagev1.StorageClass {
	wait, reclaim, expand := storagev1.VolumeBindingWaitForFirstConsumer, corev1.PersistentVolumeReclaimDelete, true
	c := &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			"addonmanager.kubernetes.io/mode": "EnsureExists", "k8s-app": "gcp-compute-persistent-disk-csi-driver",
		}, Annotations: map[string]string{"components.gke.io/component-name": "pdcsi"}},
		Provisioner: Driver, Parameters: map[string]string{"type": diskType},
		VolumeBindingMode: &wait, ReclaimPolicy: &reclaim, AllowVolumeExpansion: &expand,
	}
	if isDefault {
		c.Annotations["storageclass.kubernetes.io/is-default-class"] = "true"
	}
	return c
}

// Name is the name of a claim's volume and of its disk.
func Name(claim *corev1.PersistentVolumeClaim) string { return "pvc-" + string(claim.UID) }

// DiskFor is the disk the driver would make for a claim. It fails when the
// class's labels parameter is not "key=value,…"; the claim then never binds,
// until a person mends the class.
func DiskFor(cluster cloud.ClusterSpec, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass) (cloud.Disk, error) {
	labels, err := parseLabels(class.Parameters["labels"])
	if err != nil {
		return cloud.Disk{}, err
	}
	labels["goog-k8s-cluster-name"] = cluster.Name
	labels["goog-k8s-cluster-location"] = cluster.Location
	labels["goog-gke-volume"] = ""
	description, err := json.Marshal(map[string]string{
		"kubernetes.io/created-for/pv/name":       Name(claim),
		"kubernetes.io/created-for/pvc/name":      claim.Name,
		"kubernetes.io/created-for/pvc/namespace": claim.Namespace,
		"storage.gke.io/created-by":               Driver,
	})
	if err != nil {
		return cloud.Disk{}, err
	}
	kind := class.Parameters["type"]
	if kind == "" {
		kind = "pd-standard"
	}
	return cloud.Disk{Name: Name(claim), Type: kind, Description: string(description), SizeGB: sizeGB(claim), Labels: labels}, nil
}

// sizeGB rounds what a claim asks for up to whole gibibytes.
func sizeGB(claim *corev1.PersistentVolumeClaim) int64 {
	asked := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	return max((asked.Value()+gib-1)/gib, 1)
}

// parseLabels reads the driver's "key1=value1,key2=value2".
func parseLabels(text string) (map[string]string, error) {
	labels := map[string]string{}
	if text == "" {
		return labels, nil
	}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("storage class parameter labels %q: %q is not key=value", text, pair)
		}
		labels[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return labels, nil
}

// For is the persistent volume that stands for a claim's disk.
func For(cluster cloud.ClusterSpec, claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, zone string) *corev1.PersistentVolume {
	name := Name(claim)
	filesystem := class.Parameters["csi.storage.k8s.io/fstype"]
	if filesystem == "" {
		filesystem = "ext4"
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{finalizer}, Annotations: map[string]string{provisionedBy: Driver}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:         corev1.ResourceList{corev1.ResourceStorage: *resource.NewQuantity(sizeGB(claim)*gib, resource.BinarySI)},
			AccessModes:      claim.Spec.AccessModes,
			StorageClassName: class.Name,
			MountOptions:     class.MountOptions,
			VolumeMode:       claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name,
				UID: claim.UID, ResourceVersion: claim.ResourceVersion,
			},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: Driver, FSType: filesystem, VolumeHandle: handle(cluster.Project, zone, name),
				VolumeAttributes: map[string]string{"storage.kubernetes.io/csiProvisionerIdentity": cluster.ID + "-" + Driver},
			}},
			NodeAffinity: zoneAffinity(zone),
		},
	}
	if class.ReclaimPolicy != nil {
		volume.Spec.PersistentVolumeReclaimPolicy = *class.ReclaimPolicy
	}
	return volume
}

func zoneAffinity(zone string) *corev1.VolumeNodeAffinity {
	return &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{
			Key: nodepool.TopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone},
		}},
	}}}}
}

func handle(project, zone, disk string) string {
	return fmt.Sprintf("projects/%s/zones/%s/disks/%s", project, zone, disk)
}

// disk is what a volume handle names.
type disk struct{ project, zone, name string }

func parseHandle(handle string) (disk, bool) {
	parts := strings.Split(handle, "/")
	if len(parts) != 6 || parts[0] != "projects" || parts[2] != "zones" || parts[4] != "disks" {
		return disk{}, false
	}
	return disk{project: parts[1], zone: parts[3], name: parts[5]}, true
}

// diskOf is the disk of a volume of our driver.
func diskOf(volume *corev1.PersistentVolume) (disk, bool) {
	if volume.Spec.CSI == nil || volume.Spec.CSI.Driver != Driver {
		return disk{}, false
	}
	return parseHandle(volume.Spec.CSI.VolumeHandle)
}
