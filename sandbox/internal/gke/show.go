package gke

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"cloud.google.com/go/container/apiv1/containerpb"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// show is how the API shows a cluster: what was asked for, overlaid with what
// is. The endpoint and the CA appear once it runs.
func (s *Server) show(c cloud.Cluster) (*containerpb.Cluster, error) {
	m, err := askedOf(c)
	if err != nil {
		return nil, err
	}
	m.Id = c.Spec.ID
	m.Status = containerpb.Cluster_Status(containerpb.Cluster_Status_value[c.Status])
	m.StatusMessage, m.Conditions = c.StatusMessage, conditions(c.Condition, c.StatusMessage)
	m.Location, m.Zone = c.Spec.Location, c.Spec.Location
	m.SelfLink = s.link(c.Spec.Project, c.Spec.Location, "clusters/"+c.Spec.Name)
	m.CreateTime = c.Created.Format(time.RFC3339)
	m.CurrentMasterVersion, m.CurrentNodeVersion = c.Spec.Version, c.Spec.Version
	m.ResourceLabels, m.LabelFingerprint = c.Spec.Labels, cloud.Fingerprint(c.Spec.Labels)
	m.CurrentNodeCount = int32(s.world.NodeCount(c.Spec.ID, ""))
	m.Endpoint, m.MasterAuth = "", &containerpb.MasterAuth{}
	if c.Endpoint != "" && c.Status != cloud.Provisioning {
		m.Endpoint = c.Endpoint
		m.MasterAuth.ClusterCaCertificate = base64.StdEncoding.EncodeToString(c.CACertificate)
	}
	m.ControlPlaneEndpointsConfig = endpoints(m, c)
	for _, p := range m.GetNodePools() {
		s.showPool(p, c)
	}
	if len(m.GetNodePools()) > 0 {
		m.NodeConfig = m.NodePools[0].Config
	}
	return m, nil
}

// endpoints names a DNS endpoint, as GKE always does, and keeps it closed: the
// name cannot be resolved on a machine of one's own.
func endpoints(m *containerpb.Cluster, c cloud.Cluster) *containerpb.ControlPlaneEndpointsConfig {
	cfg := m.GetControlPlaneEndpointsConfig()
	if cfg == nil {
		cfg = &containerpb.ControlPlaneEndpointsConfig{}
	}
	closed := false
	cfg.DnsEndpointConfig = &containerpb.ControlPlaneEndpointsConfig_DNSEndpointConfig{
		Endpoint: fmt.Sprintf("gke-%s.%s.gke.goog", c.Spec.ID, c.Spec.Location), AllowExternalTraffic: &closed,
	}
	return cfg
}

func (s *Server) showPool(m *containerpb.NodePool, c cloud.Cluster) {
	m.SelfLink = s.link(c.Spec.Project, c.Spec.Location, "clusters/"+c.Spec.Name+"/nodePools/"+m.GetName())
	m.Version = c.Spec.Version
	m.Status = poolStatus(c.Status)
	p := c.Pool(m.GetName())
	if p == nil {
		return
	}
	sum := sha256.Sum256([]byte(c.Spec.ID + "/" + p.Name))
	for _, zone := range p.Zones {
		m.InstanceGroupUrls = append(m.InstanceGroupUrls, fmt.Sprintf(
			"https://www.googleapis.com/compute/v1/projects/%s/zones/%s/instanceGroupManagers/gke-%s-%s-%s-grp",
			c.Spec.Project, zone, c.Spec.Name, p.Name, hex.EncodeToString(sum[:4])))
	}
}

func poolStatus(cluster string) containerpb.NodePool_Status {
	switch cluster {
	case cloud.Provisioning:
		return containerpb.NodePool_PROVISIONING
	case cloud.Reconciling:
		return containerpb.NodePool_RECONCILING
	case cloud.Stopping:
		return containerpb.NodePool_STOPPING
	case cloud.Errored:
		return containerpb.NodePool_ERROR
	default:
		return containerpb.NodePool_RUNNING
	}
}
