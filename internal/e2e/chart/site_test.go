package chart

import (
	"context"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// admitted waits until n pods of the release (1 when n is 0) were let in under
// the namespace's Pod Security level. A refused pod is never created.
func (s *site) admitted(n int) []corev1.Pod {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	n = max(n, 1)
	var pods []corev1.Pod
	err := until(ctx, fmt.Sprintf("%d pods in %s", n, s.namespace), func() (bool, error) {
		list, err := s.kube.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=daskbot"})
		if err != nil {
			return false, err
		}
		pods = list.Items
		return len(pods) == n, nil
	})
	if err != nil {
		s.t.Fatalf("%v; the events say: %s", err, s.warnings())
	}
	return pods
}

// warnings are why the controllers could not do what they should.
func (s *site) warnings() (text string) {
	events, err := s.kube.CoreV1().Events(s.namespace).List(context.WithoutCancel(s.t.Context()), metav1.ListOptions{FieldSelector: "type=Warning"})
	if err != nil {
		return err.Error()
	}
	for _, e := range events.Items {
		text += "\n" + e.Message
	}
	return text
}

// pretendReady writes the status that a node would: there is none here.
func (s *site) pretendReady(pods []corev1.Pod) {
	s.t.Helper()
	for _, pod := range pods {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
		if _, err := s.kube.CoreV1().Pods(s.namespace).UpdateStatus(s.t.Context(), &pod, metav1.UpdateOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// claim identifies the volume claim of the release.
func (s *site) claim() string {
	s.t.Helper()
	claim, err := s.kube.CoreV1().PersistentVolumeClaims(s.namespace).Get(s.t.Context(), "bot-daskbot", metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return string(claim.UID)
}

// podOwnedBy waits for a pod that a controller of a kind made.
func (s *site) podOwnedBy(kind string) (found corev1.Pod) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	err := until(ctx, "a pod of a "+kind, func() (bool, error) {
		list, err := s.kube.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for _, pod := range list.Items {
			if owner := metav1.GetControllerOf(&pod); owner != nil && owner.Kind == kind {
				found = pod
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		s.t.Fatalf("%v; the events say: %s", err, s.warnings())
	}
	return found
}

// until asks again and again until done says yes, an error, or ctx ends.
func until(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// defineOperators makes the kinds that other programs bring to a cluster. What
// they may hold is checked against those programs' own types when the chart is
// rendered; here they only have to exist.
func defineOperators(t *testing.T, config *rest.Config) {
	t.Helper()
	definitions := dynamic.NewForConfigOrDie(config).Resource(schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	client := discovery.NewDiscoveryClientForConfigOrDie(config)
	for _, k := range []struct{ group, version, kind, plural string }{
		{"gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"},
		{"monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"},
		{"monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"},
	} {
		definition := map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{"name": k.plural + "." + k.group,
				"annotations": map[string]any{"api-approved.kubernetes.io": "unapproved, for a test"}},
			"spec": map[string]any{"group": k.group, "scope": "Namespaced", "names": map[string]any{"kind": k.kind, "plural": k.plural},
				"versions": []any{map[string]any{"name": k.version, "served": true, "storage": true,
					"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}}
		if _, err := definitions.Create(t.Context(), &unstructured.Unstructured{Object: definition}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := until(ctx, k.kind, func() (bool, error) {
			list, err := client.ServerResourcesForGroupVersion(k.group + "/" + k.version)
			if err != nil {
				return false, nil //nolint:nilerr // it is not served yet
			}
			for _, r := range list.APIResources {
				if r.Kind == k.kind {
					return true, nil
				}
			}
			return false, nil
		})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// getter gives Helm the way to the API server.
type getter struct {
	config    *rest.Config
	namespace string
}

func (g getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

func (g getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	client, err := discovery.NewDiscoveryClientForConfig(g.config)
	if err != nil {
		return nil, err
	}
	return memory.NewMemCacheClient(client), nil
}

func (g getter) ToRESTMapper() (meta.RESTMapper, error) {
	client, err := g.ToDiscoveryClient()
	if err != nil {
		return nil, err
	}
	return restmapper.NewDeferredDiscoveryRESTMapper(client), nil
}

func (g getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	return clientcmd.NewDefaultClientConfig(clientcmdapi.Config{}, &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: g.namespace}})
}
