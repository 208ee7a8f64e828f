package kubernetes_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes"
)

const token = "token-of-the-test"

// binaries finds the multi-call binary, or skips the test.
func binaries(t *testing.T) map[string][]string {
	t.Helper()
	path, err := filepath.Abs("../../../bin/daskbot-controlplane")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no control plane to run: %v (make build makes it)", err)
	}
	all := map[string][]string{}
	for _, name := range kubernetes.Components {
		all[name] = []string{path, name}
	}
	return all
}

// sandbox runs Planes until the test or the caller ends it.
type sandbox struct {
	*kubernetes.Planes
	end func() // stops Run and waits for it
}

func run(t *testing.T, dir, network string, compute cloud.Compute) *sandbox {
	t.Helper()
	level := slog.LevelInfo
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	planes, err := kubernetes.New(kubernetes.Config{
		StateDir: dir, Binaries: binaries(t), Network: network, Token: token, Compute: compute, Backends: greeter{},
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- planes.Run(ctx) }()
	ended := false
	s := &sandbox{Planes: planes, end: func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
		if left := processes(t, dir); len(left) > 0 {
			t.Errorf("processes are left: %v", left)
		}
	}}
	t.Cleanup(s.end)
	return s
}

// network is a loopback network that no other test process uses.
func network() string { return fmt.Sprintf("127.%d", 100+os.Getpid()%100) }

func spec(id string) cloud.ClusterSpec {
	return cloud.ClusterSpec{
		ID: id, Project: "p", Location: "europe-west1-b", Region: "europe-west1", Name: "dask-" + id, Version: "1.35.8-gke.1036000",
		Pools: []cloud.NodePool{{
			Name: "default-pool", MachineType: "n1-standard-4", MilliCPU: 4000, MemoryBytes: 15 << 30, DiskGB: 100, DiskType: "pd-balanced",
			Zones: []string{"europe-west1-b"}, Count: 1, Autoscaling: true, Min: 1, Max: 3,
		}},
	}
}

// processes are the ids of processes whose command line names dir.
func processes(t *testing.T, dir string) (pids []int) {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		line, _ := os.ReadFile(path)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if pid != os.Getpid() && bytes.Contains(line, []byte(dir)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// kubectl is a client as a user has it: through the endpoint.
func kubectl(t *testing.T, endpoint cloud.Endpoint) client.Interface {
	t.Helper()
	c, err := client.NewForConfig(&rest.Config{
		Host: "https://" + endpoint.Address, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: endpoint.CACertificate}, QPS: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits until what has no reason against it.
func eventually(t *testing.T, name string, what func(ctx context.Context) string) {
	t.Helper()
	began := time.Now()
	reason := "never asked"
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		reason = what(ctx)
		return reason == "", nil
	})
	if err != nil {
		t.Fatalf("%s: %s", name, reason)
	}
	t.Logf("%s after %s", name, time.Since(began).Round(time.Millisecond))
}

func TestControlPlane(t *testing.T) {
	dir := t.TempDir()
	compute := newCompute(network(), 2)
	s := run(t, dir, network(), compute)
	began := time.Now()
	endpoint, err := s.Start(t.Context(), spec("c1"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %s at %s", time.Since(began), endpoint.Address)
	kube := kubectl(t, endpoint)

	createWorkload(t, kube)
	eventually(t, "deployment is ready", func(ctx context.Context) string { return deploymentReady(ctx, kube, "web", 1) })
	eventually(t, "service answers", func(ctx context.Context) string { return answers(ctx, kube, "web") })
	checkDisk(t, compute)
	checkScaling(t, kube, compute)
	checkRestartOfAPIServer(t, dir, kube)

	t.Run("comes back after the sandbox ended", func(t *testing.T) {
		s.end()
		s := run(t, dir, network(), compute)
		again, err := s.Start(t.Context(), spec("c1"))
		if err != nil {
			t.Fatal(err)
		}
		if again.Address != endpoint.Address || !bytes.Equal(again.CACertificate, endpoint.CACertificate) {
			t.Errorf("endpoint is %s after a restart; want %s and the same authority", again.Address, endpoint.Address)
		}
		eventually(t, "service answers again", func(ctx context.Context) string { return answers(ctx, kube, "web") })
		checkCleanUp(t, kube, compute)
		if err := s.Stop(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
		if _, _, nodes := compute.count(); nodes != 0 {
			t.Errorf("%d nodes are left after Stop", nodes)
		}
		if left := processes(t, filepath.Join(dir, "clusters")); len(left) > 0 {
			t.Errorf("processes are left after Stop: %v", left)
		}
	})
}

func createWorkload(t *testing.T, kube client.Interface) {
	t.Helper()
	ctx := t.Context()
	labels := map[string]string{"app": "web"}
	_, err := kube.CoreV1().PersistentVolumeClaims("default").Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	replicas := int32(1)
	_, err = kube.AppsV1().Deployments("default").Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "web", Image: "web", Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m")}}}},
				Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}},
			},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = kube.CoreV1().Services("default").Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Selector: labels, Ports: []corev1.ServicePort{{
			Name: "http", Port: 80, TargetPort: intstr.FromInt32(8000)}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func deploymentReady(ctx context.Context, kube client.Interface, name string, want int32) string {
	deployment, err := kube.AppsV1().Deployments("default").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	if got := deployment.Status.ReadyReplicas; got != want {
		return fmt.Sprintf("%d replicas are ready; want %d", got, want)
	}
	return ""
}

func answers(ctx context.Context, kube client.Interface, name string) string {
	service, err := kube.CoreV1().Services("default").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	if len(service.Status.LoadBalancer.Ingress) == 0 {
		return "no address"
	}
	url := "http://" + service.Status.LoadBalancer.Ingress[0].IP
	if other := service.Annotations["daskbot.dev/external-url-80"]; other != "" {
		url = other
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); string(body) != name+":80" {
		return fmt.Sprintf("answered %q", body)
	}
	return ""
}

func checkDisk(t *testing.T, compute *compute) {
	t.Helper()
	disks := compute.diskList()
	if len(disks) != 1 {
		t.Fatalf("there are %d disks; want 1", len(disks))
	}
	disk := disks[0]
	if !strings.HasPrefix(disk.Name, "pvc-") || disk.SizeGB != 1 || disk.Type != "pd-balanced" || disk.Labels["goog-k8s-cluster-name"] != "dask-c1" {
		t.Errorf("disk is %+v", disk)
	}
	eventually(t, "disk is attached", func(context.Context) string {
		compute.mu.Lock()
		defer compute.mu.Unlock()
		if !strings.HasPrefix(compute.users[disk.Name], "gke-dask-c1-default-pool-") {
			return fmt.Sprintf("used by %q", compute.users[disk.Name])
		}
		return ""
	})
}

// checkScaling asks for more pods than fit, meets the quota, and lets go.
func checkScaling(t *testing.T, kube client.Interface, compute *compute) {
	t.Helper()
	_, err := kube.AppsV1().Deployments("default").Create(t.Context(), workers(9), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// 3.92 CPU a node, 0.5 of it taken once: 3 + 3 workers on two nodes.
	eventually(t, "workers fill what quota allows", func(ctx context.Context) string { return deploymentReady(ctx, kube, "worker", 6) })
	eventually(t, "a pod is told of the quota", func(ctx context.Context) string { return told(ctx, kube, "FailedScaleUp", "quota") })
	if err := kube.AppsV1().Deployments("default").Delete(t.Context(), "worker", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the empty node goes", func(ctx context.Context) string {
		if _, _, nodes := compute.count(); nodes != 1 {
			return fmt.Sprintf("%d nodes", nodes)
		}
		return ""
	})
}

func workers(n int32) *appsv1.Deployment {
	labels := map[string]string{"app": "worker"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "worker"},
		Spec: appsv1.DeploymentSpec{Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "w", Image: "w", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}},
		}},
	}
}

func told(ctx context.Context, kube client.Interface, reason, text string) string {
	events, err := kube.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("reason", reason).String()})
	if err != nil {
		return err.Error()
	}
	for _, event := range events.Items {
		if strings.Contains(event.Message, text) {
			return ""
		}
	}
	return fmt.Sprintf("%d events %s, none says %q", len(events.Items), reason, text)
}

func checkRestartOfAPIServer(t *testing.T, dir string, kube client.Interface) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "pgrep", "-f", "kube-apiserver.*"+filepath.Join(dir, "clusters")).Output()
	if err != nil {
		t.Fatalf("find the API server: %v", err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(out))[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the API server is another process and answers", func(ctx context.Context) string {
		if syscall.Kill(pid, 0) == nil {
			return "still there"
		}
		return deploymentReady(ctx, kube, "web", 1)
	})
}

// checkCleanUp deletes what costs and sees it gone from the cloud.
func checkCleanUp(t *testing.T, kube client.Interface, compute *compute) {
	t.Helper()
	ctx := t.Context()
	for _, err := range []error{
		kube.CoreV1().Services("default").Delete(ctx, "web", metav1.DeleteOptions{}),
		kube.AppsV1().Deployments("default").Delete(ctx, "web", metav1.DeleteOptions{}),
		kube.CoreV1().PersistentVolumeClaims("default").Delete(ctx, "data", metav1.DeleteOptions{}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "disk and load balancer are gone", func(context.Context) string {
		if disks, balancers, _ := compute.count(); disks+balancers > 0 {
			return fmt.Sprintf("%d disks, %d load balancers", disks, balancers)
		}
		return ""
	})
}
