package compute

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

const aggregated, worldwideLists = "GET " + base + "aggregated/", "GET " + base + "global/"

// standingAnswers are those of a project with one of each.
func standingAnswers() map[string]any {
	const link = "https://www.googleapis.com/compute/v1/projects/p/"
	service := `{"kubernetes.io/service-name":"daskhub/proxy-public", "kubernetes.io/service-ip":"203.0.113.7"}`
	quiet := object{"warning": object{"code": "NO_RESULTS_ON_PAGE"}}
	page := func(collection, scope string, items ...object) object {
		return object{"items": object{scope: object{collection: items}, "zones/us-central1-a": quiet}}
	}
	return map[string]any{
		aggregated + "disks": page("disks", "zones/europe-west1-b",
			object{"name": "pvc-1", "sizeGb": "10", "type": link + "zones/europe-west1-b/diskTypes/pd-balanced", "users": []string{link + "zones/europe-west1-b/instances/i"},
				"labels": object{"daskbot-installation": "cs101", "daskbot-cluster": "dask-a", "daskbot-keep": "yes"}},
			object{"name": "pvc-2", "labels": object{"daskbot-installation": "cs102"}}),
		aggregated + "forwardingRules": page("forwardingRules", "regions/europe-west1",
			object{"name": "a1", "description": service, "target": link + "regions/europe-west1/targetPools/a1"},
			object{"name": "web", "target": link + "global/targetHttpProxies/web"}),
		aggregated + "targetPools": page("targetPools", "regions/europe-west1", object{"name": "a1", "description": service,
			"instances": []string{link + "zones/europe-west1-b/instances/gke-dask-a-default-pool-1-2"}, "healthChecks": []string{link + "global/httpHealthChecks/k8s-1-node"}}),
		aggregated + "backendServices":      page("backendServices", "regions/europe-west1", object{"name": "k8s2-x"}),
		aggregated + "healthChecks":         page("healthChecks", "global", object{"name": "k8s2-shared"}),
		worldwideLists + "httpHealthChecks": object{"items": []object{{"name": "k8s-1-node"}}},
		worldwideLists + "firewalls":        object{"items": []object{{"name": "k8s-fw-a1", "description": service}, {"name": "default-allow-ssh", "description": "Allow SSH from anywhere"}}},
		aggregated + "networkEndpointGroups": page("networkEndpointGroups", "zones/europe-west1-b",
			object{"name": "k8s1-g", "description": `{"cluster-uid":"0f1e","namespace":"daskhub","service-name":"proxy-public","port":"80"}`},
			object{"name": "somebody-elses"}),
		"POST " + base + "zones/europe-west1-b/networkEndpointGroups/k8s1-g/listNetworkEndpoints": object{"items": []object{
			{"networkEndpoint": object{"instance": "gke-dask-a-default-pool-1-2", "port": 80}}, {"networkEndpoint": object{"ipAddress": "192.0.2.1"}}}},
		worldwideLists + "snapshots": object{"items": []object{
			{"name": "s1", "storageBytes": "1073741825", "sourceDisk": link + "zones/europe-west1-b/disks/pvc-1",
				"labels": object{"daskbot-installation": "cs101", "daskbot-cluster": "dask-a"}},
			{"name": "s2", "labels": object{"daskbot-installation": "cs102", "daskbot-cluster": "dask-a", "daskbot-keep": ""}}}},
		aggregated + "addresses": page("addresses", "regions/europe-west1", object{"name": "a1", "users": []string{link + "regions/europe-west1/forwardingRules/a1"}}),
	}
}

func TestStandingTellsWhatThereIsAndWhose(t *testing.T) {
	c, _ := connect(t, standingAnswers())
	got, err := c.Standing(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	of := func(kind environment.ResourceKind, location, name string, s environment.Standing) environment.Standing {
		s.Resource = environment.Resource{Kind: kind, Project: "p", Location: location, Name: name}
		return s
	}
	service := "daskhub/proxy-public"
	want := []environment.Standing{
		of(environment.KindDisk, "europe-west1-b", "pvc-1", environment.Standing{Ours: true, Keep: true, Cluster: "dask-a", InUse: true, GB: 10, Type: "pd-balanced"}),
		of(environment.KindForwardingRule, "europe-west1", "a1", environment.Standing{Service: service, Target: "a1"}),
		of(environment.KindForwardingRule, "europe-west1", "web", environment.Standing{}),
		of(environment.KindTargetPool, "europe-west1", "a1", environment.Standing{Service: service, Instances: []string{"gke-dask-a-default-pool-1-2"}, Parts: []string{"k8s-1-node"}}),
		of(environment.KindBackendService, "europe-west1", "k8s2-x", environment.Standing{}),
		of(environment.KindHealthCheck, "global", "k8s2-shared", environment.Standing{}),
		of(environment.KindHTTPHealthCheck, "global", "k8s-1-node", environment.Standing{}),
		of(environment.KindEndpointGroup, "europe-west1-b", "k8s1-g", environment.Standing{Service: service, Instances: []string{"gke-dask-a-default-pool-1-2"}}),
		of(environment.KindFirewall, "global", "k8s-fw-a1", environment.Standing{Service: service}),
		of(environment.KindFirewall, "global", "default-allow-ssh", environment.Standing{}),
		of(environment.KindAddress, "europe-west1", "a1", environment.Standing{InUse: true}),
		of(environment.KindSnapshot, "global", "s1", environment.Standing{Ours: true, Cluster: "dask-a", GB: 2,
			Disk: environment.Resource{Kind: environment.KindDisk, Project: "p", Location: "europe-west1-b", Name: "pvc-1"}}),
		of(environment.KindSnapshot, "global", "s2", environment.Standing{Keep: true, Cluster: "dask-a"}),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStandingWithAGapIsUnknown(t *testing.T) {
	for _, list := range []string{"disks", "forwardingRules", "targetPools", "backendServices", "healthChecks", "networkEndpointGroups", "addresses"} {
		for name, answer := range map[string]any{
			"a zone that warns":   object{"items": object{"zones/europe-west1-b": object{"warning": object{"code": "UNREACHABLE"}}}},
			"a zone that is away": object{"items": object{}, "unreachables": []string{"zones/europe-west1-b"}},
			"an error":            failure{status: http.StatusServiceUnavailable, reason: "backendError", message: "Backend Error"},
		} {
			answers := standingAnswers()
			answers[aggregated+list] = answer
			c, _ := connect(t, answers)
			if got, err := c.Standing(t.Context(), "p"); environment.CodeOf(err) != environment.CodeUnavailable {
				t.Errorf("%s, %s: got %v, %v; want unavailable", list, name, got, err)
			}
		}
	}
}
