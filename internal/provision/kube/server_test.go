package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/provision/apiservertest"
)

// server is the real API server that this package's tests share; each test
// has namespaces of its own. It is nil, with startErr saying why, when there
// is none.
var (
	server   *apiservertest.Server
	startErr error
)

func TestMain(m *testing.M) {
	server, startErr = apiservertest.Start(context.Background())
	code := m.Run()
	if server != nil {
		server.Stop()
	}
	os.Exit(code)
}

// real returns a client, a target and a link to the real API server.
func real(t *testing.T) (*Client, environment.Target, *link) {
	t.Helper()
	if errors.Is(startErr, apiservertest.ErrMissing) {
		t.Skip(startErr)
	}
	if startErr != nil {
		t.Fatal(startErr)
	}
	target := environment.Target{Host: server.Host, CA: server.CA, Key: t.Name(),
		Token: func(context.Context) (string, error) { return server.Token, nil }}
	c := New(Config{Log: slog.New(slog.DiscardHandler)})
	l, err := c.link(target)
	if err != nil {
		t.Fatal(err)
	}
	return c, target, l
}

// eventually polls until check has nothing to complain about.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-tick.C:
		}
	}
}

func sharedPlan(namespace string) environment.Plan {
	p := plan()
	p.Environment, p.Namespace, p.Dedicated, p.Given = namespace+"-id", namespace, false, true
	p.Releases = []environment.Release{{Name: "dhub", Namespace: namespace}}
	p.Tenancy = environment.Tenant{CPU: "4", Memory: "16Gi", Storage: "20Gi", Pods: 30, PodSecurity: "baseline"}
	return p
}

func TestPrepareDedicated(t *testing.T) {
	c, target, l := real(t)
	ctx := t.Context()
	other := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "standard-rwo",
		Annotations: map[string]string{annotationDefault: "true"}}, Provisioner: diskProvisioner}
	if _, err := l.typed.StorageV1().StorageClasses().Create(ctx, other, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // for the next run of this test
		if err := l.typed.StorageV1().StorageClasses().Delete(context.WithoutCancel(ctx), other.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	p := plan()
	p.Namespace = "dedicated"
	p.Access.Google, p.Google = "cluster-admin", "Ada.Lovelace@Example.org"
	p.Releases = append(p.Releases, environment.Release{Name: "op", Namespace: "dedicated-operator", ClusterWide: true})
	for range 2 { // it is idempotent
		if err := c.Prepare(ctx, target, p); err != nil {
			t.Fatal(err)
		}
	}
	seen, err := c.Observe(ctx, target, p)
	if err != nil || !seen.Prepared {
		t.Fatalf("got prepared %v, %v; want true", seen.Prepared, err)
	}
	classes, err := l.typed.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, class := range classes.Items {
		got[class.Name] = class.Annotations[annotationDefault] + " " + class.Parameters["labels"]
	}
	want := map[string]string{"standard-rwo": "false ", "daskbot": "true daskbot-installation=inst,daskbot-cluster=c1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("storage classes: -want +got\n%s", diff)
	}
	binding, err := l.typed.RbacV1().ClusterRoleBindings().Get(ctx, "cluster-admin-binding", metav1.GetOptions{})
	if err != nil || binding.Subjects[0].Name != "ada.lovelace@example.org" || binding.RoleRef.Name != "cluster-admin" {
		t.Errorf("got %v, %v; want the lower-case account bound to cluster-admin", binding, err)
	}
	operator, err := l.typed.CoreV1().Namespaces().Get(ctx, "dedicated-operator", metav1.GetOptions{})
	if err != nil || operator.Labels[labelManagedBy] != managedBy {
		t.Errorf("got labels %v, %v; want managed-by", operator.Labels, err)
	}

	p.Access.Google = "view"
	if seen, err = c.Observe(ctx, target, p); err != nil || seen.Prepared {
		t.Errorf("got prepared %v, %v after a change of plan; want false", seen.Prepared, err)
	}
	if err := c.Prepare(ctx, target, p); err != nil {
		t.Fatal(err)
	}
	if _, err := l.typed.RbacV1().ClusterRoleBindings().Get(ctx, "cluster-admin-binding", metav1.GetOptions{}); environment.CodeOf(translate("", err)) != environment.CodeNotFound {
		t.Errorf("got %v; want the cluster-wide binding gone", err)
	}
	if _, err := l.typed.RbacV1().RoleBindings(p.Namespace).Get(ctx, "daskbot-google-view", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

func TestPrepareShared(t *testing.T) {
	c, target, l := real(t)
	ctx := t.Context()
	p := sharedPlan("shared")
	if err := c.Prepare(ctx, target, p); err != nil {
		t.Fatal(err)
	}
	ns, err := l.typed.CoreV1().Namespaces().Get(ctx, p.Namespace, metav1.GetOptions{})
	if err != nil || ns.Labels["pod-security.kubernetes.io/enforce"] != "baseline" || !isOurs(ns.Labels, p) {
		t.Errorf("got labels %v, %v", ns.Labels, err)
	}
	quota, err := l.typed.CoreV1().ResourceQuotas(p.Namespace).Get(ctx, boundsName, metav1.GetOptions{})
	if err != nil || quota.Spec.Hard.Pods().Value() != 30 {
		t.Errorf("got %v, %v; want 30 pods", quota.Spec.Hard, err)
	}
	policies, err := l.typed.NetworkingV1().NetworkPolicies(p.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range policies.Items {
		names = append(names, n.Name)
	}
	if diff := cmp.Diff([]string{"daskbot-dashboard", "daskbot-front-door", "daskbot-tenant"}, names); diff != "" {
		t.Errorf("policies: -want +got\n%s", diff)
	}
	stranger := p
	stranger.Environment = "somebody-else"
	if err := c.Prepare(ctx, target, stranger); environment.CodeOf(err) != environment.CodeForbidden {
		t.Errorf("got %v; want it refused over another environment's namespace", err)
	}
	p.Tenancy.CPU = "lots"
	if err := c.Prepare(ctx, target, p); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("got %v; want CodeInvalid for a bound that is no quantity", err)
	}
}

const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.test.daskbot.dev}
spec:
  group: test.daskbot.dev
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

const widget = `
---
apiVersion: test.daskbot.dev/v1
kind: Widget
metadata: {name: one}
spec: {size: 1}
---
# nothing here
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two}
`

func TestManifests(t *testing.T) {
	c, target, l := real(t)
	ctx := t.Context()
	p := sharedPlan("manifests")
	if err := c.Prepare(ctx, target, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // for the next run of this test: the kind goes, and then nobody knows it
		ctx := context.WithoutCancel(ctx)
		eventually(t, func() error {
			if err := c.Remove(ctx, target, p.Namespace, widgets); err != nil {
				return err
			}
			if err := c.Apply(ctx, target, p.Namespace, widget); err == nil {
				return errors.New("the kind is still there")
			}
			return nil
		})
	})
	if err := c.Apply(ctx, target, p.Namespace, widget); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Fatalf("got %v; want CodeUnavailable before the kind exists", err)
	}
	if err := c.Remove(ctx, target, p.Namespace, widget); err != nil {
		t.Fatalf("removing what was never there: %v", err)
	}
	if err := c.Apply(ctx, target, p.Namespace, widgets); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { return c.Apply(ctx, target, p.Namespace, widget) })
	if err := c.Apply(ctx, target, p.Namespace, widget); err != nil {
		t.Errorf("applying twice: %v", err)
	}
	if _, err := l.typed.CoreV1().ConfigMaps(p.Namespace).Get(ctx, "two", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if err := c.Remove(ctx, target, p.Namespace, widget); err != nil {
		t.Error(err)
	}
	if _, err := l.typed.CoreV1().ConfigMaps(p.Namespace).Get(ctx, "two", metav1.GetOptions{}); environment.CodeOf(translate("", err)) != environment.CodeNotFound {
		t.Errorf("got %v; want it removed", err)
	}
	for _, bad := range []string{"a: [", "kind: ConfigMap", "- 1"} {
		if err := c.Apply(ctx, target, p.Namespace, bad); environment.CodeOf(err) != environment.CodeInvalid {
			t.Errorf("%q: got %v; want CodeInvalid", bad, err)
		}
	}
}

func TestExposedLife(t *testing.T) {
	c, target, l := real(t)
	ctx := t.Context()
	p := sharedPlan("exposed")
	if err := c.Prepare(ctx, target, p); err != nil {
		t.Fatal(err)
	}
	service := balancer(t, l, p.Namespace, "service.kubernetes.io/load-balancer-cleanup")
	volume(t, l, p.Namespace)
	node(t, l)

	found, err := c.Inventory(ctx, target, p)
	if err != nil {
		t.Fatal(err)
	}
	rule := environment.Resource{Kind: environment.KindForwardingRule, Project: "proj", Location: "europe-west1",
		Name: ("a" + strings.ReplaceAll(string(service.UID), "-", ""))[:32]}
	disk := environment.Resource{Kind: environment.KindDisk, Project: "proj", Location: "europe-west1-b", Name: "pvc-exposed"}
	if !slices.Contains(found, rule) || !slices.Contains(found, disk) {
		t.Errorf("got %v; want %v and %v among them", found, rule, disk)
	}

	stranger := p
	stranger.Environment = "somebody-else"
	if err := c.Unexpose(ctx, target, stranger); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Exposed(ctx, target, p); err != nil || n != 4 {
		t.Fatalf("got %d, %v after another environment's unexpose; want service, claim, volume and namespace", n, err)
	}

	if err := c.Unexpose(ctx, target, p); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		seen, err := c.Observe(ctx, target, p)
		if err == nil && !seen.Terminating {
			err = errors.New("the namespace is not terminating")
		}
		return err
	})
	if n, err := c.Exposed(ctx, target, p); err != nil || n == 0 {
		t.Fatalf("got %d, %v; want to wait for the load balancer's finalizer", n, err)
	}
	if err := c.Prepare(ctx, target, p); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want CodeUnavailable while the namespace goes", err)
	}
	patch := []byte(`{"metadata":{"finalizers":null}}`)
	if _, err := l.typed.CoreV1().Services(p.Namespace).Patch(ctx, service.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := l.typed.CoreV1().PersistentVolumes().Delete(ctx, "pv-exposed", metav1.DeleteOptions{}); err != nil && environment.CodeOf(translate("", err)) != environment.CodeNotFound {
			return err
		}
		n, err := c.Exposed(ctx, target, p)
		if err == nil && n > 0 {
			err = fmt.Errorf("still %d exposed", n)
		}
		return err
	})
	if err := c.Unexpose(ctx, target, p); err != nil {
		t.Errorf("unexposing what is gone: %v", err)
	}
}

func TestOwnersKubeconfig(t *testing.T) {
	c, target, _ := real(t)
	ctx := t.Context()
	p := sharedPlan("owner")
	if err := c.Prepare(ctx, target, p); err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := c.Kubeconfig(ctx, target, p)
	if err != nil {
		t.Fatal(err)
	}
	owner, err := c.link(environment.Target{Kubeconfig: kubeconfig, Key: "owner"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.typed.CoreV1().Services(p.Namespace).List(ctx, metav1.ListOptions{}); err != nil {
		t.Errorf("own namespace: %v", err)
	}
	if _, err := owner.typed.CoreV1().Secrets(p.Namespace).List(ctx, metav1.ListOptions{}); err != nil {
		t.Errorf("what `helm list` reads: %v", err)
	}
	err = owner.typed.NetworkingV1().NetworkPolicies(p.Namespace).Delete(ctx, "daskbot-tenant", metav1.DeleteOptions{})
	if environment.CodeOf(translate("", err)) != environment.CodeForbidden {
		t.Errorf("got %v; want the tenant's network policy out of reach", err)
	}
	_, err = owner.typed.CoreV1().Services("default").List(ctx, metav1.ListOptions{})
	if environment.CodeOf(translate("", err)) != environment.CodeForbidden {
		t.Errorf("got %v; want another namespace forbidden", err)
	}
}

func TestUnreachableServerIsUnknown(t *testing.T) {
	c := New(Config{Timeout: time.Second})
	target := environment.Target{Host: "https://127.0.0.1:1", Key: "none"}
	if _, err := c.Observe(t.Context(), target, plan()); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want CodeUnavailable", err)
	}
}

func TestLogsOfNothing(t *testing.T) {
	c, target, _ := real(t)
	var out strings.Builder
	err := c.Logs(t.Context(), target, sharedPlan("nothing"), "hub", 10, &out)
	if environment.CodeOf(err) != environment.CodeNotFound {
		t.Errorf("got %v; want CodeNotFound", err)
	}
}

// The shared operator's namespace holds words about other tenants.
func TestLogsAreTheTenantsOwn(t *testing.T) {
	p := sharedPlan("logs")
	p.Releases = append(p.Releases, environment.Release{Name: "op", Namespace: "operator", ClusterWide: true},
		environment.Release{Name: "extra", Namespace: "logs-extra"})
	if diff := cmp.Diff([]string{"logs", "logs-extra"}, ownNamespaces(p)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
