package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func plan() environment.Plan {
	return environment.Plan{
		Environment: "e1", Installation: "inst", ClusterName: "c1", Namespace: "daskhub", Dedicated: true,
		Releases: []environment.Release{{Name: "dhub", Namespace: "daskhub"}},
		Access: environment.Access{Kind: environment.AccessJupyterHub, Service: "proxy-public", Port: 80,
			DashboardService: "dash", DashboardPort: 8787},
		Workers:     environment.Workers{Kind: environment.WorkersValues, Selector: "component=worker"},
		WantWorkers: 4, Ceiling: 10,
	}
}

func deployment(name string, replicas, ready int32) appsv1.Deployment {
	labels := map[string]string{"component": name}
	return appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "daskhub", Generation: 1,
			Annotations: map[string]string{annotationRelease: "dhub"}},
		Spec: appsv1.DeploymentSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}}},
		Status: appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: replicas, UpdatedReplicas: replicas, AvailableReplicas: ready},
	}
}

func newPod(component, name string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "daskhub",
		CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour)), Labels: map[string]string{"component": component}}}
}

func readyPod(component, name string) corev1.Pod {
	p := newPod(component, name)
	p.Spec.NodeName = "n"
	p.Status.Phase = corev1.PodRunning
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	return p
}

func homelessPod(component, name string, since time.Duration) corev1.Pod {
	p := newPod(component, name)
	p.Status.Phase = corev1.PodPending
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes are available: 1 Insufficient cpu.",
		LastTransitionTime: metav1.NewTime(noon.Add(-since))}}
	return p
}

func stuckPod(component, reason string, restarts int32) corev1.Pod {
	p := newPod(component, component+"-1")
	p.Spec.NodeName = "n"
	p.Status.Phase = corev1.PodPending
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", RestartCount: restarts,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}}
	return p
}

func readyNodes(n int) []corev1.Node {
	var out []corev1.Node
	for i := range n {
		out = append(out, corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%02d", i), Labels: map[string]string{corev1.LabelInstanceTypeStable: "n1-standard-4"}},
			Spec:       corev1.NodeSpec{ProviderID: "gce://proj/europe-west1-b/n"},
			Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}})
	}
	return out
}

func TestConclude(t *testing.T) {
	placeholder := deployment("user-placeholder", 3, 0)
	foreign := deployment("students-own", 3, 0)
	foreign.Annotations = nil
	old := deployment("hub", 1, 1)
	old.Status.ObservedGeneration, old.Generation = 1, 2
	rolling := deployment("hub", 2, 2)
	rolling.Status.Replicas = 3
	refusedByQuota := deployment("hub", 1, 0)
	refusedByQuota.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure,
		Status: corev1.ConditionTrue, Message: `pods "hub" is forbidden: exceeded quota: daskbot`}}
	tests := []struct {
		name            string
		s               survey
		ready, wanted   int
		waiting, broken string
	}{
		{name: "all ready", s: survey{deployments: []appsv1.Deployment{deployment("hub", 1, 1), deployment("proxy", 1, 1)}}, ready: 2, wanted: 2},
		{name: "placeholders and others' objects do not count", ready: 1, wanted: 1,
			s: survey{deployments: []appsv1.Deployment{deployment("hub", 1, 1), placeholder, foreign}}},
		{name: "an upgrade that was not looked at is not ready", s: survey{deployments: []appsv1.Deployment{old}}, wanted: 1,
			waiting: "0 of 1 pod is running; still to come: the hub."},
		{name: "a roll-out with old pods left is not ready", s: survey{deployments: []appsv1.Deployment{rolling}}, ready: 1, wanted: 2,
			waiting: "1 of 2 pods is running; still to come: the hub."},
		{name: "a node is coming", wanted: 1, waiting: "0 of 1 pod is running; still to come: the hub (waiting for a node).",
			s: survey{deployments: []appsv1.Deployment{deployment("hub", 1, 0)}, nodes: readyNodes(1),
				pods: []corev1.Pod{homelessPod("hub", "hub-1", time.Hour)}}},
		{name: "no node is coming", wanted: 1, waiting: "0 of 1 pod is running; still to come: the hub (waiting for a node).",
			broken: "The hub does not fit: the cluster has reached its limit of 10 nodes and all of them are full.",
			s: survey{deployments: []appsv1.Deployment{deployment("hub", 1, 0)}, nodes: readyNodes(10),
				pods: []corev1.Pod{homelessPod("hub", "hub-1", time.Hour)}}},
		{name: "a short wait for a node is none", wanted: 1, waiting: "0 of 1 pod is running; still to come: the hub (waiting for a node).",
			s: survey{deployments: []appsv1.Deployment{deployment("hub", 1, 0)}, nodes: readyNodes(10),
				pods: []corev1.Pod{homelessPod("hub", "hub-1", time.Second)}}},
		{name: "workers without a node are not waited for", ready: 3, wanted: 3,
			s: survey{deployments: []appsv1.Deployment{deployment("hub", 1, 1), deployment("worker", 4, 2)}, nodes: readyNodes(10),
				pods: []corev1.Pod{homelessPod("worker", "w1", time.Hour), homelessPod("worker", "w2", time.Hour)}}},
		{name: "image", wanted: 1, waiting: "0 of 1 pod is running; still to come: the hub (its image cannot be downloaded).",
			broken: "The image of the hub cannot be downloaded: its name is wrong or it is not public.",
			s:      survey{deployments: []appsv1.Deployment{deployment("hub", 1, 0)}, pods: []corev1.Pod{stuckPod("hub", "ImagePullBackOff", 0)}}},
		{name: "crash loop of a worker", wanted: 1, waiting: "0 of 1 pod is running; still to come: the worker (keeps crashing).",
			broken: "The worker keeps crashing (5 restarts so far); its log says why. If packages were added, check their names.",
			s:      survey{deployments: []appsv1.Deployment{deployment("worker", 1, 0)}, pods: []corev1.Pod{stuckPod("worker", "CrashLoopBackOff", 5)}}},
		{name: "first restarts", wanted: 1, waiting: "0 of 1 pod is running; still to come: the hub (keeps crashing).",
			s: survey{deployments: []appsv1.Deployment{deployment("hub", 1, 0)}, pods: []corev1.Pod{stuckPod("hub", "CrashLoopBackOff", 1)}}},
		{name: "quota", wanted: 1, waiting: "0 of 1 pod is running; still to come: the hub.", broken: sayQuota,
			s: survey{deployments: []appsv1.Deployment{refusedByQuota}}},
		{name: "quota, said in an event", wanted: 1, waiting: "0 of 1 pod is running; still to come: the hub.", broken: sayQuota,
			s: survey{deployments: []appsv1.Deployment{deployment("hub", 1, 0)}, warnings: []corev1.Event{{
				InvolvedObject: corev1.ObjectReference{Namespace: "daskhub", Name: "hub-5d4"}, Message: "exceeded quota: daskbot",
				LastTimestamp: metav1.NewTime(noon.Add(-time.Minute))}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := conclude(tt.s, plan(), noon)
			if err != nil {
				t.Fatal(err)
			}
			type result struct {
				Ready, Wanted   int
				Waiting, Broken string
			}
			want := result{tt.ready, tt.wanted, tt.waiting, tt.broken}
			if diff := cmp.Diff(want, result{got.Ready, got.Wanted, got.Waiting, got.Broken}); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestWorkersMessage(t *testing.T) {
	tests := []struct {
		name string
		kind environment.WorkersKind
		want environment.SeenWorkers
		pods []corev1.Pod
		n    int
	}{
		{name: "may grow", n: 2, pods: []corev1.Pod{readyPod("worker", "a"), readyPod("worker", "b"), homelessPod("worker", "c", 0), homelessPod("worker", "d", 0)},
			want: environment.SeenWorkers{Wanted: 4, Running: 2, Pending: 2, Message: "2 of 4 workers are waiting for a node; the cluster may grow to 10."}},
		{name: "one", n: 2, pods: []corev1.Pod{readyPod("worker", "a"), readyPod("worker", "b"), readyPod("worker", "c"), homelessPod("worker", "d", 0)},
			want: environment.SeenWorkers{Wanted: 4, Running: 3, Pending: 1, Message: "1 of 4 workers is waiting for a node; the cluster may grow to 10."}},
		{name: "ceiling", n: 10, pods: []corev1.Pod{readyPod("worker", "a"), homelessPod("worker", "c", 0)},
			want: environment.SeenWorkers{Wanted: 4, Running: 1, Pending: 1,
				Message: "1 of 4 workers is waiting for a node, but the cluster has reached its limit of 10 nodes; ask for fewer workers or for a larger cluster."}},
		{name: "starting", n: 1, pods: []corev1.Pod{stuckPod("worker", "ContainerCreating", 0)},
			want: environment.SeenWorkers{Wanted: 4, Pending: 1, Message: "1 of 4 workers is starting."}},
		{name: "missing", n: 1, pods: []corev1.Pod{readyPod("worker", "a")},
			want: environment.SeenWorkers{Wanted: 4, Running: 1, Message: "3 of 4 workers are still to be made."}},
		{name: "made by notebooks", kind: environment.WorkersNodes, n: 1, pods: []corev1.Pod{readyPod("worker", "a")},
			want: environment.SeenWorkers{Wanted: 1, Running: 1, Message: "The worker is running."}},
		{name: "none", kind: environment.WorkersNodes, n: 1, pods: []corev1.Pod{readyPod("hub", "a")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := plan()
			if tt.kind != "" {
				p.Workers.Kind = tt.kind
			}
			got, err := conclude(survey{pods: tt.pods, nodes: readyNodes(tt.n)}, p, noon)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Workers); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestBadWorkerSelectorIsInvalid(t *testing.T) {
	p := plan()
	p.Workers.Selector = "a in ("
	if _, err := conclude(survey{}, p, noon); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("got %v; want CodeInvalid", err)
	}
}

func TestAddress(t *testing.T) {
	service := func(ip, hostname string, annotations map[string]string) corev1.Service {
		s := corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "s", Namespace: "ns", Annotations: annotations},
			Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, Ports: []corev1.ServicePort{{Port: 8000}}}}
		if ip+hostname != "" {
			s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: ip, Hostname: hostname}}
		}
		return s
	}
	internal := service("203.0.113.9", "", nil)
	internal.Spec.Type = corev1.ServiceTypeClusterIP
	tests := []struct {
		name string
		s    corev1.Service
		port int
		want string
	}{
		{"plain", service("203.0.113.9", "", nil), 80, "http://203.0.113.9"},
		{"tls", service("203.0.113.9", "", nil), 443, "https://203.0.113.9"},
		{"other port", service("203.0.113.9", "", nil), 8786, "http://203.0.113.9:8786"},
		{"first port", service("203.0.113.9", "", nil), 0, "http://203.0.113.9:8000"},
		{"host name", service("", "hub.example.org", nil), 80, "http://hub.example.org"},
		{"IPv6", service("2001:db8::1", "", nil), 80, "http://[2001:db8::1]"},
		{"pending", service("", "", nil), 80, ""},
		{"not a load balancer", internal, 80, ""},
		{"annotated", service("127.0.0.9", "", map[string]string{annotationURL + "80": "http://127.0.0.9:41234"}), 80, "http://127.0.0.9:41234"},
		{"annotated elsewhere", service("127.0.0.9", "", map[string]string{annotationURL + "80": "http://10.0.0.1:22"}), 80, "http://127.0.0.9"},
		{"annotated with a login", service("127.0.0.9", "", map[string]string{annotationURL + "80": "http://a@127.0.0.9"}), 80, "http://127.0.0.9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := address([]corev1.Service{tt.s}, "ns", "s", tt.port); got != tt.want {
				t.Errorf("got %q; want %q", got, tt.want)
			}
		})
	}
}

func TestBalancerParts(t *testing.T) {
	s := corev1.Service{ObjectMeta: metav1.ObjectMeta{UID: "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
		Annotations: map[string]string{"service.kubernetes.io/backend-service": "k8s2-abc-ns-s-def"}}}
	var got []string
	for _, r := range balancerParts(s, place{"proj", "europe-west1"}) {
		got = append(got, strings.Join([]string{r.Project, r.Location, string(r.Kind), r.Name}, "/"))
	}
	const name = "a0f1e2d3c4b5a69788796a5b4c3d2e1f"
	want := []string{
		"proj/europe-west1/forwardingRules/" + name, "proj/europe-west1/targetPools/" + name,
		"proj/global/httpHealthChecks/" + name, "proj/global/firewalls/k8s-fw-" + name,
		"proj/global/firewalls/k8s-" + name + "-http-hc", "proj/europe-west1/addresses/" + name,
		"proj/europe-west1/backendServices/k8s2-abc-ns-s-def",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestDiskOf(t *testing.T) {
	tests := []struct{ handle, want string }{
		{"projects/p/zones/europe-west1-b/disks/pvc-1", "p europe-west1-b pvc-1"},
		{"projects/p/regions/europe-west1/disks/pvc-2", "p europe-west1 pvc-2"},
		{"nonsense", ""},
	}
	for _, tt := range tests {
		v := corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{PersistentVolumeSource: corev1.PersistentVolumeSource{
			CSI: &corev1.CSIPersistentVolumeSource{Driver: diskProvisioner, VolumeHandle: tt.handle}}}}
		r, ok := diskOf(v)
		got := ""
		if ok {
			got = r.Project + " " + r.Location + " " + r.Name
		}
		if got != tt.want {
			t.Errorf("%s: got %q; want %q", tt.handle, got, tt.want)
		}
	}
}

func mustParse(text string) resource.Quantity { return resource.MustParse(text) }

func TestPodMessage(t *testing.T) {
	ready := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	oom := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled"}}
	crash := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	failed := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
	for _, test := range []struct {
		name   string
		status corev1.PodStatus
		want   string
	}{
		{"well", corev1.PodStatus{Conditions: []corev1.PodCondition{ready}}, "running"},
		{"well again after it ate its memory", corev1.PodStatus{Conditions: []corev1.PodCondition{ready},
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 1, LastTerminationState: oom}}}, "running; it used more memory than it may and was started again"},
		{"eats its memory each time", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 4, State: crash, LastTerminationState: oom}}},
			"keeps using more memory than it may (4 restarts so far)"},
		{"crashes", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 1, State: crash}}}, "keeps crashing (1 restart so far)"},
		{"between two crashes", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 3, State: running, LastTerminationState: failed}}},
			"keeps crashing (3 restarts so far)"},
		{"started again once", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 1, State: running, LastTerminationState: failed}}}, "starting"},
		{"started again for another reason", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 3, State: running}}}, "starting"},
		{"filled its volume", corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: `Usage of EmptyDir volume "home" exceeds the limit "64Mi". `},
			"stopped, because it filled the disk it may use"},
		{"filled its node", corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: ephemeral-storage."},
			"stopped, because its node ran out of memory or disk"},
		{"was a job's", corev1.PodStatus{Phase: corev1.PodFailed}, "failed"},
	} {
		if got := podMessage(corev1.Pod{Status: test.status}); got != test.want {
			t.Errorf("%s: got %q; want %q", test.name, got, test.want)
		}
	}
	quietly := corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways}, Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}
	if got := podMessage(quietly); !strings.Contains(got, "stopped by its node") {
		t.Errorf("evicted, and its process went quietly: got %q", got)
	}
	quietly.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfcpu"}
	if got, want := podMessage(quietly), "stopped by its node"; got != want {
		t.Errorf("refused by its node: got %q; want %q", got, want)
	}
}
