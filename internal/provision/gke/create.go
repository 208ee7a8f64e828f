package gke

import (
	"context"
	"fmt"
	"math/bits"
	"strings"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"

	"github.com/daskbot/daskbot/internal/environment"
)

// Create asks for the cluster and returns the id of the operation that makes
// it. When a cluster of that name exists already, whoever's it is, it returns
// "" and no error: Observe tells whose.
//
// It does not wait, and it is never repeated on its own. An error that is
// Ambiguous may have made the cluster nevertheless: look before asking again.
// Quota is CodeQuota, a change under way CodeUnavailable with Busy.
func (c *Client) Create(ctx context.Context, cl environment.Cluster) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	channel, err := parseChannel(either(cl.Shape.Channel, c.defaults.Channel))
	if err != nil {
		return "", err
	}
	op, err := c.api.CreateCluster(ctx, &pb.CreateClusterRequest{
		Parent:  parent(cl.Project, cl.Location),
		Cluster: c.body(cl, channel),
	})
	if codeOf(err) == codes.AlreadyExists {
		return "", nil
	}
	if err != nil {
		return "", asked(err, cl.Project)
	}
	return op.GetName(), nil
}

func (c *Client) body(cl environment.Cluster, channel pb.ReleaseChannel_Channel) *pb.Cluster {
	body := &pb.Cluster{
		Name:                  cl.Name,
		ResourceLabels:        c.labels(cl),
		ReleaseChannel:        &pb.ReleaseChannel{Channel: channel},
		InitialClusterVersion: cl.Shape.Version,
		Network:               c.defaults.Network,
		Subnetwork:            c.defaults.Subnetwork,
		IpAllocationPolicy: &pb.IPAllocationPolicy{
			UseIpAliases: true, ClusterIpv4CidrBlock: podRange(max(cl.Shape.MaxNodes, cl.MaxNodes, cl.Shape.Nodes, cl.Room)),
		},
		WorkloadIdentityConfig: &pb.WorkloadIdentityConfig{WorkloadPool: cl.Project + ".svc.id.goog"},
		CostManagementConfig:   &pb.CostManagementConfig{Enabled: true},
		NodePools:              []*pb.NodePool{c.pool(cl)},
	}
	if cl.Shape.DNSEndpoint {
		open := true
		body.ControlPlaneEndpointsConfig = &pb.ControlPlaneEndpointsConfig{
			DnsEndpointConfig: &pb.ControlPlaneEndpointsConfig_DNSEndpointConfig{AllowExternalTraffic: &open},
		}
	}
	return body
}

// pool is made in the same call as the cluster: adding one later takes a
// second operation of minutes. Disk size and type are always sent, since what
// GKE takes otherwise is not what its documentation says.
func (c *Client) pool(cl environment.Cluster) *pb.NodePool {
	shape := cl.Shape
	pool := &pb.NodePool{
		Name:             poolName,
		InitialNodeCount: perZone(shape.Nodes, zonesOf(cl.Location)),
		Management:       &pb.NodeManagement{AutoUpgrade: true, AutoRepair: true},
		Config: &pb.NodeConfig{
			MachineType:    shape.MachineType,
			DiskType:       either(shape.DiskType, c.defaults.DiskType),
			DiskSizeGb:     int32(shape.DiskGB),
			Spot:           shape.Spot,
			ServiceAccount: c.nodeAccount(cl.Project),
			OauthScopes:    []string{"https://www.googleapis.com/auth/cloud-platform"},
		},
	}
	if shape.Autoscaled() {
		pool.Autoscaling = autoscaling(cl)
	}
	return pool
}

// ownAccounts is what addresses of accounts that a project made end with, after
// the project's name.
const ownAccounts = ".iam.gserviceaccount.com"

// nodeAccount is what nodes act as in a project: the account of the configured
// name in that same project, since GKE lets nodes act as no other's; "" is the
// project's default one.
func (c *Client) nodeAccount(project string) string {
	name, domain, _ := strings.Cut(c.defaults.NodeServiceAccount, "@")
	if !strings.HasSuffix(domain, ownAccounts) {
		return c.defaults.NodeServiceAccount
	}
	return name + "@" + project + ownAccounts
}

// autoscaling bounds the pool. In a zone the bounds are per zone, as gcloud
// sends them; in a region they count over all zones, so that a ceiling of 10
// is not 30.
func autoscaling(cl environment.Cluster) *pb.NodePoolAutoscaling {
	lowest, highest := int32(cl.Shape.MinNodes), int32(ceiling(cl))
	bounds := &pb.NodePoolAutoscaling{Enabled: true}
	if cl.Shape.Spot {
		bounds.LocationPolicy = pb.NodePoolAutoscaling_ANY // Spot capacity differs by zone
	}
	if isZone(cl.Location) {
		bounds.MinNodeCount, bounds.MaxNodeCount = lowest, highest
	} else {
		bounds.TotalMinNodeCount, bounds.TotalMaxNodeCount = lowest, highest
	}
	return bounds
}

// ceiling is the most nodes the pool may have: what was last asked for, else
// what the profile says.
func ceiling(cl environment.Cluster) int {
	if cl.MaxNodes > 0 {
		return max(cl.MaxNodes, cl.Shape.MinNodes)
	}
	return cl.Shape.MaxNodes
}

// podRange is the smallest block of pod addresses that holds nodes, one of
// them surging, at a /24 each; never smaller than a /20. GKE's own choice, a
// /14, fills a VPC with some thirty clusters.
func podRange(nodes int) string {
	need := max(bits.Len(uint(nodes)), 4) // 2^need > nodes
	return fmt.Sprintf("/%d", 24-min(need, 10))
}

func parseChannel(name string) (pb.ReleaseChannel_Channel, error) {
	value, ok := pb.ReleaseChannel_Channel_value[strings.ToUpper(name)]
	if !ok || value == 0 { // 0 is "no channel", which GKE is about to refuse
		return 0, environment.Invalid("channel", "There is no release channel %q; use rapid, regular, stable or extended.", name)
	}
	return pb.ReleaseChannel_Channel(value), nil
}
