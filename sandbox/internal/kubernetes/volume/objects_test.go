package volume

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

var cluster = cloud.ClusterSpec{ID: "c1", Project: "p", Name: "dask-7f3a", Location: "europe-west1-b"}

func claim(size string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "daskhub", Name: "hub-db-dir", UID: "0b1c"},
		Spec: corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}}},
	}
}

func TestDiskFor(t *testing.T) {
	class := Classes()[0]
	class.Parameters["labels"] = "daskbot-cluster=dask-7f3a, daskbot-installation=i1"
	got, err := DiskFor(cluster, claim("1500Mi"), class)
	if err != nil {
		t.Fatal(err)
	}
	want := cloud.Disk{
		Name: "pvc-0b1c", Type: "pd-balanced", SizeGB: 2,
		Description: `{"kubernetes.io/created-for/pv/name":"pvc-0b1c","kubernetes.io/created-for/pvc/name":"hub-db-dir",` +
			`"kubernetes.io/created-for/pvc/namespace":"daskhub","storage.gke.io/created-by":"pd.csi.storage.gke.io"}`,
		Labels: map[string]string{
			"daskbot-cluster": "dask-7f3a", "daskbot-installation": "i1",
			"goog-k8s-cluster-name": "dask-7f3a", "goog-k8s-cluster-location": "europe-west1-b", "goog-gke-volume": "",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("disk (-want +got):\n%s", diff)
	}
	class.Parameters["labels"] = "no equals sign"
	if _, err := DiskFor(cluster, claim("1Gi"), class); err == nil {
		t.Error("labels without = are accepted")
	}
}

func TestVolumeForKeepsToItsZone(t *testing.T) {
	volume := For(cluster, claim("1Gi"), Classes()[0], "europe-west1-b")
	if got, want := volume.Spec.CSI.VolumeHandle, "projects/p/zones/europe-west1-b/disks/pvc-0b1c"; got != want {
		t.Errorf("handle is %s; want %s", got, want)
	}
	found, ok := diskOf(volume)
	if want := (disk{"p", "europe-west1-b", "pvc-0b1c"}); !ok || found != want {
		t.Errorf("disk of the handle is %v, %v; want %v", found, ok, want)
	}
	term := volume.Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0]
	if term.Key != "topology.gke.io/zone" || term.Values[0] != "europe-west1-b" {
		t.Errorf("affinity is %v", term)
	}
}

func TestParseHandleRefusesOthers(t *testing.T) {
	for _, handle := range []string{"", "vol-123", "projects/p/regions/r/disks/d", "projects/p/zones/z/disks/d/more"} {
		if _, ok := parseHandle(handle); ok {
			t.Errorf("%q is taken for a disk", handle)
		}
	}
}
