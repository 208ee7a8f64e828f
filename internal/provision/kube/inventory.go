package kube

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// place is where a cluster's resources are: a Google Cloud project and region.
type place struct{ project, region string }

// Inventory lists by exact identity what would outlive the cluster: the parts
// of every load balancer, whose names derive from the Service's UID, and the
// disks behind volumes. On a dedicated cluster it looks everywhere, on a shared
// one in the plan's namespace. Clusters outside Google Cloud leave nothing that
// it could name.
//
// CodeUnavailable also means that there are load balancers but nothing says in which
// project: the inventory is unknown, not empty.
func (c *Client) Inventory(ctx context.Context, t environment.Target, p environment.Plan) ([]environment.Resource, error) {
	l, err := c.link(t)
	if err != nil {
		return nil, err
	}
	found, err := l.inventory(ctx, p)
	return found, translate("inventory of "+p.Namespace, err)
}

func (l *link) inventory(ctx context.Context, p environment.Plan) ([]environment.Resource, error) {
	held, err := l.held(ctx, p)
	if err != nil {
		return nil, err
	}
	var found []environment.Resource
	for _, v := range held.volumes {
		if disk, ok := diskOf(v); ok {
			found = append(found, disk)
		}
	}
	if len(held.balancers) == 0 {
		return found, nil
	}
	at, ok, err := l.placeOf(ctx, p, found)
	switch {
	case err != nil:
		return nil, err
	case !ok && p.Given:
		return found, nil
	case !ok:
		return nil, environment.Errorf(environment.CodeUnavailable,
			"Nothing says where the cluster is, so daskbot cannot say yet what belongs to it.")
	}
	for _, s := range held.balancers {
		found = append(found, balancerParts(s, at)...)
	}
	return found, nil
}

// diskOf reads a volume handle, projects/P/zones/Z/disks/D or its regional form.
func diskOf(v corev1.PersistentVolume) (environment.Resource, bool) {
	if v.Spec.CSI == nil || v.Spec.CSI.Driver != diskProvisioner {
		return environment.Resource{}, false
	}
	part := strings.Split(v.Spec.CSI.VolumeHandle, "/")
	if len(part) != 6 || part[0] != "projects" || part[4] != "disks" {
		return environment.Resource{}, false
	}
	return environment.Resource{Kind: environment.KindDisk, Project: part[1], Location: part[3], Name: part[5]}, true
}

// placeOf is where the row says that the cluster is: its pool may be empty just
// now. Of a given cluster it is read from a node's provider id, gce://P/Z/NAME,
// or from a disk; nodes elsewhere have ids of other shapes.
func (l *link) placeOf(ctx context.Context, p environment.Plan, disks []environment.Resource) (place, bool, error) {
	if !p.Given && p.Project != "" && p.Location != "" {
		return place{p.Project, regionOf(p.Location)}, true, nil
	}
	nodes, err := l.typed.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return place{}, false, err
	}
	for _, n := range nodes.Items {
		rest, ok := strings.CutPrefix(n.Spec.ProviderID, "gce://")
		if part := strings.Split(rest, "/"); ok && len(part) == 3 {
			return place{part[0], regionOf(part[1])}, true, nil
		}
	}
	for _, d := range disks {
		return place{d.Project, regionOf(d.Location)}, true, nil
	}
	return place{}, false, nil
}

// regionOf drops the zone's letter: europe-west1-b is in europe-west1.
func regionOf(zone string) string {
	if strings.Count(zone, "-") < 2 {
		return zone
	}
	return zone[:strings.LastIndex(zone, "-")]
}

// balancerParts names what GKE makes for a Service of type LoadBalancer.
func balancerParts(s corev1.Service, at place) []environment.Resource {
	name := "a" + strings.ReplaceAll(string(s.UID), "-", "")
	name = name[:min(len(name), 32)]
	const global = "global"
	parts := []environment.Resource{
		{Kind: environment.KindForwardingRule, Location: at.region, Name: name},
		{Kind: environment.KindTargetPool, Location: at.region, Name: name},
		{Kind: environment.KindHTTPHealthCheck, Location: global, Name: name},
		{Kind: environment.KindFirewall, Location: global, Name: "k8s-fw-" + name},
		{Kind: environment.KindFirewall, Location: global, Name: "k8s-" + name + "-http-hc"},
		{Kind: environment.KindAddress, Location: at.region, Name: name},
	}
	parts = append(parts, annotatedParts(s, at)...)
	for i := range parts {
		parts[i].Project = at.project
	}
	return parts
}

// annotatedParts are those of a load balancer with a backend service, whose
// names GKE writes on the Service. Its health check is shared with others and
// goes when the last of them goes.
func annotatedParts(s corev1.Service, at place) []environment.Resource {
	var parts []environment.Resource
	for _, a := range []struct {
		key      string
		kind     environment.ResourceKind
		location string
	}{
		{"tcp-forwarding-rule", environment.KindForwardingRule, at.region},
		{"udp-forwarding-rule", environment.KindForwardingRule, at.region},
		{"backend-service", environment.KindBackendService, at.region},
		{"firewall-rule", environment.KindFirewall, "global"},
	} {
		if name := s.Annotations["service.kubernetes.io/"+a.key]; name != "" {
			parts = append(parts, environment.Resource{Kind: a.kind, Location: a.location, Name: name})
		}
	}
	return parts
}
