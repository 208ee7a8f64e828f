package compute

import (
	"context"
	"strings"

	api "google.golang.org/api/compute/v1"
	"google.golang.org/api/googleapi"

	"github.com/daskbot/daskbot/internal/environment"
)

// key selects a collection: the API has one for each kind and scope.
type key struct {
	kind  environment.ResourceKind
	scope scope
}

type scope string

const (
	global   scope = "global"
	regional scope = "region"
	zonal    scope = "zone"
)

// scopeOf reads the scope from a location: "global" or "", europe-west1,
// europe-west1-b.
func scopeOf(location string) scope {
	switch {
	case location == "" || location == string(global):
		return global
	case strings.Count(location, "-") >= 2:
		return zonal
	default:
		return regional
	}
}

// regionOf is the region of a zone, and of a region itself.
func regionOf(location string) string {
	if scopeOf(location) != zonal {
		return location
	}
	return location[:strings.LastIndexByte(location, '-')]
}

// collection is what can be asked about one kind of resource.
type collection struct{ get, remove request }

type request func(ctx context.Context, r environment.Resource) error

// call is the shape that all calls of the library share.
type call[C, T any] interface {
	Context(ctx context.Context) C
	Do(opts ...googleapi.CallOption) (T, error)
}

func located[C call[C, T], T any](prepare func(project, location, name string) C) request {
	return func(ctx context.Context, r environment.Resource) error {
		_, err := prepare(r.Project, r.Location, r.Name).Context(ctx).Do()
		return err
	}
}

func worldwide[C call[C, T], T any](prepare func(project, name string) C) request {
	return func(ctx context.Context, r environment.Resource) error {
		_, err := prepare(r.Project, r.Name).Context(ctx).Do()
		return err
	}
}

func collections(s *api.Service) map[key]collection {
	return map[key]collection{
		{environment.KindForwardingRule, regional}: {located(s.ForwardingRules.Get), located(s.ForwardingRules.Delete)},
		{environment.KindForwardingRule, global}:   {worldwide(s.GlobalForwardingRules.Get), worldwide(s.GlobalForwardingRules.Delete)},
		{environment.KindTargetPool, regional}:     {located(s.TargetPools.Get), located(s.TargetPools.Delete)},
		{environment.KindBackendService, regional}: {located(s.RegionBackendServices.Get), located(s.RegionBackendServices.Delete)},
		{environment.KindBackendService, global}:   {worldwide(s.BackendServices.Get), worldwide(s.BackendServices.Delete)},
		{environment.KindHealthCheck, regional}:    {located(s.RegionHealthChecks.Get), located(s.RegionHealthChecks.Delete)},
		{environment.KindHealthCheck, global}:      {worldwide(s.HealthChecks.Get), worldwide(s.HealthChecks.Delete)},
		{environment.KindHTTPHealthCheck, global}:  {worldwide(s.HttpHealthChecks.Get), worldwide(s.HttpHealthChecks.Delete)},
		{environment.KindEndpointGroup, zonal}:     {located(s.NetworkEndpointGroups.Get), located(s.NetworkEndpointGroups.Delete)},
		{environment.KindSnapshot, global}:         {worldwide(s.Snapshots.Get), worldwide(s.Snapshots.Delete)},
		{environment.KindFirewall, global}:         {worldwide(s.Firewalls.Get), worldwide(s.Firewalls.Delete)},
		{environment.KindAddress, regional}:        {located(s.Addresses.Get), located(s.Addresses.Delete)},
		{environment.KindAddress, global}:          {worldwide(s.GlobalAddresses.Get), worldwide(s.GlobalAddresses.Delete)},
		{environment.KindDisk, zonal}:              {located(s.Disks.Get), located(s.Disks.Delete)},
		{environment.KindDisk, regional}:           {located(s.RegionDisks.Get), located(s.RegionDisks.Delete)},
	}
}

// collection finds where a recorded resource lives. A kind in a scope that
// the API does not have is a fault of what was recorded.
func (c *Client) collection(r environment.Resource) (collection, error) {
	found, ok := c.collections[key{r.Kind, scopeOf(r.Location)}]
	if !ok || r.Project == "" || r.Name == "" {
		return collection{}, environment.Errorf(environment.CodeInternal,
			"daskbot does not know how to look for %s %q in %q of the project %q.", r.Kind, r.Name, r.Location, r.Project)
	}
	return found, nil
}
