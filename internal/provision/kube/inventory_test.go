package kube

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// TestInventoryNeedsNoNodes: what a load balancer leaves behind is known from
// the row when the pool is empty, or its nodes' ids are none of Google's.
func TestInventoryNeedsNoNodes(t *testing.T) {
	for name, nodes := range map[string][]corev1.Node{
		"no nodes": {},
		"others":   {{ObjectMeta: metav1.ObjectMeta{Name: "n"}, Spec: corev1.NodeSpec{ProviderID: "kind://docker/lab/n"}}},
	} {
		t.Run(name, func(t *testing.T) {
			front := corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "proxy", Namespace: "ns", UID: "1-2"},
				Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer}}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				switch r.URL.Path {
				case "/api/v1/services":
					_ = json.NewEncoder(w).Encode(corev1.ServiceList{Items: []corev1.Service{front}})
				case "/api/v1/nodes":
					_ = json.NewEncoder(w).Encode(corev1.NodeList{Items: nodes})
				case "/api/v1/namespaces/ns":
					_ = json.NewEncoder(w).Encode(corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns"}})
				default:
					_, _ = w.Write([]byte(`{"items":[]}`))
				}
			}))
			t.Cleanup(server.Close)
			found, err := New(Config{}).Inventory(t.Context(), environment.Target{Host: server.URL, Key: server.URL},
				environment.Plan{Namespace: "ns", Dedicated: true, Project: "proj", Location: "europe-west1-b"})
			want := environment.Resource{Kind: environment.KindForwardingRule, Project: "proj", Location: "europe-west1", Name: "a12"}
			if err != nil || !slices.Contains(found, want) {
				t.Errorf("got %v, %v; want %v among them", found, err, want)
			}
		})
	}
}
