package compute

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	api "google.golang.org/api/compute/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// sandbox is a running daskbot-sandbox: the port's conformance is tested
// against it.
type sandbox struct {
	Compute string `json:"compute"`
	Token   string `json:"token"`
	Project string `json:"project"`
}

func startedSandbox(t *testing.T) (*Client, sandbox) {
	t.Helper()
	address := os.Getenv("DASKBOT_SANDBOX")
	if address == "" {
		t.Skip("DASKBOT_SANDBOX is not set to the address of a running daskbot-sandbox")
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimRight(address, "/")+"/endpoints", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var s sandbox
	if err := json.NewDecoder(answer.Body).Decode(&s); err != nil {
		t.Fatal(err)
	}
	c, err := New(t.Context(), Config{Endpoint: s.Compute, StaticToken: environment.NewSecret(s.Token), Installation: "conformance"})
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

const (
	region = "europe-west1"
	zone   = "europe-west1-b"
)

// leave makes what a deleted cluster leaves behind: a load balancer's parts
// and two disks, of which only one is in the record.
func leave(t *testing.T, c *Client, project, cluster string) (recorded []environment.Resource, unrecorded environment.Resource) {
	t.Helper()
	ctx, s, name := t.Context(), c.service, "a"+cluster
	prefix := s.BasePath + "projects/" + project
	labels := map[string]string{environment.LabelInstallation: "conformance", environment.LabelCluster: cluster}
	run := func(_ *api.Operation, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	run(s.HttpHealthChecks.Insert(project, &api.HttpHealthCheck{Name: "k8s-" + name, Port: 10256}).Context(ctx).Do())
	run(s.Firewalls.Insert(project, &api.Firewall{Name: "k8s-fw-" + name}).Context(ctx).Do())
	run(s.Addresses.Insert(project, region, &api.Address{Name: name}).Context(ctx).Do())
	run(s.TargetPools.Insert(project, region, &api.TargetPool{Name: name, HealthChecks: []string{prefix + "/global/httpHealthChecks/k8s-" + name}}).Context(ctx).Do())
	run(s.ForwardingRules.Insert(project, region, &api.ForwardingRule{Name: name, Target: prefix + "/regions/" + region + "/targetPools/" + name}).Context(ctx).Do())
	run(s.Disks.Insert(project, zone, &api.Disk{Name: "pvc-" + name, SizeGb: 10, Labels: labels}).Context(ctx).Do())
	run(s.Disks.Insert(project, zone, &api.Disk{Name: "pvc-unrecorded-" + name, SizeGb: 10, Labels: labels}).Context(ctx).Do())
	of := func(kind environment.ResourceKind, location, name string) environment.Resource {
		return environment.Resource{Kind: kind, Project: project, Location: location, Name: name}
	}
	return []environment.Resource{
		of(environment.KindForwardingRule, region, name), of(environment.KindTargetPool, region, name),
		of(environment.KindHTTPHealthCheck, "global", "k8s-"+name), of(environment.KindFirewall, "global", "k8s-fw-"+name),
		of(environment.KindAddress, region, name), of(environment.KindDisk, zone, "pvc-"+name),
	}, of(environment.KindDisk, zone, "pvc-unrecorded-"+name)
}

func TestConformanceLeftovers(t *testing.T) {
	c, s := startedSandbox(t)
	cluster := "conf-" + strings.ToLower(rand.Text()[:8])
	recorded, unrecorded := leave(t, c, s.Project, cluster)
	want := append(recorded[:len(recorded):len(recorded)], unrecorded)
	ctx := t.Context()

	got := pollLeftovers(ctx, t, c, s.Project, cluster, recorded, len(want))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("got other leftovers (-want +got):\n%s", diff)
	}
	pool := recorded[1]
	if err := c.Delete(ctx, pool); environment.CodeOf(err) != environment.CodeUnavailable {
		t.Errorf("delete a pool in use: got %v; want unavailable", err)
	}
	for round := 0; len(got) > 0; round++ {
		for _, r := range got { // what is still in use is tried again in the next round
			if err := c.Delete(ctx, r); err != nil && !environment.Retryable(err) {
				t.Fatalf("delete %+v: %v", r, err)
			}
		}
		got = pollLeftovers(ctx, t, c, s.Project, cluster, recorded, max(len(got)-1, 0))
	}
	for _, r := range want {
		if err := c.Delete(ctx, r); err != nil {
			t.Errorf("delete %+v again: got %v; want success", r, err)
		}
	}
}

// pollLeftovers looks until exactly, or at most, n are left: deletions take
// the sandbox some time.
func pollLeftovers(ctx context.Context, t *testing.T, c *Client, project, cluster string, recorded []environment.Resource, n int) []environment.Resource {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := c.Leftovers(ctx, project, cluster, recorded)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) <= n {
			return left
		}
		select {
		case <-ctx.Done():
			t.Fatalf("got %+v after two minutes; want at most %d", left, n)
		case <-tick.C:
		}
	}
}

func TestConformanceShortfall(t *testing.T) {
	c, s := startedSandbox(t)
	fits := shape()
	for _, test := range []struct{ project, machine, want string }{
		{s.Project, "e2-standard-4", ""},
		{"tiny-project", "e2-standard-2", ""},
		{"tiny-project", "e2-standard-8", "europe-west1 has 8 of 8 CPUs left and this needs 16"},
	} {
		fits.MachineType = test.machine
		got, err := c.Shortfall(t.Context(), test.project, zone, fits)
		if err != nil || (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s, %s: got %q, %v; want …%q…", test.project, test.machine, got, err, test.want)
		}
	}
	fits.MachineType = "e2-medium"
	if got, err := c.Shortfall(t.Context(), s.Project, region, fits); got != "" || err != nil {
		t.Errorf("e2-medium in a region: got %q, %v; want room", got, err)
	}
	for project, want := range map[string]environment.Code{"forbidden-project": environment.CodeForbidden} {
		if _, err := c.Shortfall(t.Context(), project, zone, fits); environment.CodeOf(err) != want {
			t.Errorf("%s: got %v; want %s", project, err, want)
		}
	}
	if _, err := c.Shortfall(t.Context(), s.Project, "mars-east1-a", fits); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("a location that is none: got %v; want invalid", err)
	}
	fits.MachineType = "e2-gigantic"
	if _, err := c.Shortfall(t.Context(), s.Project, zone, fits); environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("a machine type that is none: got %v; want invalid", err)
	}
}
