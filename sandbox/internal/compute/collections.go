package compute

import (
	"slices"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// collection is one kind of resource as paths name it.
type collection struct {
	name    string // disks
	single  string // compute#disk
	kind    cloud.Kind
	creates bool // whether insert is offered
	deletes bool
}

var collections = []collection{
	{"instances", "compute#instance", cloud.KindInstance, false, false},
	{"disks", "compute#disk", cloud.KindDisk, true, true},
	{"snapshots", "compute#snapshot", cloud.KindSnapshot, false, true},
	{"addresses", "compute#address", cloud.KindAddress, true, true},
	{"forwardingRules", "compute#forwardingRule", cloud.KindForwardingRule, true, true},
	{"targetPools", "compute#targetPool", cloud.KindTargetPool, true, true},
	{"networkEndpointGroups", "compute#networkEndpointGroup", cloud.KindEndpointGroup, true, true},
	{"firewalls", "compute#firewall", cloud.KindFirewall, true, true},
	{"healthChecks", "compute#healthCheck", cloud.KindHealthCheck, true, true},
	{"httpHealthChecks", "compute#httpHealthCheck", cloud.KindHTTPHealthCheck, true, true},
}

// emptyCollections exist and never hold anything.
var emptyCollections = []string{
	"backendServices", "instanceGroups", "instanceGroupManagers", "globalForwardingRules",
	"globalAddresses", "targetHttpProxies", "targetHttpsProxies", "urlMaps", "sslCertificates", "routers", "routes", "images",
	"resourcePolicies", "regionDisks", "targetInstances", "vpnGateways",
}

func findCollection(name string) (collection, bool) {
	for _, c := range collections {
		if c.name == name {
			return c, true
		}
	}
	if slices.Contains(emptyCollections, name) {
		return collection{name: name, single: "compute#" + name[:len(name)-1]}, true
	}
	return collection{}, false
}

func collectionOf(kind cloud.Kind) collection {
	for _, c := range collections {
		if c.kind == kind {
			return c
		}
	}
	return collection{name: string(kind) + "s", single: "compute#" + string(kind)}
}
