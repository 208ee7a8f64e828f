package kubernetes_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	client "k8s.io/client-go/kubernetes"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes"
)

// stateOfChild tells this test program to be the sandbox that gets killed.
const stateOfChild = "DASKBOT_TEST_STATE"

// TestSandboxThatIsKilled is not a test of its own: TestKill runs it in
// another process.
func TestSandboxThatIsKilled(t *testing.T) {
	dir := os.Getenv(stateOfChild)
	if dir == "" {
		t.Skip("runs in a process of its own, started by TestKill")
	}
	planes, err := kubernetes.New(kubernetes.Config{
		StateDir: dir, Binaries: binaries(t), Network: os.Getenv("DASKBOT_TEST_NETWORK"), Token: token,
		Compute: newCompute("127.1", 10), Backends: greeter{}, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = planes.Run(t.Context()) }()
	endpoint, err := planes.Start(t.Context(), spec("c1"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = kubectl(t, endpoint).CoreV1().ConfigMaps("default").Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "survivor"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready to be killed")
	<-t.Context().Done()
}

func TestKill(t *testing.T) {
	binaries(t)
	dir := t.TempDir()
	killSandbox(t, dir)
	eventually(t, "children die with the sandbox", func(context.Context) string {
		if left := processes(t, dir); len(left) > 0 {
			return fmt.Sprint(left)
		}
		return ""
	})
	compute := newCompute(network(), 10)
	s := run(t, dir, network(), compute)
	endpoint, err := s.Start(t.Context(), spec("c1"))
	if err != nil {
		t.Fatal(err)
	}
	kube := kubectl(t, endpoint)
	if _, err := kube.CoreV1().ConfigMaps("default").Get(t.Context(), "survivor", metav1.GetOptions{}); err != nil {
		t.Errorf("what was there before: %v", err)
	}
	t.Run("pods that name another scheduler are bound", func(t *testing.T) { checkBinder(t, kube) })
	t.Run("jobs complete", func(t *testing.T) { checkJob(t, kube) })
	t.Run("a pod that is never ready", func(t *testing.T) { checkNeverReady(t, kube, compute) })
	t.Run("a slow API", func(t *testing.T) { checkSlowAPI(t, kube, compute) })
	t.Run("node pools", func(t *testing.T) { checkNodePools(t, s, kube, compute) })
}

// killSandbox runs a sandbox in a process of its own and kills it.
func killSandbox(t *testing.T, dir string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestSandboxThatIsKilled$", "-test.v")
	child.Env = append(os.Environ(), stateOfChild+"="+dir, "DASKBOT_TEST_NETWORK="+network())
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		ready = strings.Contains(lines.Text(), "ready to be killed")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // its end is the point
	if !ready {
		t.Fatal("the sandbox ended before it was ready")
	}
}

func checkBinder(t *testing.T, kube client.Interface) {
	zero := int64(0)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "user-placeholder-0", Labels: map[string]string{"release": "dhub"}},
		Spec: corev1.PodSpec{SchedulerName: "dhub-user-scheduler", TerminationGracePeriodSeconds: &zero,
			Containers: []corev1.Container{{Name: "c", Image: "pause"}}},
	}
	if _, err := kube.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "pod runs", func(ctx context.Context) string { return phase(ctx, kube, pod.Name, corev1.PodRunning) })
}

func phase(ctx context.Context, kube client.Interface, name string, want corev1.PodPhase) string {
	pod, err := kube.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	if pod.Status.Phase != want {
		return fmt.Sprintf("pod is %s; want %s", pod.Status.Phase, want)
	}
	return ""
}

func checkJob(t *testing.T, kube client.Interface) {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "puller"}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "c", Image: "i"}}},
	}}}
	if _, err := kube.BatchV1().Jobs("default").Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "job is complete", func(ctx context.Context) string {
		job, err := kube.BatchV1().Jobs("default").Get(ctx, "puller", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		if job.Status.Succeeded != 1 {
			return fmt.Sprintf("%d succeeded", job.Status.Succeeded)
		}
		return ""
	})
}

func checkNeverReady(t *testing.T, kube client.Interface, compute *compute) {
	compute.script("never-ready", &cloud.Fault{Kind: "never-ready", Value: "stuck"})
	for _, release := range []string{"stuck", "fine"} {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: release, Labels: map[string]string{"app.kubernetes.io/instance": release}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
		}
		if _, err := kube.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "other release is ready", func(ctx context.Context) string { return phase(ctx, kube, "fine", corev1.PodRunning) })
	if got := phase(t.Context(), kube, "stuck", corev1.PodPending); got != "" {
		t.Error(got)
	}
	compute.script("never-ready", nil)
	eventually(t, "ready once the fault is lifted", func(ctx context.Context) string { return phase(ctx, kube, "stuck", corev1.PodRunning) })
}

func checkSlowAPI(t *testing.T, kube client.Interface, compute *compute) {
	compute.script("slow-api", &cloud.Fault{Kind: "slow-api", Delay: "300ms"})
	began := time.Now()
	if _, err := kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("answered after %s; want 300ms or more", took)
	}
	compute.script("slow-api", nil)
}

func checkNodePools(t *testing.T, s *sandbox, kube client.Interface, compute *compute) {
	pools := append(spec("c1").Pools, cloud.NodePool{
		Name: "worker", MachineType: "e2-standard-4", MilliCPU: 4000, MemoryBytes: 16 << 30, DiskGB: 50, DiskType: "pd-standard", Spot: true,
		Zones: []string{"europe-west1-b", "europe-west1-c"}, Count: 2,
		Taints: []corev1.Taint{{Key: "k8s.dask.org/dedicated", Value: "worker", Effect: corev1.TaintEffectNoSchedule}},
	})
	if err := s.SetNodePools(t.Context(), "c1", pools); err != nil {
		t.Fatal(err)
	}
	nodes, err := kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: "cloud.google.com/gke-nodepool=worker"})
	if err != nil {
		t.Fatal(err)
	}
	zones := map[string]bool{}
	for _, node := range nodes.Items {
		zones[node.Labels[corev1.LabelTopologyZone]] = true
		if len(node.Spec.Taints) != 1 || node.Labels["cloud.google.com/gke-spot"] != "true" {
			t.Errorf("node %s has taints %v and labels %v", node.Name, node.Spec.Taints, node.Labels)
		}
	}
	if len(nodes.Items) != 2 || len(zones) != 2 {
		t.Errorf("%d nodes in zones %v; want 2 in 2", len(nodes.Items), zones)
	}
	if err := s.SetNodePools(t.Context(), "c1", spec("c1").Pools); err != nil {
		t.Fatal(err)
	}
	if _, _, left := compute.count(); left != 0 { // the default pool's node was granted by the killed sandbox's cloud
		t.Errorf("%d nodes are left of the pool that was deleted", left)
	}
}
