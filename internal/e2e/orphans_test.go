package e2e

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// orphans is what stories read of /orphans.
type orphans struct {
	Items []struct {
		Kind, Name, Cluster, Environment, Action, Done, Reason string
		DeleteAt                                               string
		USDPerHour                                             float64
	}
	Lost       []string
	Unsure     []struct{ Project, Reason string }
	USDPerHour float64
}

// by is the action on each, by kind and name.
func (o orphans) by() map[string]string {
	out := map[string]string{}
	for _, it := range o.Items {
		out[it.Kind+"/"+it.Name] = it.Action
	}
	return out
}

// configured is a copy of the world's configuration with a line for each key
// of the reaper.
func (w *world) configured(lines ...string) error {
	shipped, err := os.ReadFile(w.config)
	if err != nil {
		return err
	}
	text, section := string(shipped), "reaper:\n"
	if !strings.Contains(text, "\n"+section) {
		text += "\n" + section
	}
	text = strings.Replace(text, "\n"+section, "\n"+section+"  "+strings.Join(lines, "\n  ")+"\n", 1)
	w.config = filepath.Join(w.dir, "config.yaml")
	return os.WriteFile(w.config, []byte(text), 0o600)
}

// make makes something in the emulated cloud past daskbot, at a path below the
// world's project.
func (w *world) make(ctx context.Context, t *testing.T, api, path string, body any) {
	t.Helper()
	e := stage.sandbox.endpoints
	address := e.GKERest + "/v1/projects/" + w.project + "/" + path
	if api == "compute" {
		address = strings.TrimSuffix(strings.TrimRight(e.Compute, "/"), "/compute/v1") + "/compute/v1/projects/" + w.project + "/" + path
	}
	if err := askJSON(ctx, http.MethodPost, address, body, nil, "Authorization", "Bearer "+e.Token); err != nil {
		t.Fatal(err)
	}
}

const orphanZone, orphanRegion = "europe-west1-b", "europe-west1"

// leave plants what a cluster can leave behind: a disk with a snapshot, and a
// load balancer and an endpoint group with the cluster's machine behind them.
func (w *world) leave(ctx context.Context, t *testing.T, installation, cluster, name string) {
	t.Helper()
	made := func(path string, body map[string]any) { w.make(ctx, t, "compute", path, body) }
	links := "https://www.googleapis.com/compute/v1/projects/" + w.project
	service := `{"kubernetes.io/service-name":"daskhub/proxy-public"}`
	labels := map[string]string{"daskbot-installation": installation, "daskbot-cluster": cluster}
	machine := "gke-" + cluster + "-default-pool-1a2b3c4d-x1y2"
	made("zones/"+orphanZone+"/disks", map[string]any{"name": "pvc-" + name, "sizeGb": "10", "type": links + "/zones/" + orphanZone + "/diskTypes/pd-balanced", "labels": labels})
	made("zones/"+orphanZone+"/disks/pvc-"+name+"/createSnapshot", map[string]any{"name": "snap-" + name, "labels": labels})
	made("zones/"+orphanZone+"/networkEndpointGroups", map[string]any{"name": "k8s1-" + name, "networkEndpointType": "GCE_VM_IP_PORT",
		"description": `{"cluster-uid":"0f1e2d3c","namespace":"daskhub","service-name":"proxy-public","port":"80"}`})
	made("zones/"+orphanZone+"/networkEndpointGroups/k8s1-"+name+"/attachNetworkEndpoints", map[string]any{"networkEndpoints": []any{map[string]any{"instance": machine}}})
	made("global/httpHealthChecks", map[string]any{"name": "k8s-" + name + "-node", "port": 10256})
	made("regions/"+orphanRegion+"/targetPools", map[string]any{"name": name, "description": service,
		"healthChecks": []string{links + "/global/httpHealthChecks/k8s-" + name + "-node"},
		"instances":    []string{links + "/zones/" + orphanZone + "/instances/" + machine}})
	made("regions/"+orphanRegion+"/forwardingRules", map[string]any{"name": name, "description": service, "portRange": "80-80",
		"target": links + "/regions/" + orphanRegion + "/targetPools/" + name})
	made("global/firewalls", map[string]any{"name": "k8s-fw-" + name, "description": service})
}

// cluster makes a cluster past daskbot and waits until it runs.
func (w *world) cluster(ctx context.Context, t *testing.T, name, installation string) {
	t.Helper()
	w.make(ctx, t, "gke", "locations/"+orphanZone+"/clusters", map[string]any{"cluster": map[string]any{"name": name, "initialNodeCount": 1,
		"resourceLabels": map[string]string{"daskbot-installation": installation, "daskbot-cluster-id": "nobody12"}}})
	err := until(ctx, "wait for the cluster "+name, func() (bool, error) {
		all, err := stage.sandbox.clusters(ctx, w.project)
		return slices.ContainsFunc(all, func(c cluster) bool { return c.Name == name && c.Status == "RUNNING" }), err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ended brings an environment up and down, and returns the name its cluster had.
func (w *world) ended(ctx context.Context, t *testing.T) (id, cluster string) {
	t.Helper()
	var e env
	if err := w.ask(ctx, http.MethodPost, "environments", map[string]any{"owner": "s1", "profile": "dask"}, &e); err != nil {
		t.Fatal(err)
	}
	e, err := w.await(ctx, e.ID, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.ask(ctx, http.MethodDelete, "environments/"+e.ID, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.await(ctx, e.ID, "deleted"); err != nil {
		t.Fatal(err)
	}
	return e.ID, e.Cluster.Name
}

// find compares cloud and store now.
func (w *world) find(ctx context.Context, t *testing.T) orphans {
	t.Helper()
	var found orphans
	if err := w.ask(ctx, http.MethodGet, "orphans?fresh=true", nil, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// remove deletes orphans as an admin.
func (w *world) remove(ctx context.Context, t *testing.T, how map[string]any) orphans {
	t.Helper()
	var found orphans
	if err := w.ask(ctx, http.MethodPost, "orphans/delete", how, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// names are what the sandbox holds of a project, sorted.
func (w *world) names(ctx context.Context, t *testing.T) []string {
	t.Helper()
	all, err := stage.sandbox.resources(ctx, w.project)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range all {
		names = append(names, r.Kind+"/"+r.Name)
	}
	slices.Sort(names)
	return names
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	w := newStory(t)
	_, name := w.ended(ctx, t)
	w.leave(ctx, t, "another", "dask-ofanother", "aother")
	w.cluster(ctx, t, "dask-ofanother", "another")
	others := w.names(ctx, t)
	w.leave(ctx, t, w.installation, name, "aours")
	w.cluster(ctx, t, "dask-nobody12", w.installation)

	want := map[string]string{"clusters/dask-nobody12": "wait", "disks/pvc-aours": "wait", "forwardingRules/aours": "wait", "targetPools/aours": "wait",
		"httpHealthChecks/k8s-aours-node": "wait", "firewalls/k8s-fw-aours": "wait", "networkEndpointGroups/k8s1-aours": "wait", "snapshots/snap-aours": "wait"}
	found := w.find(ctx, t)
	if diff := cmp.Diff(want, found.by()); diff != "" {
		t.Fatalf("found (-want +got):\n%s", diff)
	}
	price(t, found, "disks/pvc-aours", 10*0.10/730)
	price(t, found, "snapshots/snap-aours", 10*0.05/730)
	price(t, found, "forwardingRules/aours", 0.025)
	w.doubtful(ctx, t, want)

	before := w.names(ctx, t)
	if diff := cmp.Diff(want, w.remove(ctx, t, map[string]any{}).by()); diff != "" {
		t.Errorf("deleted within their grace (-want +got):\n%s", diff)
	}
	plan := w.remove(ctx, t, map[string]any{"now": true, "dryRun": true})
	if diff := cmp.Diff(before, w.names(ctx, t)); diff != "" {
		t.Errorf("a dry run, or one within the grace, changed something:\n%s", diff)
	}
	did := w.remove(ctx, t, map[string]any{"now": true})
	if diff := cmp.Diff(plan.by(), did.by()); diff != "" {
		t.Errorf("the run did something else than the dry run said:\n%s", diff)
	}
	w.left(ctx, t, others)
	if found := w.find(ctx, t); len(found.Items) > 0 {
		t.Errorf("still found: %v", found.by())
	}
}

// left waits until the project holds exactly these.
func (w *world) left(ctx context.Context, t *testing.T, want []string) {
	t.Helper()
	var got []string
	err := until(ctx, "wait until only another's are left", func() (bool, error) {
		got = w.names(ctx, t)
		return slices.Equal(got, want), nil
	})
	if err != nil {
		t.Fatalf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
	}
}

func price(t *testing.T, found orphans, what string, want float64) {
	t.Helper()
	for _, it := range found.Items {
		if it.Kind+"/"+it.Name == what && math.Abs(it.USDPerHour-want) > 1e-4 {
			t.Errorf("%s costs $%v an hour; want $%v", what, it.USDPerHour, want)
		}
	}
}

// doubtful lets the cloud answer badly: nothing is deleted, even without the
// grace, and nothing is forgotten.
func (w *world) doubtful(ctx context.Context, t *testing.T, known map[string]string) {
	t.Helper()
	before := w.names(ctx, t)
	for _, f := range []fault{
		{"kind": "missing-zones", "zone": orphanZone},
		{"kind": "permission-denied", "method": "ListClusters"},
		{"kind": "permission-denied", "method": "targetPools.aggregatedList"},
		{"kind": "permission-denied", "method": "snapshots.list"},
		{"kind": "missing-zones", "method": "disks.aggregatedList", "value": orphanZone},
		{"kind": "missing-zones", "method": "networkEndpointGroups.aggregatedList", "value": orphanZone},
	} {
		script(ctx, t, w, []fault{f})
		found := w.remove(ctx, t, map[string]any{"now": true})
		if len(found.Unsure) != 1 || found.Unsure[0].Project != w.project || len(found.Items) != len(known) {
			t.Errorf("%v: got %d orphans, unsure %v; want %d and the project", f, len(found.Items), found.Unsure, len(known))
		}
		for what, action := range found.by() {
			if action != "report" {
				t.Errorf("%v: %s was to %s; want it reported only", f, what, action)
			}
		}
		if diff := cmp.Diff(before, w.names(ctx, t)); diff != "" {
			t.Errorf("%v: something was deleted:\n%s", f, diff)
		}
	}
	script(ctx, t, w, nil)
}

// TestOrphansGoByThemselves waits for the clock's sweep, and loses a cluster
// to somebody with the console.
func TestOrphansGoByThemselves(t *testing.T) {
	t.Parallel()
	if stage.skip != "" {
		t.Skip(stage.skip)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	w, err := newWorld(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.configured("orphanGrace: 1s"); err != nil {
		t.Fatal(err)
	}
	w.extra = append(w.extra, "DASKBOT_ORPHAN_SCHEDULE=* * * * *")
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
	if err := w.start(ctx); err != nil {
		t.Fatal(err)
	}
	id, name := w.ended(ctx, t)
	w.leave(ctx, t, "another", "dask-ofanother", "aother")
	others := w.names(ctx, t)
	w.leave(ctx, t, w.installation, name, "aours")
	w.left(ctx, t, others)

	type event struct{ Type, Actor, Detail string }
	var swept []event
	err = until(ctx, "wait for an event of the sweep for each of 7 leftovers", func() (bool, error) { // told after each is gone
		var events struct{ Items []event }
		err := w.ask(ctx, http.MethodGet, "environments/"+id+"/events", nil, &events)
		swept = slices.DeleteFunc(events.Items, func(e event) bool {
			return e.Type != "swept" || e.Actor != "reaper" || !strings.Contains(e.Detail, "aours")
		})
		return len(swept) >= 7, err
	})
	if err != nil || len(swept) != 7 {
		t.Errorf("%v; got %+v", err, swept)
	}
}

// TestALostClusterIsToldOf deletes a cluster behind daskbot's back.
func TestALostClusterIsToldOf(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	w := newStory(t)
	var e env
	if err := w.ask(ctx, http.MethodPost, "environments", map[string]any{"owner": "s1", "profile": "dask"}, &e); err != nil {
		t.Fatal(err)
	}
	e, err := w.await(ctx, e.ID, "ready")
	if err != nil {
		t.Fatal(err)
	}
	if found := w.find(ctx, t); len(found.Items) > 0 { // it also learns whose the load balancers are
		t.Errorf("found %v while all is well; want nothing", found.by())
	}
	end := stage.sandbox.endpoints
	address := fmt.Sprintf("%s/v1/projects/%s/locations/%s/clusters/%s", end.GKERest, w.project, e.Cluster.Location, e.Cluster.Name)
	if err := askJSON(ctx, http.MethodDelete, address, nil, nil, "Authorization", "Bearer "+end.Token); err != nil {
		t.Fatal(err)
	}
	err = until(ctx, "wait until the cluster is gone", func() (bool, error) {
		all, err := stage.sandbox.clusters(ctx, w.project)
		return len(all) == 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
	w.remove(ctx, t, map[string]any{}) // deletes nothing; wakes the row
	if e, err = w.await(ctx, e.ID, "failed"); err != nil || !strings.Contains(e.Message, "gone") {
		t.Fatalf("the owner reads %q, %v; want that the cluster is gone", e.Message, err)
	}
	err = until(ctx, "wait until nothing is left", func() (bool, error) {
		found := w.remove(ctx, t, map[string]any{"now": true})
		return len(found.Items) == 0 && len(found.Unsure) == 0 && len(w.names(ctx, t)) == 0, nil
	})
	if err != nil {
		t.Errorf("%v: %v is left", err, w.names(ctx, t))
	}
}
