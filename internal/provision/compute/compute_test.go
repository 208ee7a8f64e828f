package compute

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

func resource(kind environment.ResourceKind, location, name string) environment.Resource {
	return environment.Resource{Kind: kind, Project: "p", Location: location, Name: name}
}

// paths is where each kind lives in each scope.
func paths() map[environment.Resource]string {
	return map[environment.Resource]string{
		resource(environment.KindForwardingRule, "europe-west1", "a1"):  "regions/europe-west1/forwardingRules/a1",
		resource(environment.KindForwardingRule, "global", "g1"):        "global/forwardingRules/g1",
		resource(environment.KindTargetPool, "europe-west1", "a1"):      "regions/europe-west1/targetPools/a1",
		resource(environment.KindBackendService, "europe-west1", "b1"):  "regions/europe-west1/backendServices/b1",
		resource(environment.KindBackendService, "global", "b2"):        "global/backendServices/b2",
		resource(environment.KindHealthCheck, "europe-west1", "h1"):     "regions/europe-west1/healthChecks/h1",
		resource(environment.KindHealthCheck, "global", "h2"):           "global/healthChecks/h2",
		resource(environment.KindHTTPHealthCheck, "global", "k8s-1"):    "global/httpHealthChecks/k8s-1",
		resource(environment.KindFirewall, "global", "k8s-fw-a1"):       "global/firewalls/k8s-fw-a1",
		resource(environment.KindEndpointGroup, "europe-west1-b", "n1"): "zones/europe-west1-b/networkEndpointGroups/n1",
		resource(environment.KindSnapshot, "global", "s1"):              "global/snapshots/s1",
		resource(environment.KindAddress, "europe-west1", "a1"):         "regions/europe-west1/addresses/a1",
		resource(environment.KindAddress, "global", "a2"):               "global/addresses/a2",
		resource(environment.KindDisk, "europe-west1-b", "pvc-1"):       "zones/europe-west1-b/disks/pvc-1",
		resource(environment.KindDisk, "europe-west1", "pvc-2"):         "regions/europe-west1/disks/pvc-2",
	}
}

// TestLooksGoSideBySide: one after the other, those of a few load balancers
// would take longer than a look may when each answer takes seconds.
func TestLooksGoSideBySide(t *testing.T) {
	c, s := connect(t, map[string]any{"GET " + base + "global/addresses/a3": object{"name": "a3"}})
	s.hold, s.full = looks, make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var recorded []environment.Resource
	for i := range 2 * looks {
		recorded = append(recorded, resource(environment.KindAddress, "global", fmt.Sprint("a", i%looks)))
	}
	left, err := c.Leftovers(ctx, "p", "", recorded)
	if err != nil || !cmp.Equal(left, []environment.Resource{resource(environment.KindAddress, "global", "a3")}) || len(s.asked) != looks {
		t.Errorf("got %v, %v after asking %d times; want the one that is there, asked once each", left, err, len(s.asked))
	}
}

func TestEveryKindIsAskedForWhereItLives(t *testing.T) {
	for r, path := range paths() {
		t.Run(path, func(t *testing.T) {
			c, s := connect(t, map[string]any{
				"GET " + base + path: object{"name": r.Name}, "DELETE " + base + path: object{"name": "operation-1"},
				"GET " + base + "aggregated/disks": object{}})
			left, err := c.Leftovers(t.Context(), "p", "dask-7f3a", []environment.Resource{r})
			if err != nil || !cmp.Equal(left, []environment.Resource{r}) {
				t.Fatalf("got %v, %v; want it found; asked %q", left, err, s.asked)
			}
			if err := c.Delete(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(s.asked, "DELETE "+base+path) {
				t.Errorf("asked %q; want the deletion", s.asked)
			}
		})
	}
}

func TestEveryKindCanBeDeleted(t *testing.T) {
	for _, kind := range environment.ResourceKinds() {
		known := false
		for r := range paths() {
			known = known || r.Kind == kind
		}
		if !known {
			t.Errorf("got no collection for %s; want one", kind)
		}
	}
}

func disk(name string, labels object) object { return object{"name": name, "labels": labels} }

func TestLeftoversFindWhatLoadBalancersShare(t *testing.T) {
	const check = "k8s-0f1e2d3c4b5a6978-node"
	answers := map[string]any{
		"GET " + base + "aggregated/disks": object{},
		"GET " + base + "regions/europe-west1/targetPools/a1": object{"name": "a1", "healthChecks": []any{
			"https://www.googleapis.com" + base + "global/httpHealthChecks/" + check,
			"https://www.googleapis.com" + base + "global/httpHealthChecks/somebody-elses"}},
		"GET " + base + "global/httpHealthChecks/" + check:           object{"name": check},
		"GET " + base + "global/httpHealthChecks/somebody-elses":     object{"name": "somebody-elses"},
		"GET " + base + "global/firewalls/" + check + "-http-hc":     object{"name": check + "-http-hc"},
		"GET " + base + "regions/europe-west1/targetPools/unrelated": object{"name": "unrelated"},
	}
	pool := resource(environment.KindTargetPool, "europe-west1", "a1")
	for cluster, want := range map[string][]environment.Resource{
		"dask-7f3a": {pool, resource(environment.KindHTTPHealthCheck, "global", check), resource(environment.KindFirewall, "global", check+"-http-hc")},
		"":          {pool}, // a shared cluster's other tenants still need them
	} {
		c, _ := connect(t, answers)
		got, err := c.Leftovers(t.Context(), "p", cluster, []environment.Resource{pool})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cluster %q: got other leftovers (-want +got):\n%s", cluster, diff)
		}
	}
}

func TestLeftoversAddsLabelledDisksAndSorts(t *testing.T) {
	ours := object{environment.LabelInstallation: "cs101", environment.LabelCluster: "dask-7f3a"}
	c, s := connect(t, map[string]any{
		"GET " + base + "zones/europe-west1-b/disks/pvc-1":        object{"name": "pvc-1"},
		"GET " + base + "regions/europe-west1/forwardingRules/a1": object{"name": "a1"},
		"GET " + base + "regions/europe-west1/targetPools/a1":     object{"name": "a1"},
		"GET " + base + "aggregated/disks": object{"items": object{
			"zones/europe-west1-b": object{"disks": []any{disk("pvc-1", ours), disk("pvc-2", ours),
				disk("foreign", object{environment.LabelInstallation: "cs102", environment.LabelCluster: "dask-7f3a"}),
				disk("filter-ignored", object{environment.LabelInstallation: "cs101"})}},
			"regions/europe-west1": object{"disks": []any{disk("pvc-3", ours)}},
			"zones/us-east1-b":     object{"warning": object{"code": "NO_RESULTS_ON_PAGE"}},
		}},
	})
	got, err := c.Leftovers(t.Context(), "p", "dask-7f3a", []environment.Resource{
		resource(environment.KindDisk, "europe-west1-b", "pvc-1"),
		resource(environment.KindAddress, "europe-west1", "gone"),
		resource(environment.KindTargetPool, "europe-west1", "a1"),
		resource(environment.KindForwardingRule, "europe-west1", "a1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got[min(3, len(got)):], func(a, b environment.Resource) int { return strings.Compare(a.Name, b.Name) })
	want := []environment.Resource{
		resource(environment.KindForwardingRule, "europe-west1", "a1"),
		resource(environment.KindTargetPool, "europe-west1", "a1"),
		resource(environment.KindDisk, "europe-west1-b", "pvc-1"),
		resource(environment.KindDisk, "europe-west1-b", "pvc-2"),
		resource(environment.KindDisk, "europe-west1", "pvc-3"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("got other leftovers (-want +got):\n%s", diff)
	}
	if filter := "GET " + base + "aggregated/disks?labels.daskbot-cluster=dask-7f3a"; !slices.Contains(s.asked, filter) {
		t.Errorf("asked %q; want %q", s.asked, filter)
	}
}

func TestLeftoversThatCannotBeLookedAtAreUnknown(t *testing.T) {
	const recorded = "GET " + base + "regions/europe-west1/addresses/a1"
	const disks = "GET " + base + "aggregated/disks"
	gone := failure{status: 404, reason: "notFound", message: "The resource 'projects/p/regions/europe-west1/addresses/a1' was not found"}
	tests := map[string]struct {
		answers map[string]any
		code    environment.Code
	}{
		"a resource": {map[string]any{recorded: failure{status: 503, reason: "backendError"}, disks: object{}}, environment.CodeUnavailable},
		"the project is missing": {map[string]any{recorded: failure{status: 404, reason: "notFound", message: "The resource 'projects/p' was not found"}, disks: object{}},
			environment.CodeNotFound},
		"denied":             {map[string]any{recorded: failure{status: 403, reason: "forbidden"}, disks: object{}}, environment.CodeForbidden},
		"the list":           {map[string]any{recorded: gone, disks: failure{status: 500, reason: "internalError"}}, environment.CodeUnavailable},
		"a part of the list": {map[string]any{recorded: gone, disks: object{"items": object{"zones/us-east1-b": object{"warning": object{"code": "UNREACHABLE"}}}}}, environment.CodeUnavailable},
		"unreachables":       {map[string]any{recorded: gone, disks: object{"unreachables": []any{"zones/us-east1-b"}}}, environment.CodeUnavailable},
		"the whole list":     {map[string]any{recorded: gone, disks: object{"warning": object{"code": "UNREACHABLE"}}}, environment.CodeUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, test.answers)
			got, err := c.Leftovers(t.Context(), "p", "dask-7f3a", []environment.Resource{resource(environment.KindAddress, "europe-west1", "a1")})
			if got != nil || environment.CodeOf(err) != test.code {
				t.Errorf("got %v, %v; want nothing and %s", got, err, test.code)
			}
		})
	}
}

func TestLeftoversOfARecordNobodyUnderstands(t *testing.T) {
	c, _ := connect(t, nil)
	for _, r := range []environment.Resource{
		resource(environment.KindTargetPool, "global", "a1"), resource("images", "global", "s1"), resource(environment.KindDisk, "europe-west1-b", ""),
	} {
		if _, err := c.Leftovers(t.Context(), "p", "", []environment.Resource{r}); environment.CodeOf(err) != environment.CodeInternal {
			t.Errorf("%+v: got %v; want internal", r, err)
		}
	}
}

func TestDeleteMeetsErrors(t *testing.T) {
	r := resource(environment.KindTargetPool, "europe-west1", "a1")
	path := "DELETE " + base + "regions/europe-west1/targetPools/a1"
	tests := map[string]struct {
		answer any
		code   environment.Code
		busy   string
		after  time.Duration
	}{
		"gone":      {failure{status: 404, reason: "notFound", message: "The resource 'projects/p/regions/europe-west1/targetPools/a1' was not found"}, "", "", 0},
		"in use":    {failure{status: 400, reason: "resourceInUseByAnotherResource", message: "The target_pool resource is already being used by a forwarding rule"}, environment.CodeUnavailable, "targetPools/a1", 0},
		"not ready": {failure{status: 400, reason: "resourceNotReady", message: "The resource is not ready"}, environment.CodeUnavailable, "targetPools/a1", 0},
		"rate, 403": {failure{status: 403, reason: "rateLimitExceeded"}, environment.CodeUnavailable, "", 30 * time.Second},
		"rate, 429": {failure{status: 429, reason: "x", header: http.Header{"Retry-After": {"9"}}}, environment.CodeUnavailable, "", 9 * time.Second},
		"denied":    {failure{status: 403, reason: "forbidden", message: "Required 'compute.targetPools.delete' permission"}, environment.CodeForbidden, "", 0},
		"disabled":  {failure{status: 403, reason: "accessNotConfigured"}, environment.CodeForbidden, "", 0},
		"quota":     {failure{status: 403, reason: "quotaExceeded"}, environment.CodeQuota, "", 0},
		"conflict":  {failure{status: 409, reason: "conflict"}, environment.CodeConflict, "", 0},
		"bad":       {failure{status: 400, reason: "invalid"}, environment.CodeInternal, "", 0},
		"down":      {failure{status: 503, reason: "backendError"}, environment.CodeUnavailable, "", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, map[string]any{path: test.answer})
			err := c.Delete(t.Context(), r)
			var e *environment.Error
			errors.As(err, &e)
			if environment.CodeOf(err) != test.code || (e != nil && (e.Busy != test.busy || e.RetryAfter != test.after)) {
				t.Errorf("got %+v; want code %q, busy %q, after %s", e, test.code, test.busy, test.after)
			}
		})
	}
}

func TestRefusedCredentialsAreForbidden(t *testing.T) {
	right, _ := connect(t, nil)
	wrong, err := New(t.Context(), Config{Endpoint: right.service.BasePath, StaticToken: environment.NewSecret("wrong"), Installation: "cs101"})
	if err != nil {
		t.Fatal(err)
	}
	if err := wrong.Delete(t.Context(), resource(environment.KindFirewall, "global", "f")); environment.CodeOf(err) != environment.CodeForbidden {
		t.Errorf("got %v; want forbidden", err)
	}
}

func TestNoAnswerIsUnavailable(t *testing.T) {
	c, err := New(t.Context(), Config{Endpoint: "http://127.0.0.1:1", StaticToken: environment.NewSecret("x"), Installation: "cs101"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), resource(environment.KindFirewall, "global", "f")); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("got %v; want unavailable", err)
	}
}

func TestBasePath(t *testing.T) {
	for _, in := range []string{"http://h:1", "http://h:1/", "http://h:1/compute/v1", "http://h:1/compute/v1/"} {
		if got, want := basePath(in), "http://h:1/compute/v1/"; got != want {
			t.Errorf("basePath(%q): got %q; want %q", in, got, want)
		}
	}
}
