package compute

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gce "google.golang.org/api/compute/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

const (
	project = "sandbox-project"
	region  = "europe-west1"
	zone    = "europe-west1-b"
)

// start serves a world to Google's own client.
func start(t *testing.T) (*cloud.World, *gce.Service, *httptest.Server) {
	t.Helper()
	world, err := cloud.Open(cloud.Config{Dir: t.TempDir(), Network: "127.204"})
	if err != nil {
		t.Fatal(err)
	}
	if err := world.SetLatencies("", map[string]cloud.Latency{cloud.ComputeCall: {}}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(New(world, "secret"))
	t.Cleanup(server.Close)
	client, err := gce.NewService(t.Context(), option.WithEndpoint(server.URL+"/compute/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	return world, client, server
}

func addDisks(t *testing.T, world *cloud.World, names ...string) {
	t.Helper()
	for _, name := range names {
		disk := cloud.Disk{Name: name, Type: "pd-standard", SizeGB: 10, Labels: map[string]string{"daskbot-cluster": "c-" + name}}
		if err := world.CreateDisk(t.Context(), project, zone, disk); err != nil {
			t.Fatal(err)
		}
	}
}

func wantReason(t *testing.T, what string, err error, status int, reason string) {
	t.Helper()
	var e *googleapi.Error
	if !errors.As(err, &e) || e.Code != status || len(e.Errors) == 0 || e.Errors[0].Reason != reason {
		t.Errorf("%s: got %v; want %d %s", what, err, status, reason)
	}
}

func TestDisks(t *testing.T) {
	world, client, _ := start(t)
	addDisks(t, world, "pvc-a", "pvc-b", "other")
	list := func(filter string) []string {
		t.Helper()
		var names []string
		err := client.Disks.AggregatedList(project).Filter(filter).Pages(t.Context(), func(page *gce.DiskAggregatedList) error {
			for _, scoped := range page.Items {
				for _, d := range scoped.Disks {
					names = append(names, d.Name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	for filter, want := range map[string][]string{
		"":                                   {"other", "pvc-a", "pvc-b"},
		"labels.daskbot-cluster=c-pvc-a":     {"pvc-a"},
		`labels.daskbot-cluster = "c-pvc-a"`: {"pvc-a"},
		"name=other":                         {"other"},
		`name eq "pvc-.*"`:                   {"pvc-a", "pvc-b"},
		`(name eq pvc-.*) (name ne .*b)`:     {"pvc-a"},
		"name:pvc* AND NOT name=pvc-a":       {"pvc-b"},
		"name=other OR name=pvc-b":           {"other", "pvc-b"},
		"labels.none:*":                      nil,
		"sizeGb>10":                          nil,
		"sizeGb>=10 AND type=pd-standard":    {"other", "pvc-a", "pvc-b"},
	} {
		if diff := cmp.Diff(want, list(filter)); diff != "" {
			t.Errorf("filter %q (-want +got):\n%s", filter, diff)
		}
	}
	_, err := client.Disks.AggregatedList(project).Filter("(name").Do()
	wantReason(t, "a broken filter", err, 400, "invalid")

	d, err := client.Disks.Get(project, zone, "pvc-a").Do()
	if err != nil || d.SizeGb != 10 || !strings.HasSuffix(d.Type, "/diskTypes/pd-standard") || d.LabelFingerprint == "" {
		t.Errorf("get: got %+v, %v", d, err)
	}
	op, err := client.Disks.Delete(project, zone, "pvc-a").Do()
	if err != nil {
		t.Fatal(err)
	}
	if op, err = client.ZoneOperations.Wait(project, zone, op.Name).Do(); err != nil || op.Status != "DONE" || op.Error != nil {
		t.Errorf("wait: got %+v, %v", op, err)
	}
	_, err = client.Disks.Delete(project, zone, "pvc-a").Do()
	wantReason(t, "delete it again", err, 404, "notFound")
}

func TestPages(t *testing.T) {
	world, client, _ := start(t)
	addDisks(t, world, "a", "b", "c", "d", "e")
	var pages [][]string
	err := client.Disks.List(project, zone).MaxResults(2).Pages(t.Context(), func(page *gce.DiskList) error {
		var names []string
		for _, d := range page.Items {
			names = append(names, d.Name)
		}
		pages = append(pages, names)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"a", "b"}, {"c", "d"}, {"e"}}, pages); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestLoadBalancerIsTakenApartInOrder(t *testing.T) {
	world, client, _ := start(t)
	lb := cloud.LoadBalancer{Name: "abc", Service: "daskhub/proxy-public", ClusterID: "c1", ClusterName: "hub", Ports: []int32{18081}}
	ip, err := world.CreateLoadBalancer(t.Context(), project, region, lb)
	if err != nil {
		t.Fatal(err)
	}
	rule, err := client.ForwardingRules.Get(project, region, "abc").Do()
	if err != nil || rule.IPAddress != ip || rule.Description != `{"kubernetes.io/service-name":"daskhub/proxy-public"}` || rule.PortRange != "18081-18081" {
		t.Errorf("forwarding rule: got %+v, %v", rule, err)
	}
	pool, err := client.TargetPools.Get(project, region, "abc").Do()
	if err != nil || !strings.HasSuffix(rule.Target, "/targetPools/abc") || len(pool.HealthChecks) != 1 {
		t.Errorf("target pool: got %+v, %v", pool, err)
	}
	_, err = client.TargetPools.Delete(project, region, "abc").Do()
	wantReason(t, "the pool before the rule", err, 400, "resourceInUseByAnotherResource")
	check := pool.HealthChecks[0][strings.LastIndexByte(pool.HealthChecks[0], '/')+1:]
	_, err = client.HttpHealthChecks.Delete(project, check).Do()
	wantReason(t, "the check before the pool", err, 400, "resourceInUseByAnotherResource")
	firewalls, err := client.Firewalls.List(project).Filter(`description eq ".*daskhub/proxy-public.*"`).Do()
	if err != nil || len(firewalls.Items) != 1 || firewalls.Items[0].Name != "k8s-fw-abc" {
		t.Errorf("firewalls: got %+v, %v", firewalls, err)
	}
	for i, remove := range []func() (*gce.Operation, error){
		func() (*gce.Operation, error) { return client.ForwardingRules.Delete(project, region, "abc").Do() },
		func() (*gce.Operation, error) { return client.TargetPools.Delete(project, region, "abc").Do() },
		func() (*gce.Operation, error) { return client.HttpHealthChecks.Delete(project, check).Do() },
		func() (*gce.Operation, error) { return client.Addresses.Delete(project, region, "abc").Do() },
		func() (*gce.Operation, error) { return client.Firewalls.Delete(project, "k8s-fw-abc").Do() },
		func() (*gce.Operation, error) { return client.Firewalls.Delete(project, check+"-http-hc").Do() },
	} {
		if _, err := remove(); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if left := world.Inventory(); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
}

func TestQuotasOfARegion(t *testing.T) {
	world, client, _ := start(t)
	addDisks(t, world, "a", "b")
	r, err := client.Regions.Get(project, region).Do()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][2]float64{}
	for _, q := range r.Quotas {
		got[q.Metric] = [2]float64{q.Usage, q.Limit}
	}
	if got["DISKS_TOTAL_GB"] != [2]float64{20, 204800} || got["CPUS"] != [2]float64{0, 1000} {
		t.Errorf("got %v", got)
	}
	p, err := client.Projects.Get(project).Do()
	if err != nil || !slices.ContainsFunc(p.Quotas, func(q *gce.Quota) bool { return q.Metric == "CPUS_ALL_REGIONS" }) {
		t.Errorf("project: got %+v, %v", p, err)
	}
}

func TestSnapshotAndLabels(t *testing.T) {
	world, client, _ := start(t)
	addDisks(t, world, "home")
	if _, err := client.Disks.CreateSnapshot(project, zone, "home", &gce.Snapshot{Name: "s1", Labels: map[string]string{"a": "b"}}).Do(); err != nil {
		t.Fatal(err)
	}
	s, err := client.Snapshots.Get(project, "s1").Do()
	if err != nil || s.DiskSizeGb != 10 || !strings.HasSuffix(s.SourceDisk, "/disks/home") || s.Labels["a"] != "b" {
		t.Errorf("snapshot: got %+v, %v", s, err)
	}
	_, err = client.Disks.SetLabels(project, zone, "home", &gce.ZoneSetLabelsRequest{LabelFingerprint: "stale", Labels: map[string]string{}}).Do()
	wantReason(t, "stale fingerprint", err, 412, "conditionNotMet")
	disk, err := client.Disks.Insert(project, zone, &gce.Disk{Name: "home2", SizeGb: 20, Type: "zones/" + zone + "/diskTypes/pd-ssd", SourceSnapshot: "global/snapshots/s1"}).Do()
	if err != nil || disk.OperationType != "insert" {
		t.Errorf("insert: got %+v, %v", disk, err)
	}
	if d, err := client.Disks.Get(project, zone, "home2").Do(); err != nil || d.SizeGb != 20 || d.SourceSnapshot != "global/snapshots/s1" {
		t.Errorf("disk of a snapshot: got %+v, %v", d, err)
	}
}

func TestEndpointGroups(t *testing.T) {
	_, client, _ := start(t)
	groups := client.NetworkEndpointGroups
	if _, err := groups.Insert(project, zone, &gce.NetworkEndpointGroup{Name: "k8s1-g", Description: `{"cluster-uid":"u"}`}).Do(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		attach := &gce.NetworkEndpointGroupsAttachEndpointsRequest{NetworkEndpoints: []*gce.NetworkEndpoint{{Instance: "zones/" + zone + "/instances/gke-hub-default-pool-1-2"}}}
		if _, err := groups.AttachNetworkEndpoints(project, zone, "k8s1-g", attach).Do(); err != nil {
			t.Fatal(err)
		}
	}
	all, err := groups.AggregatedList(project).Do()
	if err != nil || len(all.Items["zones/"+zone].NetworkEndpointGroups) != 1 || all.Items["zones/"+zone].NetworkEndpointGroups[0].Size != 1 {
		t.Errorf("aggregated: got %+v, %v; want one of one endpoint", all, err)
	}
	ends, err := groups.ListNetworkEndpoints(project, zone, "k8s1-g", &gce.NetworkEndpointGroupsListEndpointsRequest{}).Do()
	if err != nil || len(ends.Items) != 1 || ends.Items[0].NetworkEndpoint.Instance != "gke-hub-default-pool-1-2" {
		t.Errorf("endpoints: got %+v, %v", ends, err)
	}
	if _, err := groups.Delete(project, zone, "k8s1-g").Do(); err != nil {
		t.Fatal(err)
	}
	_, err = groups.ListNetworkEndpoints(project, zone, "k8s1-g", &gce.NetworkEndpointGroupsListEndpointsRequest{}).Do()
	wantReason(t, "endpoints of one that is gone", err, 404, "notFound")
}

func TestAccessAndFaults(t *testing.T) {
	tests := map[string]struct {
		fault   cloud.Fault
		project string
		status  int
		reason  string
	}{
		"forbidden":     {project: "forbidden-project", status: 403, reason: "forbidden"},
		"unknown":       {project: "none", status: 404, reason: "notFound"},
		"rate limit":    {project: project, fault: cloud.Fault{Kind: "rate-limit", Method: "disks.list"}, status: 403, reason: "rateLimitExceeded"},
		"no permission": {project: project, fault: cloud.Fault{Kind: "permission-denied", Method: "disks.list"}, status: 403, reason: "forbidden"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			world, client, _ := start(t)
			if tc.fault.Kind != "" {
				if _, err := world.AddFault(tc.fault); err != nil {
					t.Fatal(err)
				}
			}
			_, err := client.Disks.List(tc.project, zone).Do()
			wantReason(t, name, err, tc.status, tc.reason)
		})
	}
}

func TestDeleteThatFailsLeavesTheDisk(t *testing.T) {
	world, client, _ := start(t)
	addDisks(t, world, "a")
	if _, err := world.AddFault(cloud.Fault{Kind: "delete-fails", Method: "disks.delete", Times: 1}); err != nil {
		t.Fatal(err)
	}
	op, err := client.Disks.Delete(project, zone, "a").Do()
	if err != nil {
		t.Fatal(err)
	}
	if op, err = client.ZoneOperations.Wait(project, zone, op.Name).Do(); err != nil || op.Error == nil {
		t.Errorf("wait: got %+v, %v; want the operation to fail", op, err)
	}
	if _, err := client.Disks.Get(project, zone, "a").Do(); err != nil {
		t.Errorf("the disk: %v; want it there", err)
	}
}

func TestWrongToken(t *testing.T) {
	_, _, server := start(t)
	for token, want := range map[string]int{"": 200, "secret": 200, "guess": 401} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/compute/v1/projects/"+project, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("token %q: got %d; want %d", token, answer.StatusCode, want)
		}
	}
}
