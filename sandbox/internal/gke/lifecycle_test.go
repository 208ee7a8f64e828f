package gke

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

func TestLifeOfACluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		began := time.Now()
		op, err := f.create(newTestCluster("hub"))
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^operation-\d+-[0-9a-f-]{36}$`).MatchString(op.GetName()) {
			t.Errorf("operation name: got %q", op.GetName())
		}
		if want := "/v1/projects/100000000001/zones/europe-west1-b/clusters/hub"; !strings.HasSuffix(op.GetTargetLink(), want) {
			t.Errorf("target link: got %q; want it to end in %q", op.GetTargetLink(), want)
		}
		c, err := f.get("hub")
		if err != nil {
			t.Fatal(err)
		}
		if c.GetStatus() != containerpb.Cluster_PROVISIONING || c.GetEndpoint() != "" || c.GetMasterAuth().GetClusterCaCertificate() != "" {
			t.Errorf("while it is made: got %v, endpoint %q", c.GetStatus(), c.GetEndpoint())
		}
		_, err = f.create(newTestCluster("hub"))
		wantCode(t, "create again", err, codes.AlreadyExists)
		_, err = f.DeleteCluster(t.Context(), &containerpb.DeleteClusterRequest{Name: inZone + "/clusters/hub"})
		wantCode(t, "delete during create", err, codes.FailedPrecondition)
		if !strings.Contains(err.Error(), "Cluster is running incompatible operation "+op.GetName()) {
			t.Errorf("got %v; want the operation named", err)
		}
		err = f.CancelOperation(t.Context(), &containerpb.CancelOperationRequest{Name: inZone + "/operations/" + op.GetName()})
		wantCode(t, "cancel", err, codes.FailedPrecondition)

		f.await(op, nil)
		if took := time.Since(began); took < 190*time.Second || took > 220*time.Second {
			t.Errorf("create took %s; want GKE's time", took)
		}
		c, err = f.get("hub")
		if err != nil {
			t.Fatal(err)
		}
		if c.GetStatus() != containerpb.Cluster_RUNNING || c.GetEndpoint() != "127.0.0.9" || c.GetCurrentNodeCount() != 1 {
			t.Errorf("running: got %v, endpoint %q, %d nodes", c.GetStatus(), c.GetEndpoint(), c.GetCurrentNodeCount())
		}
		if want := base64.StdEncoding.EncodeToString([]byte("PEM")); c.GetMasterAuth().GetClusterCaCertificate() != want {
			t.Errorf("CA: got %q; want %q", c.GetMasterAuth().GetClusterCaCertificate(), want)
		}
		deletion, err := f.DeleteCluster(t.Context(), &containerpb.DeleteClusterRequest{ProjectId: "sandbox-project", Zone: "europe-west1-b", ClusterId: "hub"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.create(newTestCluster("hub"))
		wantCode(t, "create while stopping", err, codes.AlreadyExists)
		f.await(deletion, nil)
		_, err = f.get("hub")
		wantCode(t, "get after delete", err, codes.NotFound)
		if left := f.world.Inventory(); len(left) != 0 {
			t.Errorf("left: %+v", left)
		}
	})
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		op, err := f.create(newTestCluster("hub"))
		if err != nil {
			t.Fatal(err)
		}
		values := func(op *containerpb.Operation) map[string]int64 {
			m := map[string]int64{}
			for _, metric := range op.GetProgress().GetMetrics() {
				m[metric.GetName()] = metric.GetIntValue()
			}
			return m
		}
		<-time.After(100 * time.Second)
		half, err := f.GetOperation(t.Context(), &containerpb.GetOperationRequest{Name: inZone + "/operations/" + op.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		if got := values(half); got["CLUSTER_CONFIGURING"] != 8 || got["CLUSTER_DEPLOYING"] == 0 || got["CLUSTER_DEPLOYING"] == 12 {
			t.Errorf("half way: got %v", got)
		}
		want := map[string]int64{
			"CLUSTER_CONFIGURING": 8, "CLUSTER_CONFIGURING_TOTAL": 8, "CLUSTER_DEPLOYING": 12, "CLUSTER_DEPLOYING_TOTAL": 12,
			"CLUSTER_HEALTHCHECKING": 1, "CLUSTER_HEALTHCHECKING_TOTAL": 2,
		}
		if diff := cmp.Diff(want, values(f.await(op, nil))); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
	})
}

func TestRestartTakesUpWhatWasUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		f.up("one")
		op, err := f.create(newTestCluster("two"))
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(20 * time.Second)
		f.stop()
		again := serve(t, f.world)
		defer again.stop()
		again.await(op, nil)
		for _, name := range []string{"one", "two"} {
			c, err := again.get(name)
			if err != nil || c.GetStatus() != containerpb.Cluster_RUNNING || !again.planes.up[c.GetId()] {
				t.Errorf("%s after a restart: got %v, %v; want it running", name, c.GetStatus(), err)
			}
		}
	})
}

func TestScriptedFailures(t *testing.T) {
	tests := map[string]struct {
		fault     cloud.Fault
		code      codes.Code // of the call
		opCode    int32      // of the operation
		condition containerpb.StatusCondition_Code
		atLeast   time.Duration
	}{
		"stockout":   {fault: cloud.Fault{Kind: "stockout"}, opCode: 8, condition: containerpb.StatusCondition_GCE_STOCKOUT, atLeast: 40 * time.Minute},
		"quota late": {fault: cloud.Fault{Kind: "quota-late", Value: "IN_USE_ADDRESSES"}, opCode: 8, condition: containerpb.StatusCondition_GCE_QUOTA_EXCEEDED},
		"quota":      {fault: cloud.Fault{Kind: "quota"}, code: codes.PermissionDenied},
		"rate limit": {fault: cloud.Fault{Kind: "rate-limit", Method: "CreateCluster"}, code: codes.ResourceExhausted},
		"down":       {fault: cloud.Fault{Kind: "unavailable", Method: "CreateCluster"}, code: codes.Unavailable},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t)
				defer f.stop()
				tc.fault.Times = 1
				f.fault(tc.fault)
				began := time.Now()
				op, err := f.create(newTestCluster("hub"))
				wantCode(t, "create", err, tc.code)
				if err != nil {
					if left := f.world.Inventory(); len(left) != 0 {
						t.Errorf("a refused create left %+v", left)
					}
					return
				}
				op = f.await(op, nil)
				if op.GetError().GetCode() != tc.opCode || op.GetClusterConditions()[0].GetCode() != tc.condition {
					t.Errorf("got error %v, conditions %v", op.GetError(), op.GetClusterConditions())
				}
				if took := time.Since(began); took < tc.atLeast {
					t.Errorf("it held the lock for %s; want at least %s", took, tc.atLeast)
				}
				if c, err := f.get("hub"); err != nil || c.GetStatus() != containerpb.Cluster_ERROR {
					t.Errorf("cluster: got %v, %v; want ERROR", c.GetStatus(), err)
				}
				f.await(f.DeleteCluster(t.Context(), &containerpb.DeleteClusterRequest{Name: inZone + "/clusters/hub"}))
				if left := f.world.Inventory(); len(left) != 0 {
					t.Errorf("left after the delete: %+v", left)
				}
			})
		})
	}
}

func TestLostReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		f.fault(cloud.Fault{Kind: "lost-reply", Method: "CreateCluster", Times: 1, Value: "DEADLINE_EXCEEDED"})
		_, err := f.create(newTestCluster("hub"))
		wantCode(t, "create", err, codes.DeadlineExceeded)
		if c, err := f.get("hub"); err != nil || c.GetStatus() != containerpb.Cluster_PROVISIONING {
			t.Errorf("got %v, %v; want the cluster to be made nevertheless", c.GetStatus(), err)
		}
	})
}

func TestSpontaneousUpgradeTakesTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		f.up("hub")
		f.fault(cloud.Fault{Kind: "spontaneous-upgrade", Times: 1})
		request := &containerpb.DeleteClusterRequest{Name: inZone + "/clusters/hub"}
		_, err := f.DeleteCluster(t.Context(), request)
		wantCode(t, "delete", err, codes.FailedPrecondition)
		name := regexp.MustCompile(`operation-[0-9a-f-]+`).FindString(err.Error())
		op := f.await(f.GetOperation(t.Context(), &containerpb.GetOperationRequest{Name: inZone + "/operations/" + name}))
		if op.GetOperationType() != containerpb.Operation_UPGRADE_MASTER {
			t.Errorf("the lock was held by %v; want UPGRADE_MASTER", op.GetOperationType())
		}
		f.await(f.DeleteCluster(t.Context(), request))
	})
}

func TestMissingZones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		f.up("hub")
		f.fault(cloud.Fault{Kind: "missing-zones", Method: "ListClusters", Zone: "europe-west1-b", Times: 1})
		for _, want := range []int{0, 1} {
			list, err := f.ListClusters(t.Context(), &containerpb.ListClustersRequest{Parent: inProject + "/locations/-"})
			if err != nil || len(list.GetClusters()) != want || len(list.GetMissingZones()) != 1-want {
				t.Errorf("got %d clusters, missing %v, %v; want %d clusters", len(list.GetClusters()), list.GetMissingZones(), err, want)
			}
		}
	})
}

func TestEmptyList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		f.up("hub")
		f.fault(cloud.Fault{Kind: "empty-list", Times: 1})
		for _, want := range []int{0, 1} {
			list, err := f.ListClusters(t.Context(), &containerpb.ListClustersRequest{Parent: inProject + "/locations/-"})
			if err != nil || len(list.GetClusters()) != want || len(list.GetMissingZones()) != 0 {
				t.Errorf("got %v, %v; want %d clusters and no missing zone", list, err, want)
			}
		}
	})
}

func TestControlPlaneThatDoesNotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		f.planes.fails = errors.New("no such program")
		op := f.await(f.create(newTestCluster("hub")))
		if codes.Code(op.GetError().GetCode()) != codes.Internal {
			t.Errorf("got %v; want an internal error", op.GetError())
		}
	})
}

func TestNodePools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		f.up("hub")
		name, ctx := inZone+"/clusters/hub", t.Context()
		nodes := func(want int32) {
			t.Helper()
			if c, err := f.get("hub"); err != nil || c.GetCurrentNodeCount() != want {
				t.Errorf("got %d nodes, %v; want %d", c.GetCurrentNodeCount(), err, want)
			}
		}
		f.await(f.SetNodePoolSize(ctx, &containerpb.SetNodePoolSizeRequest{Name: name + "/nodePools/default-pool", NodeCount: 3}))
		nodes(3)
		f.await(f.SetNodePoolSize(ctx, &containerpb.SetNodePoolSizeRequest{Name: name + "/nodePools/default-pool"}))
		nodes(0)
		worker := &containerpb.NodePool{Name: "worker", InitialNodeCount: 2, Config: &containerpb.NodeConfig{MachineType: "e2-standard-2", DiskType: "pd-standard"}}
		f.await(f.CreateNodePool(ctx, &containerpb.CreateNodePoolRequest{Parent: name, NodePool: worker}))
		if p, err := f.GetNodePool(ctx, &containerpb.GetNodePoolRequest{Name: name + "/nodePools/worker"}); err != nil || p.GetConfig().GetDiskSizeGb() != 100 {
			t.Errorf("worker pool: got %v, %v", p, err)
		}
		_, err := f.CreateNodePool(ctx, &containerpb.CreateNodePoolRequest{Parent: name, NodePool: worker})
		wantCode(t, "create it again", err, codes.AlreadyExists)
		limits := &containerpb.NodePoolAutoscaling{Enabled: true, MinNodeCount: 1, MaxNodeCount: 5}
		f.await(f.SetNodePoolAutoscaling(ctx, &containerpb.SetNodePoolAutoscalingRequest{Name: name + "/nodePools/worker", Autoscaling: limits}))
		f.await(f.DeleteNodePool(ctx, &containerpb.DeleteNodePoolRequest{Name: name + "/nodePools/worker"}))
		_, err = f.GetNodePool(ctx, &containerpb.GetNodePoolRequest{Name: name + "/nodePools/worker"})
		wantCode(t, "get it after it was deleted", err, codes.NotFound)
		nodes(1) // the autoscaled pool is back at its minimum
	})
}

func TestLabelsAreComparedAndSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		f.up("hub")
		c, err := f.get("hub")
		if err != nil {
			t.Fatal(err)
		}
		set := func(fingerprint string, labels map[string]string) (*containerpb.Operation, error) {
			return f.SetLabels(t.Context(), &containerpb.SetLabelsRequest{Name: inZone + "/clusters/hub", LabelFingerprint: fingerprint, ResourceLabels: labels})
		}
		f.await(set(c.GetLabelFingerprint(), map[string]string{"owner": "s1"}))
		_, err = set(c.GetLabelFingerprint(), map[string]string{"owner": "s2"})
		wantCode(t, "a fingerprint that is out of date", err, codes.FailedPrecondition)
		if c, err = f.get("hub"); err != nil || c.GetResourceLabels()["owner"] != "s1" {
			t.Errorf("got %v, %v; want the first owner", c.GetResourceLabels(), err)
		}
		_, err = set(c.GetLabelFingerprint(), map[string]string{"mail": "a@b.c"})
		wantCode(t, "an invalid label", err, codes.InvalidArgument)
	})
}

func TestUpdateCopiesWhatItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t)
		defer f.stop()
		f.up("hub")
		update := func(u *containerpb.ClusterUpdate) (*containerpb.Operation, error) {
			return f.UpdateCluster(t.Context(), &containerpb.UpdateClusterRequest{Name: inZone + "/clusters/hub", Update: u})
		}
		f.await(update(&containerpb.ClusterUpdate{DesiredCostManagementConfig: &containerpb.CostManagementConfig{Enabled: true}}))
		if c, err := f.get("hub"); err != nil || !c.GetCostManagementConfig().GetEnabled() {
			t.Errorf("got %v, %v; want cost management on", c.GetCostManagementConfig(), err)
		}
		_, err := update(&containerpb.ClusterUpdate{DesiredImageType: "X"})
		wantCode(t, "an update that is not available", err, codes.InvalidArgument)
		_, err = update(&containerpb.ClusterUpdate{DesiredMasterVersion: "1.23"})
		wantCode(t, "an old version", err, codes.InvalidArgument)
	})
}

func TestRefusedCreates(t *testing.T) {
	old := func(c *containerpb.Cluster) { c.NodePools, c.InitialNodeCount = nil, 0 }
	tests := map[string]struct {
		parent string
		change func(*containerpb.Cluster)
		code   codes.Code
		text   string
	}{
		"name":          {change: func(c *containerpb.Cluster) { c.Name = "Hub_1" }, code: codes.InvalidArgument, text: "cluster.name"},
		"long name":     {change: func(c *containerpb.Cluster) { c.Name = strings.Repeat("a", 41) }, code: codes.InvalidArgument, text: "cluster.name"},
		"label":         {change: func(c *containerpb.Cluster) { c.ResourceLabels = map[string]string{"o": "a@b"} }, code: codes.InvalidArgument, text: "a@b"},
		"old version":   {change: func(c *containerpb.Cluster) { c.InitialClusterVersion = "1.23" }, code: codes.InvalidArgument, text: `No valid versions with the prefix "1.23" found.`},
		"exact version": {change: func(c *containerpb.Cluster) { c.InitialClusterVersion = "1.23.5-gke.1" }, code: codes.InvalidArgument, text: `Master version "1.23.5-gke.1" is unsupported.`},
		"no nodes":      {change: old, code: codes.InvalidArgument, text: "Cluster.initial_node_count must be greater than zero."},
		"both ways":     {change: func(c *containerpb.Cluster) { c.InitialNodeCount = 1 }, code: codes.InvalidArgument, text: "mutually exclusive"},
		"machine":       {change: func(c *containerpb.Cluster) { c.NodePools[0].Config.MachineType = "n9-big" }, code: codes.InvalidArgument, text: "n9-big"},
		"location":      {parent: inProject + "/locations/mars-1a", code: codes.InvalidArgument, text: "mars-1a"},
		"forbidden":     {parent: "projects/forbidden-project/locations/europe-west1-b", code: codes.PermissionDenied, text: `Required "container.clusters.create" permission(s) for "projects/forbidden-project".`},
		"no project":    {parent: "projects/none/locations/europe-west1-b", code: codes.PermissionDenied, text: "Permission denied on resource project none."},
		"disabled":      {parent: "projects/disabled-project/locations/europe-west1-b", code: codes.PermissionDenied, text: "Kubernetes Engine API has not been used"},
		"quota": {parent: "projects/tiny-project/locations/europe-west1-b", change: func(c *containerpb.Cluster) { c.NodePools[0].InitialNodeCount = 3 },
			code: codes.PermissionDenied, text: `Insufficient regional quota to satisfy request: resource "CPUS": request requires '12.0' and is short '4.0'.`},
		"regional counts each zone": {parent: "projects/tiny-project/locations/europe-west1", code: codes.PermissionDenied, text: `resource "CPUS": request requires '12.0'`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := start(t)
				defer f.stop()
				c := newTestCluster("hub")
				if tc.change != nil {
					tc.change(c)
				}
				if tc.parent == "" {
					tc.parent = inZone
				}
				_, err := f.CreateCluster(t.Context(), &containerpb.CreateClusterRequest{Parent: tc.parent, Cluster: c})
				wantCode(t, "create", err, tc.code)
				if text := status.Convert(err).Message(); !strings.Contains(text, tc.text) {
					t.Errorf("got %q; want it to contain %q", text, tc.text)
				}
			})
		})
	}
}

func TestVersions(t *testing.T) {
	tests := []struct {
		channel containerpb.ReleaseChannel_Channel
		wanted  string
		want    string
	}{
		{containerpb.ReleaseChannel_REGULAR, "", "1.35.8-gke.1036000"},
		{containerpb.ReleaseChannel_UNSPECIFIED, "-", "1.35.8-gke.1036000"},
		{containerpb.ReleaseChannel_REGULAR, "latest", "1.36.1-gke.1107000"},
		{containerpb.ReleaseChannel_REGULAR, "1.35", "1.35.8-gke.1036000"},
		{containerpb.ReleaseChannel_REGULAR, "1.35.7", "1.35.7-gke.1063000"},
		{containerpb.ReleaseChannel_REGULAR, "1.34.11-gke.1050000", "1.34.11-gke.1050000"},
		{containerpb.ReleaseChannel_UNSPECIFIED, "1.31", "1.31.18-gke.1009000"},
		{containerpb.ReleaseChannel_STABLE, "1.36", ""},
		{containerpb.ReleaseChannel_REGULAR, "1.3", ""},
	}
	for _, tc := range tests {
		if got, err := resolveVersion(tc.channel, tc.wanted); got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%v %q: got %q, %v; want %q", tc.channel, tc.wanted, got, err, tc.want)
		}
	}
}
