package gke

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/daskbot/daskbot/internal/environment"
)

func serverConfig() *pb.ServerConfig {
	return &pb.ServerConfig{
		DefaultClusterVersion: "1.35.8-gke.1036000",
		ValidMasterVersions:   []string{"1.36.1-gke.100"},
		Channels: []*pb.ServerConfig_ReleaseChannelConfig{
			{Channel: pb.ReleaseChannel_REGULAR, DefaultVersion: "1.35.8-gke.1036000",
				ValidVersions: []string{"1.35.10-gke.100", "1.35.8-gke.1036000", "1.34.9-gke.200", "1.33.11-gke.300", "1.32.4-gke.1"}},
			{Channel: pb.ReleaseChannel_STABLE, DefaultVersion: "1.34.9-gke.200", ValidVersions: []string{"1.34.9-gke.200"}},
		},
	}
}

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		change func(*environment.ClusterShape)
		want   []string // parts of the message; none: accepted
	}{
		"channel's default": {func(*environment.ClusterShape) {}, nil},
		"minor":             {func(s *environment.ClusterShape) { s.Version = "1.34" }, nil},
		"patch":             {func(s *environment.ClusterShape) { s.Version = "1.35.8" }, nil},
		"exact":             {func(s *environment.ClusterShape) { s.Version = "1.35.8-gke.1036000" }, nil},
		"latest":            {func(s *environment.ClusterShape) { s.Version = "latest" }, nil},
		"1.23": {func(s *environment.ClusterShape) { s.Version = "1.23" },
			[]string{"1.23 is not on offer in europe-west1-b on the regular channel", "1.32.4-gke.1, 1.33.11-gke.300, 1.34.9-gke.200", "1.35.8-gke.1036000"}},
		"1.3 is not 1.35": {func(s *environment.ClusterShape) { s.Version = "1.3" }, []string{"1.3 is not on offer"}},
		"newest of a minor": {func(s *environment.ClusterShape) { s.Version = "1.36" },
			[]string{"1.33.11-gke.300, 1.34.9-gke.200, 1.35.10-gke.100"}},
		"on another channel": {func(s *environment.ClusterShape) { s.Version, s.Channel = "1.35", "stable" }, []string{"on the stable channel", "1.34.9-gke.200"}},
		"channel unknown":    {func(s *environment.ClusterShape) { s.Channel = "weekly" }, []string{`no release channel "weekly"`, "regular"}},
		"no location":        {func(s *environment.ClusterShape) { s.Locations = nil }, []string{"needs a location"}},
		"odd location":       {func(s *environment.ClusterShape) { s.Locations = []string{"../x"} }, []string{`no location "../x"`, "europe-west1-b"}},
		"no machine type":    {func(s *environment.ClusterShape) { s.MachineType = "" }, []string{"e2-standard-2"}},
		"small disk":         {func(s *environment.ClusterShape) { s.DiskGB = 5 }, []string{"at least 10 GB"}},
		"no nodes":           {func(s *environment.ClusterShape) { s.Nodes = 0 }, []string{"at least 1 node"}},
		"out of bounds":      {func(s *environment.ClusterShape) { s.Nodes = 11 }, []string{"1 to 10 nodes cannot start with 11"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, map[string]answer{"GetServerConfig": {reply: serverConfig()}})
			shape := aCluster().Shape
			test.change(&shape)
			err := c.Check(t.Context(), "p", shape)
			if (err == nil) != (test.want == nil) {
				t.Fatalf("got %v; want %q", err, test.want)
			}
			if err == nil {
				return
			}
			if environment.CodeOf(err) != environment.CodeInvalid {
				t.Errorf("got code %s; want invalid", environment.CodeOf(err))
			}
			for _, part := range test.want {
				if !strings.Contains(environment.MessageOf(err), part) {
					t.Errorf("got %q; want it to say %q", environment.MessageOf(err), part)
				}
			}
		})
	}
}

func TestCheckOfALocationGKEDoesNotServe(t *testing.T) {
	tests := map[codes.Code]environment.Code{codes.InvalidArgument: environment.CodeInvalid, codes.NotFound: environment.CodeInvalid,
		codes.Unavailable: environment.CodeUnavailable, codes.PermissionDenied: environment.CodeForbidden}
	for code, want := range tests {
		c, _ := connect(t, map[string]answer{"GetServerConfig": {err: status.Error(code, `Location "mars-east1-a" does not exist.`)}})
		shape := aCluster().Shape
		shape.Locations = []string{"mars-east1-a"}
		if err := c.Check(t.Context(), "p", shape); environment.CodeOf(err) != want {
			t.Errorf("%s: got %v; want %s", code, err, want)
		}
	}
}

func TestAllowed(t *testing.T) {
	grants := []string{
		"gcloud services enable container.googleapis.com compute.googleapis.com --project=p",
		"gcloud projects add-iam-policy-binding p --member=serviceAccount:daskbot@host-project.iam.gserviceaccount.com --role=projects/p/roles/daskbotClusters --condition=None",
		"--role=projects/p/roles/daskbotObjects",
		"--role=roles/iam.serviceAccountUser", "gcloud iam roles $do daskbotClusters --project=p",
	}
	tests := map[string]struct {
		answer answer
		code   environment.Code
		says   []string
	}{
		"yes": {answer{reply: &pb.ListClustersResponse{}}, "", nil},
		"denied": {answer{err: status.Error(codes.PermissionDenied, `Required "container.clusters.list" permission(s) for "projects/p".`)},
			environment.CodeForbidden, append(grants, "daskbot may not make clusters in the project p")},
		"not enabled": {answer{err: status.Error(codes.PermissionDenied,
			"Kubernetes Engine API has not been used in project 100000000041 before or it is disabled. Enable it by visiting https://…")},
			environment.CodeForbidden, append(grants, "The Kubernetes Engine API is not enabled in the project p.")},
		"no such project": {answer{err: status.Error(codes.NotFound, "Not found: projects/p.")}, environment.CodeForbidden, grants},
		"no answer":       {answer{err: status.Error(codes.Unavailable, "The service is currently unavailable.")}, environment.CodeUnavailable, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, map[string]answer{"ListClusters": test.answer})
			err := c.Allowed(t.Context(), "p")
			if environment.CodeOf(err) != test.code {
				t.Fatalf("got %v; want code %q", err, test.code)
			}
			for _, part := range test.says {
				if !strings.Contains(environment.MessageOf(err), part) {
					t.Errorf("got %q; want it to say %q", environment.MessageOf(err), part)
				}
			}
		})
	}
}

// TestNodesActAsAnAccountOfTheirProject: no node may act as an account of
// another project, so a linked project has one of its own.
func TestNodesActAsAnAccountOfTheirProject(t *testing.T) {
	tests := map[string]struct {
		configured, want string
		grants           []string
	}{
		"named": {"dask-nodes@my-class-2026.iam.gserviceaccount.com", "dask-nodes@alice-credits.iam.gserviceaccount.com", []string{
			"gcloud iam service-accounts create dask-nodes --project=alice-credits",
			"--member=serviceAccount:dask-nodes@alice-credits.iam.gserviceaccount.com --role=roles/container.defaultNodeServiceAccount",
			"gcloud iam service-accounts add-iam-policy-binding dask-nodes@alice-credits.iam.gserviceaccount.com --project=alice-credits"}},
		"default": {"", "", []string{
			`add-iam-policy-binding "$(gcloud projects describe alice-credits --format='value(projectNumber)')-compute@developer.gserviceaccount.com" --project=alice-credits`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := &Client{installation: "cs101", defaults: Defaults{NodeServiceAccount: test.configured}.complete()}
			cl := aCluster()
			cl.Project = "alice-credits"
			if got := c.body(cl, pb.ReleaseChannel_REGULAR).GetNodePools()[0].GetConfig().GetServiceAccount(); got != test.want {
				t.Errorf("got nodes that act as %q; want %q", got, test.want)
			}
			commands := strings.Join(c.Grants("alice-credits"), "\n")
			for _, part := range test.grants {
				if !strings.Contains(commands, part) {
					t.Errorf("got %s\nwant it to say %q", commands, part)
				}
			}
			if strings.Contains(commands, "my-class-2026") || strings.Contains(commands, "roles/container.admin") {
				t.Errorf("got %s\nwant nothing of another project, and no broad role", commands)
			}
		})
	}
}

func TestOwned(t *testing.T) {
	foreign := shown(pb.Cluster_RUNNING, func(c *pb.Cluster) {
		c.Name, c.ResourceLabels = "theirs", map[string]string{environment.LabelInstallation: "cs102"}
	})
	ours := shown(pb.Cluster_STOPPING, func(c *pb.Cluster) {
		c.NodePools[0].Config = &pb.NodeConfig{MachineType: "e2-standard-2", DiskSizeGb: 50, DiskType: "pd-balanced", Spot: true}
	})
	for _, missing := range [][]string{nil, {"us-east1-b"}} {
		c, s := connect(t, map[string]answer{"ListClusters": {reply: &pb.ListClustersResponse{
			Clusters: []*pb.Cluster{foreign, ours}, MissingZones: missing}}})
		got, complete, err := c.Owned(t.Context(), "p")
		if err != nil {
			t.Fatal(err)
		}
		want := []environment.OwnedCluster{{ClusterAttempt: here(), Project: "p", Labels: ours.GetResourceLabels(),
			State: environment.CloudStopping, DeleteAfter: time.Unix(1800000000, 0).UTC(),
			Shape: environment.ClusterShape{Nodes: 3, MachineType: "e2-standard-2", DiskGB: 50, DiskType: "pd-balanced", Spot: true}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("got other clusters (-want +got):\n%s", diff)
		}
		if complete != (missing == nil) {
			t.Errorf("missing %q: got complete %v; want %v", missing, complete, missing == nil)
		}
		if got, want := request[*pb.ListClustersRequest](t, s).GetParent(), "projects/p/locations/-"; got != want {
			t.Errorf("got parent %q; want %q", got, want)
		}
	}
}

func TestTarget(t *testing.T) {
	ca := "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"
	reachable := func(c *pb.Cluster) {
		c.Endpoint = "127.0.0.9:6443"
		c.MasterAuth = &pb.MasterAuth{ClusterCaCertificate: base64.StdEncoding.EncodeToString([]byte(ca))}
	}
	dns := func(open bool) func(*pb.Cluster) {
		return func(c *pb.Cluster) {
			c.ControlPlaneEndpointsConfig = &pb.ControlPlaneEndpointsConfig{DnsEndpointConfig: &pb.ControlPlaneEndpointsConfig_DNSEndpointConfig{
				Endpoint: "gke-1.europe-west1-b.gke.goog", AllowExternalTraffic: &open}}
		}
	}
	tests := map[string]struct {
		answer answer
		host   string
		ca     string
		code   environment.Code
	}{
		"address":     {answer{reply: shown(pb.Cluster_RUNNING, reachable)}, "https://127.0.0.9:6443", ca, ""},
		"DNS open":    {answer{reply: shown(pb.Cluster_RUNNING, reachable, dns(true))}, "https://gke-1.europe-west1-b.gke.goog", "", ""},
		"DNS closed":  {answer{reply: shown(pb.Cluster_RUNNING, reachable, dns(false))}, "https://127.0.0.9:6443", ca, ""},
		"not yet":     {answer{reply: shown(pb.Cluster_PROVISIONING)}, "", "", environment.CodeUnavailable},
		"gone":        {answer{err: notFound()}, "", "", environment.CodeNotFound},
		"no answer":   {answer{err: status.Error(codes.Unavailable, "try again")}, "", "", environment.CodeUnavailable},
		"not base 64": {answer{reply: shown(pb.Cluster_RUNNING, reachable, func(c *pb.Cluster) { c.MasterAuth.ClusterCaCertificate = "%" })}, "", "", environment.CodeInternal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, _ := connect(t, map[string]answer{"GetCluster": test.answer})
			got, err := c.Target(t.Context(), aCluster())
			if got.Host != test.host || string(got.CA) != test.ca || environment.CodeOf(err) != test.code {
				t.Fatalf("got %q, %q, %v; want %q, %q, code %q", got.Host, got.CA, err, test.host, test.ca, test.code)
			}
			if err != nil {
				return
			}
			token, err := got.Token(t.Context())
			if err != nil || token != "t0ken" {
				t.Errorf("got token %q, %v; want the configured one", token, err)
			}
			if !strings.HasPrefix(got.Key, "projects/p/locations/europe-west1-b/clusters/dask-7f3a@") {
				t.Errorf("got key %q; want the cluster's name in it", got.Key)
			}
		})
	}
}

func TestTargetKeyChangesWithTheCluster(t *testing.T) {
	first, again := fingerprint("https://a", []byte("x")), fingerprint("https://a", []byte("x"))
	if first != again {
		t.Error("got two keys for one cluster; want one")
	}
	if fingerprint("https://a", []byte("x")) == fingerprint("https://a", []byte("y")) {
		t.Error("got one key for two certificates; want two")
	}
}

func TestNewNeedsAnInstallationThatFitsALabel(t *testing.T) {
	for _, installation := range []string{"", "CS 101", strings.Repeat("x", 64)} {
		_, err := New(t.Context(), Config{StaticToken: environment.NewSecret("x"), Installation: installation})
		if environment.CodeOf(err) != environment.CodeInvalid {
			t.Errorf("%q: got %v; want invalid", installation, err)
		}
	}
}

func TestNewForGoogleItselfConnectsLazily(t *testing.T) {
	c, err := New(t.Context(), Config{StaticToken: environment.NewSecret("x"), Installation: "cs101"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Errorf("close: got %v; want nil", err)
	}
}

func TestLabelValue(t *testing.T) {
	for in, want := range map[string]string{
		"cs101": "cs101", "CS 101": "cs-101", "anna@example.edu": "anna-example-edu", "a_b-c": "a_b-c",
		strings.Repeat("x", 80): strings.Repeat("x", 63), "": "",
	} {
		if got := labelValue(in); got != want {
			t.Errorf("labelValue(%q): got %q; want %q", in, got, want)
		}
	}
}

func FuzzLabelValue(f *testing.F) {
	f.Add("CS 101/α")
	f.Fuzz(func(t *testing.T, s string) {
		got := labelValue(s)
		bad := strings.IndexFunc(got, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
		if len(got) > 63 || bad >= 0 {
			t.Errorf("labelValue(%q): got %q, which GKE refuses", s, got)
		}
	})
}
