package chart

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/chartutil"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8slabels "k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	gateway "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daskbot/daskbot/internal/config"
)

func newReader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }

func templateOf(o runtime.Object) *corev1.PodTemplateSpec {
	switch typed := o.(type) {
	case *appsv1.Deployment:
		return &typed.Spec.Template
	case *appsv1.StatefulSet:
		return &typed.Spec.Template
	default:
		return nil
	}
}

// TestTheDaemonAcceptsTheConfiguration checks the rendered file as `daskbot
// config check` does.
func TestTheDaemonAcceptsTheConfiguration(t *testing.T) {
	secrets(t)
	for name, values := range valuesSets(t) {
		t.Run(name, func(t *testing.T) {
			file := one[*corev1.ConfigMap](t, withoutDashboards(objects(t, values))).Data["daskbot.yaml"]
			cfg, err := config.Parse([]byte(file), "daskbot.yaml")
			if err != nil {
				t.Fatalf("%v\n%s", err, file)
			}
			if cfg.GKE.Project != "my-class-2026" {
				t.Errorf("project: got %q", cfg.GKE.Project)
			}
		})
	}
}

// TestTheInstructionsWork takes the values of docs/INSTALL.md as a reader would.
func TestTheInstructionsWork(t *testing.T) {
	text, err := os.ReadFile("../../../docs/INSTALL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```yaml\n")
	block, _, closed := strings.Cut(rest, "```")
	values, err := chartutil.ReadValues([]byte(block))
	if err != nil || !found || !closed {
		t.Fatalf("the values of docs/INSTALL.md: %v\n%s", err, block)
	}
	secrets(t)
	file := one[*corev1.ConfigMap](t, withoutDashboards(objects(t, values))).Data["daskbot.yaml"]
	if _, err := config.Parse([]byte(file), "daskbot.yaml"); err != nil {
		t.Errorf("%v\n%s", err, file)
	}
}

// secrets sets the environment that the Secret of the instructions becomes.
func secrets(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"DASKBOT_STORE_URL": "postgres://daskbot@db/daskbot", "DASKBOT_STORE_KEY": strings.Repeat("0f", 32),
		"SLACK_BOT_TOKEN": "xoxb-1-2-3", "SLACK_SIGNING_SECRET": strings.Repeat("0f", 16),
	} {
		t.Setenv(name, value)
	}
}

func withoutDashboards(all []runtime.Object) []runtime.Object {
	return slices.DeleteFunc(all, func(o runtime.Object) bool {
		m, ok := o.(*corev1.ConfigMap)
		return ok && strings.HasSuffix(m.Name, "-dashboard")
	})
}

// TestTheStoreDecidesWhatRuns pins the two shapes of the chart.
func TestTheStoreDecidesWhatRuns(t *testing.T) {
	sets := valuesSets(t)
	sqlite := objects(t, sets["sqlite"])
	set := one[*appsv1.StatefulSet](t, sqlite)
	claim := one[*corev1.PersistentVolumeClaim](t, sqlite)
	if *set.Spec.Replicas != 1 || claim.Annotations["helm.sh/resource-policy"] != "keep" {
		t.Errorf("SQLite: got %d replicas and a claim with %v; want one, and that the claim is kept", *set.Spec.Replicas, claim.Annotations)
	}
	if set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement {
		t.Errorf("SQLite: pods are managed %q; want that one which never became ready is replaced all the same", set.Spec.PodManagementPolicy)
	}
	postgres := objects(t, sets["postgres"])
	if d := one[*appsv1.Deployment](t, postgres); *d.Spec.Replicas != 3 || d.Spec.Strategy.RollingUpdate.MaxUnavailable.IntValue() != 0 {
		t.Errorf("PostgreSQL: got %+v; want three replicas, none missing during an upgrade", d.Spec)
	}
	if b := one[*policyv1.PodDisruptionBudget](t, postgres); b.Spec.MaxUnavailable.IntValue() != 1 {
		t.Errorf("disruption: got %v, want one at a time", b.Spec.MaxUnavailable)
	}
	for _, o := range postgres {
		switch o.(type) {
		case *corev1.PersistentVolumeClaim, *rbacv1.ClusterRoleBinding, *rbacv1.RoleBinding:
			t.Errorf("replicas on PostgreSQL in a cluster that hosts nothing need no %T", o)
		}
	}
}

// TestTheRouteIsOneThatGKETakes: its Gateway refuses a route with timeouts, and
// asks for / unless a policy says what.
func TestTheRouteIsOneThatGKETakes(t *testing.T) {
	values := valuesSets(t)["postgres"]
	all := objects(t, values)
	if rule := one[*gateway.HTTPRoute](t, all).Spec.Rules[0]; rule.Timeouts != nil {
		t.Errorf("timeouts: got %v, want none that nobody asked for", rule.Timeouts)
	}
	merge(values, map[string]any{"httpRoute": map[string]any{"timeouts": map[string]any{"request": "0s"}}})
	if got := one[*gateway.HTTPRoute](t, objects(t, values)).Spec.Rules[0].Timeouts; got == nil || got.Request == nil || *got.Request != "0s" {
		t.Errorf("timeouts: got %v, want those of the values", got)
	}
	const template = "daskbot/templates/healthcheckpolicy.yaml"
	files, err := render(t, values)
	if err != nil || files[template] != "" {
		t.Fatalf("got %q, %v; want no policy where nobody asked for one: other clusters do not know the kind", files[template], err)
	}
	merge(values, map[string]any{"httpRoute": map[string]any{"gkeHealthCheck": true}})
	if files, err = render(t, values); err != nil {
		t.Fatal(err)
	}
	policy, err := chartutil.ReadValues([]byte(files[template]))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"default": map[string]any{"checkIntervalSec": 15., "timeoutSec": 10.,
			"config": map[string]any{"type": "HTTP", "httpHealthCheck": map[string]any{"requestPath": podOf(t, all).Spec.Containers[0].ReadinessProbe.HTTPGet.Path}}},
		"targetRef": map[string]any{"group": "", "kind": "Service", "name": "bot-daskbot"},
	}
	if diff := cmp.Diff(want, policy["spec"]); diff != "" || policy["apiVersion"] != "networking.gke.io/v1" || policy["kind"] != "HealthCheckPolicy" {
		t.Errorf("%v %v (-want +got):\n%s", policy["apiVersion"], policy["kind"], diff)
	}
}

// TestWhoMayReachTheDaemon sees that a policy which names those who may come in
// leaves out neither the pod of `helm test` nor Prometheus, and that metrics are
// for nobody else.
func TestWhoMayReachTheDaemon(t *testing.T) {
	all := objects(t, valuesSets(t)["postgres"])
	policy := one[*networkingv1.NetworkPolicy](t, all)
	from := map[string][]networkingv1.NetworkPolicyPeer{}
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			from[port.Port.String()] = append(from[port.Port.String()], rule.From...)
		}
	}
	test := one[*corev1.Pod](t, all)
	admits := func(port string, namespace string, labels map[string]string) bool {
		return slices.ContainsFunc(from[port], func(p networkingv1.NetworkPolicyPeer) bool {
			if p.NamespaceSelector != nil {
				return p.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] == namespace && p.PodSelector == nil
			}
			selector, err := metav1.LabelSelectorAsSelector(p.PodSelector)
			return err == nil && namespace == "daskbot" && selector.Matches(k8slabels.Set(labels))
		})
	}
	pod := podOf(t, all)
	for _, c := range []struct {
		who, port, namespace string
		labels               map[string]string
		want                 bool
	}{
		{"the gateway", "http", "gateways", nil, true},
		{"helm test", "http", "daskbot", test.Labels, true},
		{"Prometheus", "metrics", "monitoring", nil, true},
		{"the gateway, for metrics", "metrics", "gateways", nil, false},
		{"helm test, for metrics", "metrics", "daskbot", test.Labels, false},
		{"somebody else's pod", "http", "daskbot", map[string]string{"app": "other"}, false},
		{"another daskbot", "http", "daskbot", pod.Labels, false},
	} {
		if got := admits(c.port, c.namespace, c.labels); got != c.want {
			t.Errorf("%s: got %t, want %t", c.who, got, c.want)
		}
	}
	monitor := one[*monitoring.ServiceMonitor](t, all)
	var scraped []string
	for _, o := range all {
		if s, ok := o.(*corev1.Service); ok && slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == monitor.Spec.Endpoints[0].Port }) {
			scraped = append(scraped, s.Name+" "+s.Spec.ClusterIP)
		}
	}
	if want := []string{"bot-daskbot-metrics None"}; !slices.Equal(scraped, want) {
		t.Errorf("Services with the port that is scraped: got %v, want %v, which no load balancer is made for", scraped, want)
	}
}

// TestWhomTheDaemonMayReach: the cluster around it where it hosts environments,
// and only there; and the proxy that the values speak of.
func TestWhomTheDaemonMayReach(t *testing.T) {
	for name, values := range valuesSets(t) {
		hosting := name == "hosting"
		policy := one[*networkingv1.NetworkPolicy](t, objects(t, values))
		reaches := func(port int, to map[string]string) bool {
			return slices.ContainsFunc(policy.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
				there := len(rule.To) == 0 || slices.ContainsFunc(rule.To, func(p networkingv1.NetworkPolicyPeer) bool {
					selector, err := metav1.LabelSelectorAsSelector(p.NamespaceSelector)
					return err == nil && p.PodSelector == nil && selector.Matches(k8slabels.Set(to))
				})
				by := len(rule.Ports) == 0 || slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.IntValue() == port })
				return there && by
			})
		}
		for _, c := range []struct {
			whom   string
			port   int
			labels map[string]string
			want   bool
		}{
			{"Google's APIs", 443, nil, true},
			{"its API server", 6443, nil, hosting},
			{"a hub's proxy", 8000, map[string]string{"app.kubernetes.io/managed-by": "daskbot"}, hosting},
			{"somebody else's pods", 8000, map[string]string{"app.kubernetes.io/managed-by": "Helm"}, false},
			{"the proxy", 3128, nil, hosting},
		} {
			if got := reaches(c.port, c.labels); got != c.want {
				t.Errorf("%s: %s: got %t, want %t", name, c.whom, got, c.want)
			}
		}
	}
}

// TestTheAdminTokenIsForThePodAlone: the doctor refuses one that others read.
func TestTheAdminTokenIsForThePodAlone(t *testing.T) {
	pod := podOf(t, objects(t, valuesSets(t)["postgres"]))
	i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == "daskbot-admin" })
	if i < 0 || pod.Spec.Volumes[i].Secret.DefaultMode == nil || *pod.Spec.Volumes[i].Secret.DefaultMode&0o007 != 0 {
		t.Errorf("the volume of the admin token: got %+v; want a mode that leaves others out", pod.Spec.Volumes)
	}
	if !slices.ContainsFunc(pod.Spec.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == "admin" && m.ReadOnly }) {
		t.Errorf("mounts: got %v; want the admin token's read-only", pod.Spec.Containers[0].VolumeMounts)
	}
}

// TestThePodOfHelmTestGoesWhereTheDaemonMay: to the nodes that the values name,
// as where all others are tainted.
func TestThePodOfHelmTestGoesWhereTheDaemonMay(t *testing.T) {
	values := valuesSets(t)["hosting"]
	values["affinity"] = map[string]any{"nodeAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{
		"nodeSelectorTerms": []any{map[string]any{"matchExpressions": []any{map[string]any{"key": "arch", "operator": "Exists"}}}}}}}
	all := objects(t, values)
	type place struct {
		Nodes       map[string]string
		Tolerations []corev1.Toleration
		Affinity    *corev1.Affinity
	}
	of := func(s corev1.PodSpec) place { return place{s.NodeSelector, s.Tolerations, s.Affinity} }
	daemon := of(podOf(t, all).Spec)
	if daemon.Nodes == nil || daemon.Tolerations == nil || daemon.Affinity == nil {
		t.Fatalf("the daemon's place: got %+v; want something of each", daemon)
	}
	if diff := cmp.Diff(daemon, of(one[*corev1.Pod](t, all).Spec)); diff != "" {
		t.Errorf("the place of the test's pod (-daemon +test):\n%s", diff)
	}
}

// TestMaintenanceTakesTheDaemonsPlace sees that nothing else runs meanwhile, and
// that what runs has what the daemon has, and is not taken for one.
func TestMaintenanceTakesTheDaemonsPlace(t *testing.T) {
	for name, args := range map[string][]any{"sqlite": {"restore", "-"}, "postgres": {"migrate", "sqlite-to-postgres", "/old/daskbot.db"}} {
		t.Run(name, func(t *testing.T) {
			values := valuesSets(t)[name]
			daemon := podOf(t, objects(t, values)).Spec
			values["maintenance"] = map[string]any{"args": args, "oldClaim": "daskbot"}
			all := objects(t, values)
			for _, o := range all {
				if d, ok := o.(*appsv1.Deployment); ok && *d.Spec.Replicas != 0 {
					t.Errorf("the Deployment has %d replicas; want none", *d.Spec.Replicas)
				}
				if s, ok := o.(*appsv1.StatefulSet); ok && *s.Spec.Replicas != 0 {
					t.Errorf("the StatefulSet has %d replicas; want none", *s.Spec.Replicas)
				}
			}
			job := one[*batchv1.Job](t, all)
			c := job.Spec.Template.Spec.Containers[0]
			var want []string
			for _, a := range append(args, "--config", "/etc/daskbot/daskbot.yaml") {
				want = append(want, a.(string))
			}
			if !slices.Equal(c.Args, want) || !c.Stdin || !c.StdinOnce || c.ReadinessProbe != nil || c.LivenessProbe != nil {
				t.Errorf("the container: got %+v; want %v, with standard input and without probes", c, want)
			}
			if diff := cmp.Diff(daemon.Containers[0].EnvFrom, c.EnvFrom); diff != "" || job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
				t.Errorf("got %+v; want the daemon's Secret, and one try: %s", job.Spec.Template.Spec, diff)
			}
			if mounts := c.VolumeMounts; len(mounts) != len(daemon.Containers[0].VolumeMounts)+1 || mounts[len(mounts)-1].MountPath != "/old" {
				t.Errorf("mounts: got %v; want the daemon's, and /old", mounts)
			}
			service := slices.IndexFunc(all, func(o runtime.Object) bool { s, ok := o.(*corev1.Service); return ok && s.Name == "bot-daskbot" })
			if selector := all[service].(*corev1.Service).Spec.Selector; k8slabels.SelectorFromSet(selector).Matches(k8slabels.Set(job.Spec.Template.Labels)) {
				t.Errorf("the Service takes the Job's pod for a daemon: %v", job.Spec.Template.Labels)
			}
		})
	}
}
