package chart

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/release"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/daskbot/daskbot/internal/provision/apiservertest"
)

// previous is the chart as it was before this one.
const previous = "testdata/daskbot-0.1.0.tgz"

// patience bounds every wait; the API server answers in milliseconds.
const patience = 3 * time.Minute

// site is a cluster with a namespace that admits restricted pods only.
type site struct {
	t         *testing.T
	kube      kubernetes.Interface
	dynamic   dynamic.Interface
	config    *rest.Config
	namespace string
	impatient bool // `helm test` asks once
}

// newServer starts one API server for a test and its parts.
func newServer(t *testing.T) *rest.Config {
	t.Helper()
	server, err := apiservertest.Start(t.Context())
	if errors.Is(err, apiservertest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	return &rest.Config{Host: server.Host, BearerToken: server.Token, TLSClientConfig: rest.TLSClientConfig{CAData: server.CA}, QPS: 200, Burst: 200,
		WarningHandler: rest.NoWarnings{}} // that listing everything meets kinds on their way out
}

func newSite(t *testing.T, config *rest.Config, namespace string) *site {
	t.Helper()
	s := &site{t: t, config: config, namespace: namespace, kube: kubernetes.NewForConfigOrDie(config), dynamic: dynamic.NewForConfigOrDie(config)}
	_, err := s.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// What every namespace gets comes a moment later.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := until(ctx, "the namespace to be furnished", func() (bool, error) {
		has := s.everything()
		return has["serviceaccounts/default"] && has["configmaps/kube-root-ca.crt"], nil
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestInstallUpgradeTestUninstall takes each set of values through the life of
// a release.
func TestInstallUpgradeTestUninstall(t *testing.T) {
	config, emulated := newServer(t), newCloud(t)
	defineOperators(t, config)
	for name, values := range valuesSets(t) {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, config, "daskbot-"+name)
			before := s.everything()
			s.install(values)
			pods := s.admitted(map[string]int{"postgres": 3}[name])
			network := s.network(s.runDaemon(emulated))
			s.pretendReady(pods)
			if err := s.test(network); err != nil {
				t.Errorf("helm test: %v", err)
			}
			s.maintain(values)
			s.upgrade(source, values)
			s.uninstall()
			s.nothingLeft(before, name == "sqlite")
		})
	}
}

// TestHelmTestFailsWithoutADaemon: what asks is not content with a Service.
func TestHelmTestFailsWithoutADaemon(t *testing.T) {
	config := newServer(t)
	defineOperators(t, config)
	s := newSite(t, config, "daskbot")
	values := valuesSets(t)["sqlite"]
	s.install(values)
	s.pretendReady(s.admitted(1))
	s.impatient = true
	if err := s.test(s.network("127.0.0.1:1")); err == nil {
		t.Error("helm test succeeded although nobody answers")
	}
}

// maintain upgrades to a release that does something to the store, which takes
// the daemon's place in a pod that is let in like it.
func (s *site) maintain(values map[string]any) {
	s.t.Helper()
	changed := maps.Clone(values)
	changed["maintenance"] = map[string]any{"args": []any{"restore", "-"}}
	s.upgrade(source, changed)
	pod := s.podOwnedBy("Job")
	if !strings.HasPrefix(pod.Name, "bot-daskbot-maintenance-2-") {
		s.t.Errorf("the pod of maintenance is %s", pod.Name)
	}
}

// TestUpgradeFromThePreviousChart sees that the volume of the old Deployment is
// taken up by the StatefulSet that replaces it.
func TestUpgradeFromThePreviousChart(t *testing.T) {
	s := newSite(t, newServer(t), "daskbot")
	old := map[string]any{"config": map[string]any{"gke": map[string]any{"project": "my-class-2026", "installation": "physics-dask"}}}
	s.installFrom(previous, old)
	s.admitted(1)
	claim := s.claim()
	s.upgrade(source, old)
	if now := s.claim(); now != claim {
		t.Errorf("the volume claim: got %s after the upgrade, want the same as before, %s", now, claim)
	}
	pod := s.podOwnedBy("StatefulSet")
	if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == "bot-daskbot"
	}) {
		t.Errorf("volumes of the new pod: got %v, want the old one's claim", pod.Spec.Volumes)
	}
	if left, err := s.kube.AppsV1().Deployments(s.namespace).List(t.Context(), metav1.ListOptions{}); err != nil || len(left.Items) != 0 {
		t.Errorf("deployments after the upgrade: got %v, %v; want none beside the StatefulSet", left.Items, err)
	}
}

// TestAMendedConfigurationReplacesAPodThatNeverWasReady upgrades a release
// whose only pod, which nothing runs here, is not ready.
func TestAMendedConfigurationReplacesAPodThatNeverWasReady(t *testing.T) {
	s := newSite(t, newServer(t), "daskbot")
	values := valuesSets(t)["sqlite"]
	s.install(values)
	before := s.admitted(1)[0]
	values["config"].(map[string]any)["log"] = map[string]any{"level": "debug"}
	s.upgrade(source, values)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := until(ctx, "a pod of the mended configuration", func() (bool, error) {
		pod := s.podOwnedBy("StatefulSet")
		return pod.UID != before.UID && pod.Annotations["checksum/config"] != before.Annotations["checksum/config"], nil
	}); err != nil {
		t.Error(err)
	}
}

// helm is how the release is acted on.
func (s *site) helm() *action.Configuration {
	s.t.Helper()
	c := new(action.Configuration)
	if err := c.Init(getter{s.config, s.namespace}, s.namespace, "secret", func(string, ...any) {}); err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *site) install(values map[string]any) { s.t.Helper(); s.installFrom(source, values) }

func (s *site) installFrom(chart string, values map[string]any) {
	s.t.Helper()
	c, err := loader.Load(chart)
	if err != nil {
		s.t.Fatal(err)
	}
	install := action.NewInstall(s.helm())
	install.ReleaseName, install.Namespace = "bot", s.namespace
	got, err := install.RunWithContext(s.t.Context(), c, values)
	if err != nil {
		s.t.Fatalf("install: %v", err)
	}
	if strings.TrimSpace(got.Info.Notes) == "" {
		s.t.Error("the chart says nothing after it was installed")
	}
}

func (s *site) upgrade(chart string, values map[string]any) {
	s.t.Helper()
	c, err := loader.Load(chart)
	if err != nil {
		s.t.Fatal(err)
	}
	upgrade := action.NewUpgrade(s.helm())
	upgrade.Namespace = s.namespace
	if got, err := upgrade.RunWithContext(s.t.Context(), "bot", c, values); err != nil || got.Info.Status != release.StatusDeployed {
		s.t.Fatalf("upgrade: got %v, %v", got, err)
	}
}

// test runs `helm test` and says whether it succeeded. No node runs its pod: the
// test does, as a process that reaches the daemon by the release's Service.
func (s *site) test(proxy string) error {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.runTestPod(ctx, proxy) }()
	run := action.NewReleaseTesting(s.helm())
	run.Namespace, run.Timeout = s.namespace, patience
	_, err := run.Run("bot")
	cancel()
	return errors.Join(err, <-ended)
}

// runTestPod waits for the hook's pod, runs what it says, and has the pod end as
// that did.
func (s *site) runTestPod(ctx context.Context, proxy string) error {
	return until(ctx, "the pod of helm test", func() (bool, error) {
		pod, err := s.kube.CoreV1().Pods(s.namespace).Get(ctx, "bot-daskbot-test", metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && (pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodPending) {
			return false, nil // not yet, or that of the test before
		}
		if err != nil {
			return false, err
		}
		var said string
		pod.Status.Phase, said = s.carryOut(ctx, pod, proxy)
		s.t.Logf("helm test, %s: %s", pod.Status.Phase, said)
		_, err = s.kube.CoreV1().Pods(s.namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		return err == nil, err
	})
}

func (s *site) uninstall() {
	s.t.Helper()
	run := action.NewUninstall(s.helm())
	run.Wait, run.Timeout = false, patience
	if _, err := run.Run("bot"); err != nil {
		s.t.Fatalf("uninstall: %v", err)
	}
}

// nothingLeft waits until everything is as it was before, but for the claim of
// the SQLite store when that is kept.
func (s *site) nothingLeft(before map[string]bool, claimStays bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var left []string
	err := until(ctx, "the release to be gone", func() (bool, error) {
		left = nil
		for name := range s.everything() {
			if !before[name] {
				left = append(left, name)
			}
		}
		slices.Sort(left)
		want := 0
		if claimStays {
			want = 1
		}
		return len(left) == want && (!claimStays || left[0] == "persistentvolumeclaims/bot-daskbot"), s.collect(ctx)
	})
	if err != nil {
		s.t.Errorf("%v; left: %v", err, left)
	}
}

// collect does a node's part in the end of pods: it lets them go.
func (s *site) collect(ctx context.Context) error {
	pods, err := s.kube.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil {
			continue
		}
		now := metav1.DeleteOptions{GracePeriodSeconds: new(int64)}
		if err := s.kube.CoreV1().Pods(s.namespace).Delete(ctx, pod.Name, now); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// everything lists what is in the namespace, and bindings of the cluster that
// name it, in every resource that the API server has.
func (s *site) everything() map[string]bool {
	s.t.Helper()
	lists, err := s.kube.Discovery().ServerPreferredResources()
	if err != nil {
		s.t.Fatal(err)
	}
	all := map[string]bool{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || r.Name == "events" {
				continue
			}
			maps.Copy(all, s.list(gv.WithResource(r.Name), r.Namespaced))
		}
	}
	return all
}

func (s *site) list(resource schema.GroupVersionResource, namespaced bool) map[string]bool {
	s.t.Helper()
	var of dynamic.ResourceInterface = s.dynamic.Resource(resource)
	if namespaced {
		of = s.dynamic.Resource(resource).Namespace(s.namespace)
	}
	items, err := of.List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatalf("list %s: %v", resource, err)
	}
	all := map[string]bool{}
	for _, item := range items.Items {
		if namespaced || strings.HasSuffix(item.GetName(), s.namespace) && resource.Resource != "namespaces" {
			all[fmt.Sprintf("%s/%s", resource.Resource, item.GetName())] = true
		}
	}
	return all
}
