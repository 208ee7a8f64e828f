package charts

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

var hubVersions = []string{"2024.1.1", "2026.6.0"}

func TestDaskhubAsDaskbotInstallsIt(t *testing.T) {
	for _, version := range hubVersions {
		t.Run(version, func(t *testing.T) {
			out := mustRender(t, "daskhub", version, "dhub", testdata(t, "daskhub.yaml"))
			want := []string{
				"DaemonSet/continuous-image-puller", "DaemonSet/hook-image-puller",
				"Deployment/api-dhub-dask-gateway", "Deployment/hub", "Deployment/proxy", "Deployment/traefik-dhub-dask-gateway",
				"Deployment/user-scheduler", "Job/hook-image-awaiter", "StatefulSet/user-placeholder",
			}
			if diff := cmp.Diff(want, out.names("Deployment", "StatefulSet", "DaemonSet", "Job")); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
			for _, key := range []string{"Deployment/api-dhub-dask-gateway", "Deployment/traefik-dhub-dask-gateway"} {
				if n := *object[*appsv1.Deployment](t, out, key).Spec.Replicas; n != 0 {
					t.Errorf("%s has %d replicas; want 0", key, n)
				}
			}
			for _, key := range []string{"ServiceAccount/daskkubernetes", "Role/daskkubernetes", "RoleBinding/daskkubernetes", "PersistentVolumeClaim/hub-db-dir", "Secret/singleuser"} {
				if out.objects[key] == nil {
					t.Errorf("no %s", key)
				}
			}
			placeholder := object[*appsv1.StatefulSet](t, out, "StatefulSet/user-placeholder")
			if got, want := placeholder.Spec.Template.Spec.SchedulerName, "dhub-user-scheduler"; got != want {
				t.Errorf("placeholder's scheduler is %q; want %q", got, want)
			}
			if got, want := placeholder.Spec.Template.Spec.PriorityClassName, "dhub-user-placeholder-priority"; got != want {
				t.Errorf("placeholder's priority class is %q; want %q", got, want)
			}
		})
	}
}

func TestHubServices(t *testing.T) {
	out := mustRender(t, "daskhub", "2024.1.1", "dhub", testdata(t, "daskhub.yaml"))
	want := map[string][]corev1.ServicePort{
		"Service/hub":          {{Name: "hub", Port: 8081, TargetPort: intstr.FromString("http")}},
		"Service/proxy-api":    {{Name: "api", Port: 8001, TargetPort: intstr.FromString("api")}},
		"Service/proxy-public": {{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}},
	}
	for key, ports := range want {
		if diff := cmp.Diff(ports, object[*corev1.Service](t, out, key).Spec.Ports); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	public := object[*corev1.Service](t, out, "Service/proxy-public")
	if public.Spec.Type != corev1.ServiceTypeLoadBalancer {
		t.Errorf("proxy-public is %s; want LoadBalancer", public.Spec.Type)
	}
	selector := map[string]string{"app": "jupyterhub", "component": "proxy", "release": "dhub"}
	if diff := cmp.Diff(selector, public.Spec.Selector); diff != "" {
		t.Error(diff)
	}
	pod := object[*appsv1.Deployment](t, out, "Deployment/proxy").Spec.Template.Labels
	for key, value := range selector {
		if pod[key] != value {
			t.Errorf("proxy's pod has %s=%q; want %q", key, pod[key], value)
		}
	}
}

// A Secret is what the hub reads; the stand-in reads the same.
func TestHubSecret(t *testing.T) {
	for _, version := range hubVersions {
		out := mustRender(t, "daskhub", version, "dhub", testdata(t, "daskhub.yaml"))
		data := object[*corev1.Secret](t, out, "Secret/hub").Data
		if got, want := string(data["hub.services.daskbot.apiToken"]), strings.Repeat("2", 64); got != want {
			t.Errorf("service's token is %q; want %q", got, want)
		}
		if got, want := string(data["hub.config.ConfigurableHTTPProxy.auth_token"]), strings.Repeat("1", 64); got != want {
			t.Errorf("proxy's token is %q; want %q", got, want)
		}
		if got := len(data["hub.config.JupyterHub.cookie_secret"]); got != 64 {
			t.Errorf("cookie secret has %d characters; want 64 hexadecimal ones", got)
		}
		if len(data["hub.services.dask-gateway.apiToken"]) < 8 {
			t.Error("no token of its own for service dask-gateway")
		}
		var read struct {
			Hub struct {
				Config map[string]map[string]any `json:"config"`
			} `json:"hub"`
			Chart struct{ Version string }
		}
		if err := yaml.Unmarshal(data["values.yaml"], &read); err != nil {
			t.Fatal(err)
		}
		if got, want := read.Hub.Config["DummyAuthenticator"]["password"], "a student's password"; got != want {
			t.Errorf("password the hub reads is %v; want %q", got, want)
		}
	}
}

func TestGatewayIgnoresEnabled(t *testing.T) {
	for _, version := range hubVersions {
		out := mustRender(t, "daskhub", version, "dhub", testdata(t, "walkthrough.yaml"))
		var pods []string
		for _, key := range out.names("Deployment") {
			if strings.Contains(key, "dask-gateway") && *object[*appsv1.Deployment](t, out, key).Spec.Replicas > 0 {
				pods = append(pods, key)
			}
		}
		want := []string{"Deployment/api-dhub-dask-gateway", "Deployment/controller-dhub-dask-gateway", "Deployment/traefik-dhub-dask-gateway"}
		if diff := cmp.Diff(want, pods); diff != "" {
			t.Errorf("%s with dask-gateway.enabled=false (-want +got):\n%s", version, diff)
		}
	}
}

func TestGatewayGoesWithACondition(t *testing.T) {
	for _, version := range hubVersions {
		c, err := repository(t).Chart("daskhub", version)
		if err != nil {
			t.Fatal(err)
		}
		for _, dependency := range c.Metadata.Dependencies {
			if dependency.Condition != "" {
				t.Errorf("%s: dependency %s has condition %q; want none, as upstream", version, dependency.Name, dependency.Condition)
			}
			if dependency.Name == "dask-gateway" {
				dependency.Condition = "dask-gateway.enabled"
			}
		}
		out, err := render(c, "dhub", testdata(t, "walkthrough.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for key := range out.objects {
			if strings.Contains(key, "dask-gateway") {
				t.Errorf("%s: %s is there; want nothing of the gateway", version, key)
			}
		}
	}
}

func TestImagePullerHook(t *testing.T) {
	out := mustRender(t, "daskhub", "2026.6.0", "dhub", map[string]any{})
	job := object[*batchv1.Job](t, out, "Job/hook-image-awaiter")
	if got, want := job.Annotations["helm.sh/hook"], "pre-install,pre-upgrade"; got != want {
		t.Errorf("hook is %q; want %q", got, want)
	}
	puller := object[*appsv1.DaemonSet](t, out, "DaemonSet/hook-image-puller")
	if job.Spec.Template.Labels["component"] == puller.Spec.Selector.MatchLabels["component"] {
		t.Error("the DaemonSet's selector matches the Job's pod")
	}
	var images []string
	for _, c := range puller.Spec.Template.Spec.InitContainers {
		images = append(images, c.Image)
	}
	want := []string{"quay.io/jupyterhub/k8s-network-tools:4.4.0", "pangeo/base-notebook:2025.11.13"}
	if diff := cmp.Diff(want, images); diff != "" {
		t.Error(diff)
	}
	off := values(t, "jupyterhub: {prePuller: {hook: {enabled: false}}}")
	if out := mustRender(t, "daskhub", "2026.6.0", "dhub", off); len(out.names("Job")) != 0 {
		t.Errorf("got %v with the hook off; want none", out.names("Job"))
	}
}

func TestWrongValues(t *testing.T) {
	for _, tt := range []struct {
		name, version, values string
		want                  string // part of the error; empty: accepted
	}{
		{"auth of old", "2024.1.1", "jupyterhub: {auth: {type: dummy}}", "'auth' not allowed"},
		{"auth of old", "2026.6.0", "jupyterhub: {auth: {type: dummy}}", "'auth' not allowed"},
		{"misspelt account", "2024.1.1", "jupyterhub: {singleuser: {servieAccountName: x}}", "'servieAccountName' not allowed"},
		{"rbac.enabled", "2024.1.1", "jupyterhub: {rbac: {enabled: true}}", "BREAKING"},
		{"rbac.enabled", "2026.6.0", "jupyterhub: {rbac: {enabled: true}}", "BREAKING"},
		{"nested under the chart's name", "2026.6.0", "daskhub: {jupyterhub: {auth: 1}}", ""},
		{"lower-case section", "2024.1.1", "jupyterhub: {hub: {config: {jupyterHub: {admin_access: true}}}}", ""},
		{"lower-case section", "2026.6.0", "jupyterhub: {hub: {config: {jupyterHub: {admin_access: true}}}}", "'jupyterHub' not allowed"},
		{"file without mountPath", "2026.6.0", "jupyterhub: {singleuser: {extraFiles: {x: {stringData: y}}}}", "mountPath"},
		{"file with two contents", "2026.6.0", "jupyterhub: {singleuser: {extraFiles: {x: {mountPath: /x, stringData: y, data: {a: 1}}}}}", "x"},
		{"short token", "2026.6.0", "jupyterhub: {hub: {services: {daskbot: {apiToken: short}}}}", "apiToken"},
		{"gateway's unknown key", "2026.6.0", "dask-gateway: {gatway: {}}", "'gatway' not allowed"},
	} {
		t.Run(tt.name+" "+tt.version, func(t *testing.T) {
			c, err := repository(t).Chart("daskhub", tt.version)
			if err != nil {
				t.Fatal(err)
			}
			_, err = render(c, "dhub", values(t, tt.values))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v; want it accepted", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v; want an error with %q", err, tt.want)
			}
		})
	}
}

func TestNotesWarn(t *testing.T) {
	placeholders := values(t, "jupyterhub: {scheduling: {userPlaceholder: {replicas: 2}}}")
	out := mustRender(t, "daskhub", "2026.6.0", "dhub", placeholders)
	for _, want := range []string{"placeholders will not make room", "anybody can log in"} {
		if !strings.Contains(out.notes, want) {
			t.Errorf("notes lack %q:\n%s", want, out.notes)
		}
	}
}

func TestKubernetesVersionIsChecked(t *testing.T) {
	want := map[string]string{"3.2.1": ">=1.23.0-0", "4.4.0": ">=1.28.0-0"}
	for version, constraint := range want {
		c, err := repository(t).Chart("jupyterhub", version)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Metadata.KubeVersion; got != constraint {
			t.Errorf("jupyterhub %s wants Kubernetes %q; want %q", version, got, constraint)
		}
	}
}

func TestDaskNames(t *testing.T) {
	for release, prefix := range map[string]string{"dask": "dask", "mydask1": "mydask1", "s42": "s42-dask"} {
		out := mustRender(t, "dask", "2024.1.1", release, testdata(t, "dask.yaml"))
		want := []string{
			"ConfigMap/" + prefix + "-jupyter-config",
			"Deployment/" + prefix + "-jupyter", "Deployment/" + prefix + "-scheduler", "Deployment/" + prefix + "-worker",
			"Role/dask-jupyter", "RoleBinding/dask-jupyter",
			"Service/" + prefix + "-jupyter", "Service/" + prefix + "-scheduler", "ServiceAccount/dask-jupyter",
		}
		got := out.names("ConfigMap", "Deployment", "Role", "RoleBinding", "Service", "ServiceAccount")
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("release %s (-want +got):\n%s", release, diff)
		}
	}
}

func TestDaskServices(t *testing.T) {
	for _, version := range hubVersions { // the dask chart has the same ones
		out := mustRender(t, "dask", version, "dask", testdata(t, "dask.yaml"))
		ports := map[string][]corev1.ServicePort{
			"Service/dask-jupyter": {{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8888)}},
			"Service/dask-scheduler": {
				{Name: "tcp-comm", Port: 8786, TargetPort: intstr.FromInt32(8786)},
				{Name: "http-dashboard", Port: 80, TargetPort: intstr.FromInt32(8787)},
			},
		}
		for key, want := range ports {
			service := object[*corev1.Service](t, out, key)
			if diff := cmp.Diff(want, service.Spec.Ports); diff != "" {
				t.Errorf("%s (-want +got):\n%s", key, diff)
			}
			if service.Spec.Type != corev1.ServiceTypeLoadBalancer {
				t.Errorf("%s is %s; want LoadBalancer", key, service.Spec.Type)
			}
		}
		byDefault := mustRender(t, "dask", version, "dask", map[string]any{})
		if got := object[*corev1.Service](t, byDefault, "Service/dask-jupyter").Spec.Type; got != corev1.ServiceTypeClusterIP {
			t.Errorf("dask-jupyter is %s by default; want ClusterIP", got)
		}
	}
}

func TestDaskWorkerArguments(t *testing.T) {
	for _, tt := range []struct {
		values string
		want   []string
	}{
		{"worker: {}", []string{"dask-worker", "dask-scheduler:8786", "--dashboard-address=:8790"}},
		{"worker: {resources: {limits: {cpu: 2, memory: 3G}}}", []string{"dask-worker", "dask-scheduler:8786", "--nthreads=2", "--memory-limit=3GB", "--dashboard-address=:8790"}},
		{"worker: {resources: {limits: {cpu: 1500m, memory: 6Gi}}}", []string{"dask-worker", "dask-scheduler:8786", "--nthreads=1", "--memory-limit=6GiB", "--dashboard-address=:8790"}},
		{"worker: {resources: {limits: {cpu: 500m}}}", []string{"dask-worker", "dask-scheduler:8786", "--nthreads=1", "--dashboard-address=:8790"}},
	} {
		out := mustRender(t, "dask", "2026.6.0", "dask", values(t, tt.values))
		pod := object[*appsv1.Deployment](t, out, "Deployment/dask-worker").Spec.Template.Spec
		if diff := cmp.Diff(tt.want, pod.Containers[0].Args); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.values, diff)
		}
	}
}

// The password is mounted under a name that Jupyter Server does not look for.
func TestDaskPasswordFile(t *testing.T) {
	out := mustRender(t, "dask", "2024.1.1", "dask", map[string]any{})
	config := object[*corev1.ConfigMap](t, out, "ConfigMap/dask-jupyter-config")
	if got := config.Data["jupyter_notebook_config.py"]; !strings.Contains(got, "sha1:aae8550c0a44:") {
		t.Errorf("got %q; want the default password's hash", got)
	}
}

func TestOperatorWatchesWhatItInstalls(t *testing.T) {
	out := mustRender(t, "dask-kubernetes-operator", "2026.3.0", "operator", map[string]any{})
	want := []string{
		"ClusterRole/operator-dask-kubernetes-operator", "ClusterRoleBinding/operator-dask-kubernetes-operator",
		"Deployment/operator-dask-kubernetes-operator", "ServiceAccount/operator-dask-kubernetes-operator",
	}
	if diff := cmp.Diff(want, out.names("ClusterRole", "ClusterRoleBinding", "Deployment", "ServiceAccount")); diff != "" {
		t.Error(diff)
	}
}

func TestDisruptionBudgets(t *testing.T) {
	given := values(t, "jupyterhub: {hub: {pdb: {enabled: true}}, proxy: {chp: {pdb: {enabled: true}}}}")
	out := mustRender(t, "daskhub", "2026.6.0", "dhub", given)
	want := []string{"PodDisruptionBudget/hub", "PodDisruptionBudget/proxy", "PodDisruptionBudget/user-placeholder", "PodDisruptionBudget/user-scheduler"}
	if diff := cmp.Diff(want, out.names("PodDisruptionBudget")); diff != "" {
		t.Error(diff)
	}
}

// A name of its own for what is in the namespace, as when a chart is a part
// of another.
func TestFullnameOverride(t *testing.T) {
	out := mustRender(t, "jupyterhub", "4.4.0", "r", values(t, "fullnameOverride: mine"))
	want := []string{"Service/mine-hub", "Service/mine-proxy-api", "Service/mine-proxy-public"}
	if diff := cmp.Diff(want, out.names("Service")); diff != "" {
		t.Error(diff)
	}
	secret := object[*appsv1.Deployment](t, out, "Deployment/mine-hub").Spec.Template.Spec.Volumes[1].Secret
	if secret.SecretName != "mine-hub" {
		t.Errorf("the hub reads Secret %s; want mine-hub", secret.SecretName)
	}
}
