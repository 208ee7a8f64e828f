//go:build e2e

package kubernetes_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	client "k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/images"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/machine"
	"github.com/daskbot/daskbot/sandbox/internal/registry"
)

// How long a node may need to pull an image and start its pods.
const pulling = 4 * time.Minute

// withContents is a cloud whose disks have a content, as the World's have.
type withContents struct {
	*compute
	dir string
}

func (c withContents) CreateDisk(ctx context.Context, project, zone string, disk cloud.Disk) error {
	if err := os.MkdirAll(filepath.Join(c.dir, project, zone, disk.Name), 0o755); err != nil {
		return err
	}
	return c.compute.CreateDisk(ctx, project, zone, disk)
}

// realPlanes are planes with real nodes, or the test is skipped.
func realPlanes(t *testing.T, dir, network string) *kubernetes.Planes {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	store := images.Open(filepath.Join(root, ".daskbot", "images"))
	if _, err := store.Image("dask"); err != nil {
		t.Skipf("no image to run: %v", err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	disks := filepath.Join(dir, "disks")
	host, err := machine.New(machine.Config{
		Dir: dir, Network: "10." + strings.TrimPrefix(network, "127."), Services: kubernetes.ServiceRange, Disks: disks, Log: log,
		Node: []string{filepath.Join(root, "bin", "daskbot-node")}, DNS: []string{filepath.Join(root, "bin", "daskbot-dns")},
		Registry: registry.New(registry.Config{Store: store, Log: log}),
	})
	if err != nil {
		t.Skipf("no real nodes here: %v", err)
	}
	planes, err := kubernetes.New(kubernetes.Config{
		StateDir: dir, Binaries: binaries(t), Network: network, Token: token, Nodes: "real", Machines: host,
		Compute: withContents{newCompute(network, 10), disks}, Backends: greeter{}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return planes
}

// TestSandboxWithNodesThatIsKilled is not a test of its own: TestRealNodes
// runs it in another process.
func TestSandboxWithNodesThatIsKilled(t *testing.T) {
	dir := os.Getenv(stateOfChild)
	if dir == "" {
		t.Skip("runs in a process of its own, started by TestRealNodes")
	}
	planes := realPlanes(t, dir, os.Getenv("DASKBOT_TEST_NETWORK"))
	go func() { _ = planes.Run(t.Context()) }()
	endpoint, err := planes.Start(t.Context(), spec("c1"))
	if err != nil {
		t.Fatal(err)
	}
	kube := kubectl(t, endpoint)
	createWriter(t, kube)
	await(t, "the writer has written", func(ctx context.Context) string { return phase(ctx, kube, "writer", corev1.PodRunning) })
	fmt.Println("ready to be killed")
	<-t.Context().Done()
}

// TestRealNodes sees pods really run: after a sandbox was killed, on two nodes
// of one cluster and in two clusters, behind a Service and a load balancer, and
// on a disk. Nothing is left in the end.
func TestRealNodes(t *testing.T) {
	dir := t.TempDir()
	realPlanes(t, t.TempDir(), network()) // skips here rather than in the child
	killSandboxWithNodes(t, dir)
	planes := realPlanes(t, dir, network())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- planes.Run(ctx) }()

	endpoint, err := planes.Start(ctx, spec("c1"))
	if err != nil {
		t.Fatal(err)
	}
	kube := kubectl(t, endpoint)
	t.Run("pods come back after a kill", func(t *testing.T) {
		await(t, "writer has written again", func(context.Context) string { return content(dir) })
		await(t, "writer runs", func(ctx context.Context) string { return ready(ctx, kube, "writer") })
	})
	t.Run("two nodes", func(t *testing.T) { checkTwoNodes(t, kube) })
	t.Run("another cluster", func(t *testing.T) { checkOtherCluster(t, planes) })
	t.Run("a memory limit", func(t *testing.T) { checkOutOfMemory(t, kube) })
	if err := planes.Stop(ctx, "c2"); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
	if left, err := machine.Leftovers(t.Context(), dir); err != nil || len(left) > 0 {
		t.Errorf("left on this machine: %v\n%s", err, strings.Join(left, "\n"))
	}
}

func killSandboxWithNodes(t *testing.T, dir string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestSandboxWithNodesThatIsKilled$", "-test.v")
	child.Env = append(os.Environ(), stateOfChild+"="+dir, "DASKBOT_TEST_NETWORK="+network())
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		ready = strings.Contains(lines.Text(), "ready to be killed")
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // its end is the point
	if !ready {
		t.Fatalf("the sandbox ended before it was ready:\n%s", &said)
	}
}

// await is eventually with the patience that images need.
func await(t *testing.T, what string, f func(ctx context.Context) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pulling)
	defer cancel()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		last := f(ctx)
		if last == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %s", what, last)
		case <-tick.C:
		}
	}
}

func ready(ctx context.Context, kube client.Interface, name string) string {
	pod, err := kube.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return ""
		}
	}
	return fmt.Sprintf("pod %s is %s: %+v", name, pod.Status.Phase, pod.Status.ContainerStatuses)
}

const image = "ghcr.io/dask/dask:any"

// createWriter makes a pod that writes on a disk and stays.
func createWriter(t *testing.T, kube client.Interface) {
	t.Helper()
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "home"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
	}}
	if _, err := kube.CoreV1().PersistentVolumeClaims("default").Create(t.Context(), claim, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "writer"}, Spec: corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{FSGroup: ptr.To(int64(1000)), RunAsUser: ptr.To(int64(1000))},
		Containers: []corev1.Container{{
			Name: "c", Image: image, Command: []string{"sh", "-c", "echo written >> /home/f && exec sleep infinity"},
			VolumeMounts: []corev1.VolumeMount{{Name: "home", MountPath: "/home"}},
		}},
		Volumes: []corev1.Volume{{Name: "home", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "home"}}}},
	}}
	if _, err := kube.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// content is what is wrong with the disk, which both lives of the writer write
// on.
func content(dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "disks", "*", "*", "*", "f"))
	if err != nil || len(files) != 1 {
		return fmt.Sprintf("files on disks: %v, %v; want one", files, err)
	}
	got, err := os.ReadFile(files[0])
	if string(got) != "written\nwritten\n" {
		return fmt.Sprintf("the disk has %q, %v; want what was written before and after the kill", got, err)
	}
	return ""
}

// checkTwoNodes makes pods that need a second node, and calls them by their
// Service's name and at the load balancer.
func checkTwoNodes(t *testing.T, kube client.Interface) {
	createWeb(t, kube, 2, "3")
	spread := func(ctx context.Context) string {
		pods, err := kube.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			return err.Error()
		}
		nodes := map[string]bool{}
		for _, pod := range pods.Items {
			if why := ready(ctx, kube, pod.Name); why != "" {
				return why
			}
			nodes[pod.Spec.NodeName] = true
		}
		if len(nodes) != 2 {
			return fmt.Sprintf("pods are on %d nodes; want 2", len(nodes))
		}
		return ""
	}
	await(t, "pods on two nodes", spread)
	checkLoadBalancer(t, kube)
	// By name, through DNS and kube-proxy, to both pods in the end.
	caller := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "caller"}, Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{
		Name: "c", Image: image, Command: []string{"python3", "-c", `
import urllib.request
seen = set()
for i in range(200):
    seen.add(urllib.request.urlopen("http://web.default.svc.cluster.local/etc/hostname", timeout=5).read())
    if len(seen) == 2: raise SystemExit(0)
raise SystemExit("only " + str(seen))`},
	}}}}
	if _, err := kube.CoreV1().Pods("default").Create(t.Context(), caller, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "a pod calls both by name", func(ctx context.Context) string { return phase(ctx, kube, "caller", corev1.PodSucceeded) })
	if _, err := kube.CoreV1().Pods("default").GetLogs("caller", &corev1.PodLogOptions{}).DoRaw(t.Context()); err != nil {
		t.Errorf("read logs: %v", err)
	}
}

// createWeb makes a deployment that serves its own files, with a load balancer.
func createWeb(t *testing.T, kube client.Interface, replicas int32, cpu string) {
	t.Helper()
	labels := map[string]string{"app": "web"}
	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "c", Image: image, Command: []string{"python3", "-m", "http.server", "8000", "--directory", "/"},
			Resources:      corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8000)}}, PeriodSeconds: 1},
		}}}},
	}}
	if _, err := kube.AppsV1().Deployments("default").Create(t.Context(), web, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8000)}},
	}}
	if _, err := kube.CoreV1().Services("default").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func checkLoadBalancer(t *testing.T, kube client.Interface) {
	t.Helper()
	await(t, "the load balancer answers for a pod", func(ctx context.Context) string {
		service, err := kube.CoreV1().Services("default").Get(ctx, "web", metav1.GetOptions{})
		if err != nil || len(service.Status.LoadBalancer.Ingress) == 0 {
			return fmt.Sprintf("no address yet: %v", err)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+service.Status.LoadBalancer.Ingress[0].IP+"/etc/hostname", nil)
		if err != nil {
			return err.Error()
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err.Error()
		}
		defer answer.Body.Close()
		if body, err := io.ReadAll(answer.Body); err != nil || !strings.HasPrefix(string(body), "web-") {
			return fmt.Sprintf("answer is %q, %v; want a pod's name", body, err)
		}
		return ""
	})
}

// checkOtherCluster runs a second cluster beside the first, with the same names
// and Service addresses in it.
func checkOtherCluster(t *testing.T, planes *kubernetes.Planes) {
	endpoint, err := planes.Start(t.Context(), spec("c2"))
	if err != nil {
		t.Fatal(err)
	}
	kube := kubectl(t, endpoint)
	createWeb(t, kube, 1, "1")
	checkLoadBalancer(t, kube)
}

// checkOutOfMemory sees that the kernel ends what takes more than its limit,
// and that the pod says so.
func checkOutOfMemory(t *testing.T, kube client.Interface) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "greedy"}, Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{
		Name: "c", Image: image, Command: []string{"python3", "-c", "x = bytearray(500 << 20)"},
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}},
	}}}}
	if _, err := kube.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the pod is ended for its memory", func(ctx context.Context) string {
		pod, err := kube.CoreV1().Pods("default").Get(ctx, "greedy", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		for _, c := range pod.Status.ContainerStatuses {
			if c.State.Terminated != nil && c.State.Terminated.Reason == "OOMKilled" {
				return ""
			}
		}
		return fmt.Sprintf("pod is %s: %+v", pod.Status.Phase, pod.Status.ContainerStatuses)
	})
}
