package environment

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	sweptProject = "p"
	sweptZone    = "europe-west1-b"
	sweptRegion  = "europe-west1"
)

var sweptAt = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func clusterRow(id string, state State, edit func(*Cluster)) Cluster {
	c := Cluster{ID: id, Name: "dask-" + id, Location: sweptZone, Project: sweptProject, Placement: Dedicated, Environment: id,
		Desired: Present, State: state}
	if state == StateDeleted {
		c.Desired, c.DeletedAt = Absent, sweptAt.Add(-time.Hour)
	}
	if edit != nil {
		edit(&c)
	}
	return c
}

func envRow(id string, phase Phase, inventory ...Resource) Environment {
	return Environment{ID: id, ClusterID: id, Phase: phase, Inventory: inventory}
}

func owned(id string) OwnedCluster {
	return OwnedCluster{ClusterAttempt: ClusterAttempt{Name: "dask-" + id, Location: sweptZone}, Project: sweptProject, State: CloudRunning,
		Labels: map[string]string{LabelClusterID: id, LabelEnvironment: id}, Shape: ClusterShape{MachineType: "e2-standard-2", Nodes: 2, DiskGB: 100}}
}

func res(kind ResourceKind, location, name string) Resource {
	return Resource{Kind: kind, Project: sweptProject, Location: location, Name: name}
}

func disk(name, cluster string) Standing {
	return Standing{Resource: res(KindDisk, sweptZone, name), Ours: true, Cluster: cluster, GB: 10, Type: "pd-standard"}
}

func snapshot(name, cluster string, ours bool, of string) Standing {
	return Standing{Resource: res(KindSnapshot, "global", name), Ours: ours, Cluster: cluster, GB: 10, Disk: res(KindDisk, sweptZone, of)}
}

func endpoints(name string, machines ...string) Standing {
	return Standing{Resource: res(KindEndpointGroup, sweptZone, name), Service: "daskhub/proxy-public", Instances: machines}
}

// balancer is a whole load balancer, with the machines of a cluster behind it.
func balancer(name, check string, machines ...string) []Standing {
	service := "daskhub/proxy-public"
	return []Standing{
		{Resource: res(KindForwardingRule, sweptRegion, name), Service: service, Target: name},
		{Resource: res(KindTargetPool, sweptRegion, name), Service: service, Instances: machines, Parts: []string{check}},
		{Resource: res(KindHTTPHealthCheck, "global", check)},
		{Resource: res(KindFirewall, "global", check+"-http-hc")},
		{Resource: res(KindFirewall, "global", "k8s-fw-"+name), Service: service},
		{Resource: res(KindAddress, sweptRegion, name), InUse: true},
	}
}

// verdicts are what was decided, by kind/name.
func verdicts(found Orphans) map[string]OrphanAction {
	out := map[string]OrphanAction{}
	for _, o := range found.Items {
		out[string(o.Kind)+"/"+o.Name] = o.Action
	}
	return out
}

func TestFindOrphans(t *testing.T) {
	recorded := res(KindForwardingRule, sweptRegion, "a1")
	for _, test := range []struct {
		name     string
		clusters []Cluster
		envs     []Environment
		survey   Survey
		grace    time.Duration
		want     map[string]OrphanAction
		lost     []string
		unsure   bool
	}{
		{name: "what is looked after", clusters: []Cluster{clusterRow("a", StateReady, nil)}, envs: []Environment{envRow("a", PhaseReady)},
			survey: Survey{Clusters: []OwnedCluster{owned("a")}, Standing: append([]Standing{disk("d", "dask-a")}, balancer("lb", "k8s-1-node", "gke-dask-a-default-pool-1-2")...)}},
		{name: "no row", survey: Survey{Clusters: []OwnedCluster{owned("a")}}, want: map[string]OrphanAction{"clusters/dask-a": OrphanDelete}},
		{name: "no row, within its grace", grace: time.Hour, survey: Survey{Clusters: []OwnedCluster{owned("a")}}, want: map[string]OrphanAction{"clusters/dask-a": OrphanWait}},
		{name: "no row, going already", survey: Survey{Clusters: []OwnedCluster{func() OwnedCluster { o := owned("a"); o.State = CloudStopping; return o }()}},
			want: map[string]OrphanAction{"clusters/dask-a": OrphanReport}},
		{name: "exempt", survey: Survey{Clusters: []OwnedCluster{func() OwnedCluster { o := owned("a"); o.Labels = map[string]string{LabelKeep: ""}; return o }()},
			Standing: []Standing{func() Standing { d := disk("d", "dask-b"); d.Keep = true; return d }()}}},
		{name: "taken for deleted", clusters: []Cluster{clusterRow("a", StateDeleted, nil)}, envs: []Environment{envRow("a", PhaseGone)},
			survey: Survey{Clusters: []OwnedCluster{owned("a")}}, want: map[string]OrphanAction{"clusters/dask-a": OrphanAdopt}},
		{name: "a name the row has let go of", clusters: []Cluster{clusterRow("a", StateReady, func(c *Cluster) { c.Name = "dask-a-2" })}, envs: []Environment{envRow("a", PhaseReady)},
			survey: Survey{Clusters: []OwnedCluster{owned("a"), func() OwnedCluster { o := owned("a"); o.Name = "dask-a-2"; return o }()}}, want: map[string]OrphanAction{"clusters/dask-a": OrphanAdopt}},
		{name: "an abandoned name is looked after", clusters: []Cluster{clusterRow("a", StateReady, func(c *Cluster) {
			c.Name, c.Abandoned = "dask-a-2", []ClusterAttempt{{"dask-a", sweptZone}}
		})}, envs: []Environment{envRow("a", PhaseReady)}, survey: Survey{Clusters: []OwnedCluster{owned("a"), func() OwnedCluster { o := owned("a"); o.Name = "dask-a-2"; return o }()}}},
		{name: "a cluster whose environment is gone", clusters: []Cluster{clusterRow("a", StateReady, nil)}, envs: []Environment{envRow("a", PhaseGone)},
			survey: Survey{Clusters: []OwnedCluster{owned("a")}}, want: map[string]OrphanAction{"clusters/dask-a": OrphanAdopt}},
		{name: "a shared cluster without tenants is the runner's", clusters: []Cluster{clusterRow("a", StateReady, func(c *Cluster) { c.Placement, c.Environment = Shared, "" })},
			survey: Survey{Clusters: []OwnedCluster{owned("a")}}},
		{name: "disks", clusters: []Cluster{clusterRow("a", StateDeleted, nil)}, survey: Survey{Standing: []Standing{disk("dead", "dask-a"), disk("unknown", "dask-x"), disk("nameless", ""),
			func() Standing { d := disk("used", "dask-a"); d.InUse = true; return d }(), func() Standing { d := disk("others", "dask-a"); d.Ours = false; return d }()}},
			want: map[string]OrphanAction{"disks/dead": OrphanDelete, "disks/unknown": OrphanDelete, "disks/nameless": OrphanReport}},
		{name: "a disk goes after its cluster", survey: Survey{Clusters: []OwnedCluster{owned("a")}, Standing: []Standing{disk("d", "dask-a")}},
			want: map[string]OrphanAction{"clusters/dask-a": OrphanDelete, "disks/d": OrphanReport}},
		{name: "snapshots", clusters: []Cluster{clusterRow("a", StateDeleted, nil), clusterRow("b", StateReady, nil)}, envs: []Environment{envRow("b", PhaseReady), envRow("c", PhaseGone, res(KindDisk, sweptZone, "home"))},
			survey: Survey{Clusters: []OwnedCluster{owned("b")}, Standing: []Standing{snapshot("dead", "dask-a", true, "d"), snapshot("live", "dask-b", true, "d"), snapshot("others", "dask-a", false, "d"),
				snapshot("backup", "", false, "home"), func() Standing { s := snapshot("kept", "dask-a", true, "d"); s.Keep = true; return s }()}},
			want: map[string]OrphanAction{"snapshots/dead": OrphanDelete, "snapshots/backup": OrphanReport}},
		{name: "endpoint groups", clusters: []Cluster{clusterRow("a", StateDeleted, nil), clusterRow("b", StateReady, nil)}, envs: []Environment{envRow("b", PhaseReady)},
			survey: Survey{Clusters: []OwnedCluster{owned("b")}, Standing: []Standing{endpoints("dead", "gke-dask-a-default-pool-1-2"), endpoints("live", "gke-dask-b-default-pool-1-2"),
				endpoints("others", "gke-other-default-pool-1-2"), endpoints("mixed", "gke-dask-a-default-pool-1-2", "gke-other-default-pool-1-2"), endpoints("empty")}},
			want: map[string]OrphanAction{"networkEndpointGroups/dead": OrphanDelete}},
		{name: "recorded by one that is gone", envs: []Environment{envRow("a", PhaseGone, recorded)}, survey: Survey{Standing: []Standing{{Resource: recorded}}},
			want: map[string]OrphanAction{"forwardingRules/a1": OrphanDelete}},
		{name: "recorded by one that is going", envs: []Environment{envRow("a", PhaseExposed, recorded)}, survey: Survey{Standing: []Standing{{Resource: recorded}}}},
		{name: "a load balancer of a dead cluster", clusters: []Cluster{clusterRow("a", StateDeleted, nil)}, survey: Survey{Standing: balancer("lb", "k8s-1-node", "gke-dask-a-default-pool-1-2")},
			want: map[string]OrphanAction{"forwardingRules/lb": OrphanDelete, "targetPools/lb": OrphanDelete, "httpHealthChecks/k8s-1-node": OrphanDelete,
				"firewalls/k8s-1-node-http-hc": OrphanDelete, "firewalls/k8s-fw-lb": OrphanDelete, "addresses/lb": OrphanDelete}},
		{name: "a load balancer of somebody", survey: Survey{Standing: balancer("lb", "k8s-1-node", "gke-other-default-pool-1-2")}},
		{name: "a load balancer of nobody knows whom", survey: Survey{Standing: balancer("lb", "k8s-1-node")}, want: map[string]OrphanAction{"forwardingRules/lb": OrphanReport}},
		{name: "a check that another cluster names, too", clusters: []Cluster{clusterRow("a", StateDeleted, nil)},
			survey: Survey{Standing: append(balancer("lb", "k8s-1-node", "gke-dask-a-default-pool-1-2"), balancer("lb2", "k8s-1-node", "gke-other-default-pool-1-2")[:2]...)},
			want:   map[string]OrphanAction{"forwardingRules/lb": OrphanDelete, "targetPools/lb": OrphanDelete, "firewalls/k8s-fw-lb": OrphanDelete, "addresses/lb": OrphanDelete}},
		{name: "gone from the cloud", clusters: []Cluster{clusterRow("a", StateReady, nil), clusterRow("b", StateReady, nil)}, envs: []Environment{envRow("a", PhaseReady), envRow("b", PhaseReady)},
			survey: Survey{Clusters: []OwnedCluster{owned("b")}}, lost: []string{"a"}},
		{name: "an empty list cannot be true", clusters: []Cluster{clusterRow("a", StateReady, nil), clusterRow("b", StateDeleted, nil)}, survey: Survey{Standing: []Standing{disk("d", "dask-b")}},
			lost: []string{"a"}, unsure: true},
		{name: "a list with gaps", clusters: []Cluster{clusterRow("a", StateReady, nil)}, survey: Survey{Unsure: "Some zones are missing.", Standing: []Standing{disk("d", "dask-b")}}, unsure: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.survey.Project = sweptProject
			got := FindOrphans(Census{Now: sweptAt, Grace: test.grace, Clusters: test.clusters, Environments: test.envs, Surveys: []Survey{test.survey}, Prices: ListPrices()})
			if test.want == nil {
				test.want = map[string]OrphanAction{}
			}
			if diff := cmp.Diff(test.want, verdicts(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !slices.Equal(test.lost, got.Lost) || test.unsure != (len(got.Unsure) > 0) {
				t.Errorf("got lost %v, unsure %v; want %v, %v", got.Lost, got.Unsure, test.lost, test.unsure)
			}
		})
	}
}

func TestOrphansKeepTheirAgeAndGoInOrder(t *testing.T) {
	dead := []Cluster{clusterRow("a", StateDeleted, nil)}
	c := Census{Now: sweptAt, Grace: 24 * time.Hour, Clusters: dead, Prices: ListPrices(),
		Surveys: []Survey{{Project: sweptProject, Standing: append([]Standing{disk("d", "dask-a")}, balancer("lb", "k8s-1-node", "gke-dask-a-default-pool-1-2")...)}}}
	first := FindOrphans(c)
	if ripe := first.Ripe(first.At, 50, false); len(ripe) != 0 {
		t.Errorf("got %d ripe at once; want none", len(ripe))
	}
	want := 0.025 + 10*0.04/730
	if first.USDPerHour < want-1e-9 || first.USDPerHour > want+1e-9 {
		t.Errorf("got $%v an hour; want $%v", first.USDPerHour, want)
	}

	// The project does not answer; and then the machines behind the pool are gone.
	c.Now, c.Before = sweptAt.Add(23*time.Hour), first
	silent := c
	silent.Surveys = []Survey{{Project: sweptProject, Unsure: "No answer."}}
	second := FindOrphans(silent)
	if len(second.Items) != len(first.Items) || len(second.Ripe(second.At.Add(48*time.Hour), 50, true)) != 0 {
		t.Errorf("got %v; want the same orphans and nothing to be done about them", verdicts(second))
	}
	c.Now, c.Before = sweptAt.Add(25*time.Hour), second
	for i := range c.Surveys[0].Standing {
		c.Surveys[0].Standing[i].Instances = nil
	}
	third := FindOrphans(c)
	var order []string
	for _, o := range third.Ripe(third.At, 4, false) {
		order = append(order, string(o.Kind))
		if !o.FirstSeen.Equal(sweptAt) {
			t.Errorf("%s: first seen %s; want %s", o.Name, o.FirstSeen, sweptAt)
		}
	}
	if diff := cmp.Diff([]string{"forwardingRules", "targetPools", "httpHealthChecks", "firewalls"}, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnEndpointGroupIsKnownAfterItsMachinesAreGone(t *testing.T) {
	c := Census{Now: sweptAt, Clusters: []Cluster{clusterRow("a", StateReady, nil)}, Environments: []Environment{envRow("a", PhaseReady)},
		Surveys: []Survey{{Project: sweptProject, Clusters: []OwnedCluster{owned("a")}, Standing: []Standing{endpoints("g", "gke-dask-a-default-pool-1-2")}}}}
	c.Before = FindOrphans(c)
	if len(c.Before.Items) > 0 {
		t.Fatalf("got %v while its cluster lives; want none", verdicts(c.Before))
	}
	silent := c
	silent.Surveys = []Survey{{Project: sweptProject, Unsure: "No answer."}}
	c.Before = FindOrphans(silent)
	c.Clusters = []Cluster{clusterRow("a", StateDeleted, nil)}
	c.Surveys = []Survey{{Project: sweptProject, Standing: []Standing{endpoints("g"), endpoints("others")}}}
	if diff := cmp.Diff(map[string]OrphanAction{"networkEndpointGroups/g": OrphanDelete}, verdicts(FindOrphans(c))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestASnapshotHasItsPrice(t *testing.T) {
	c := Census{Now: sweptAt, Clusters: []Cluster{clusterRow("a", StateDeleted, nil)}, Prices: ListPrices(),
		Surveys: []Survey{{Project: sweptProject, Standing: []Standing{snapshot("s", "dask-a", true, "d")}}}}
	if got, want := FindOrphans(c).USDPerHour, 10*0.05/730; got < want-1e-9 || got > want+1e-9 {
		t.Errorf("got $%v an hour; want $%v", got, want)
	}
}

func TestALostStoreDeletesNothingByItself(t *testing.T) {
	survey := Survey{Project: sweptProject, Clusters: []OwnedCluster{owned("a"), owned("b")}}
	got := FindOrphans(Census{Now: sweptAt, Surveys: []Survey{survey}})
	if !strings.Contains(got.Held, "right store") {
		t.Errorf("held %q; want a question about the store", got.Held)
	}
	survey.Clusters = append(survey.Clusters, owned("c"), owned("d"), owned("e"))
	got = FindOrphans(Census{Now: sweptAt, Clusters: []Cluster{clusterRow("e", StateReady, func(c *Cluster) { c.Placement = Shared })}, Surveys: []Survey{survey}})
	if !strings.Contains(got.Held, "4 of 5") {
		t.Errorf("held %q; want 4 of 5", got.Held)
	}
}

func TestAdopt(t *testing.T) {
	o := Orphan{Resource: res(KindCluster, sweptZone, "dask-a")}
	live := clusterRow("a", StateReady, func(c *Cluster) { c.Name = "dask-a-2" })
	got := Adopt(live, o)
	if got.Desired != Present || got.State != StateReady || !slices.Equal(got.Abandoned, []ClusterAttempt{{"dask-a", sweptZone}}) {
		t.Errorf("an old name of a live cluster: got %+v; want only the name added", got)
	}
	for state, want := range maps.All(map[State]State{StateDeleted: StateDeleting, StateFailed: StateFailed}) {
		row := clusterRow("a", StateDeleted, nil)
		row.State = state
		got := Adopt(row, o)
		if got.Desired != Absent || got.State != want || !got.DeletedAt.IsZero() {
			t.Errorf("%s: got %s, %s, deleted at %s; want %s and open again", state, got.Desired, got.State, got.DeletedAt, want)
		}
		seen := ObservedCluster{Known: true, Current: SeenCluster{State: CloudRunning, Mine: true}}
		if step := NextCluster(got, seen, sweptAt); step.Kind != ClusterDelete {
			t.Errorf("%s: the runner's next step is %s; want delete", state, step.Kind)
		}
	}
}
