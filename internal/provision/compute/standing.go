package compute

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	api "google.golang.org/api/compute/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

var _ environment.Leavings = (*Client)(nil)

// standingTimeout bounds a survey of a project: ten lists, each in pages.
const standingTimeout = time.Minute

// Standing lists the disks of the project that carry this installation's
// label, and all snapshots and parts of load balancers there, whoever made
// them: GKE gives the latter no label, so the caller has to find out whose they
// are. It deletes nothing.
//
// An error means that something could not be listed, or that some place did
// not answer; nothing may then be concluded from what is not listed.
func (c *Client) Standing(ctx context.Context, project string) ([]environment.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, standingTimeout)
	defer cancel()
	found := &standing{project: project}
	for _, list := range []func(context.Context, *standing) error{c.ourDisks, c.forwardingRules, c.targetPools, c.backendServices,
		c.healthChecks, c.httpHealthChecks, c.endpointGroups, c.firewalls, c.addresses, c.snapshots} {
		if err := list(ctx, found); err != nil {
			return nil, translate(err, project)
		}
	}
	return found.items, nil
}

// standing collects what was listed, and who did not answer.
type standing struct {
	project string
	items   []environment.Standing
}

// add adds one under its identity; scope is "zones/Z", "regions/R" or "global".
func (s *standing) add(kind environment.ResourceKind, scope, name string, r environment.Standing) {
	r.Resource = environment.Resource{Kind: kind, Project: s.project, Location: lastSegment(scope), Name: name}
	s.items = append(s.items, r)
}

// whole refuses a list in which some place is missing.
func whole(what string, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	return &environment.Error{Code: environment.CodeUnavailable,
		Message: "Google Cloud could not list all " + what + " at the moment; daskbot looks again by itself.",
		Err:     fmt.Errorf("%s are incomplete: %s", what, strings.Join(missing, ", "))}
}

// warned is the code of a place's warning when it means that the place is
// missing from a list.
func warned(scope, code string) []string {
	if code == "" || code == emptyScope {
		return nil
	}
	return []string{scope + ": " + code}
}

func (c *Client) ourDisks(ctx context.Context, found *standing) error {
	filter := fmt.Sprintf("labels.%s=%s", environment.LabelInstallation, c.installation)
	return c.service.Disks.AggregatedList(found.project).Filter(filter).Pages(ctx, func(page *api.DiskAggregatedList) error {
		for scope, list := range page.Items {
			for _, d := range list.Disks {
				if d.Labels[environment.LabelInstallation] != c.installation {
					continue // a filter is a wish, a label is a fact
				}
				found.add(environment.KindDisk, scope, d.Name, environment.Standing{Ours: true, Keep: kept(d.Labels),
					Cluster: d.Labels[environment.LabelCluster], InUse: len(d.Users) > 0, GB: int(d.SizeGb), Type: lastSegment(d.Type)})
			}
		}
		return incomplete(page)
	})
}

func (c *Client) forwardingRules(ctx context.Context, found *standing) error {
	return c.service.ForwardingRules.AggregatedList(found.project).Pages(ctx, func(page *api.ForwardingRuleAggregatedList) error {
		missing := page.Unreachables
		for scope, list := range page.Items {
			for _, r := range list.ForwardingRules {
				found.add(environment.KindForwardingRule, scope, r.Name, environment.Standing{Keep: kept(r.Labels),
					Service: serviceOf(r.Description), Target: poolOf(r.Target)})
			}
			if list.Warning != nil {
				missing = append(missing, warned(scope, list.Warning.Code)...)
			}
		}
		return whole("forwarding rules", missing)
	})
}

func (c *Client) targetPools(ctx context.Context, found *standing) error {
	return c.service.TargetPools.AggregatedList(found.project).Pages(ctx, func(page *api.TargetPoolAggregatedList) error {
		missing := page.Unreachables
		for scope, list := range page.Items {
			for _, p := range list.TargetPools {
				found.add(environment.KindTargetPool, scope, p.Name, environment.Standing{
					Service: serviceOf(p.Description), Instances: lastSegments(p.Instances), Parts: lastSegments(p.HealthChecks)})
			}
			if list.Warning != nil {
				missing = append(missing, warned(scope, list.Warning.Code)...)
			}
		}
		return whole("target pools", missing)
	})
}

func (c *Client) backendServices(ctx context.Context, found *standing) error {
	return c.service.BackendServices.AggregatedList(found.project).Pages(ctx, func(page *api.BackendServiceAggregatedList) error {
		missing := page.Unreachables
		for scope, list := range page.Items {
			for _, b := range list.BackendServices {
				found.add(environment.KindBackendService, scope, b.Name, environment.Standing{Service: serviceOf(b.Description)})
			}
			if list.Warning != nil {
				missing = append(missing, warned(scope, list.Warning.Code)...)
			}
		}
		return whole("backend services", missing)
	})
}

func (c *Client) healthChecks(ctx context.Context, found *standing) error {
	return c.service.HealthChecks.AggregatedList(found.project).Pages(ctx, func(page *api.HealthChecksAggregatedList) error {
		missing := page.Unreachables
		for scope, list := range page.Items {
			for _, h := range list.HealthChecks {
				found.add(environment.KindHealthCheck, scope, h.Name, environment.Standing{Service: serviceOf(h.Description)})
			}
			if list.Warning != nil {
				missing = append(missing, warned(scope, list.Warning.Code)...)
			}
		}
		return whole("health checks", missing)
	})
}

func (c *Client) httpHealthChecks(ctx context.Context, found *standing) error {
	return c.service.HttpHealthChecks.List(found.project).Pages(ctx, func(page *api.HttpHealthCheckList) error {
		for _, h := range page.Items {
			found.add(environment.KindHTTPHealthCheck, string(global), h.Name, environment.Standing{Service: serviceOf(h.Description)})
		}
		return nil
	})
}

func (c *Client) firewalls(ctx context.Context, found *standing) error {
	return c.service.Firewalls.List(found.project).Pages(ctx, func(page *api.FirewallList) error {
		for _, f := range page.Items {
			found.add(environment.KindFirewall, string(global), f.Name, environment.Standing{Service: serviceOf(f.Description)})
		}
		return nil
	})
}

func (c *Client) addresses(ctx context.Context, found *standing) error {
	return c.service.Addresses.AggregatedList(found.project).Pages(ctx, func(page *api.AddressAggregatedList) error {
		missing := page.Unreachables
		for scope, list := range page.Items {
			for _, a := range list.Addresses {
				found.add(environment.KindAddress, scope, a.Name, environment.Standing{Keep: kept(a.Labels),
					InUse: len(a.Users) > 0, Service: serviceOf(a.Description)})
			}
			if list.Warning != nil {
				missing = append(missing, warned(scope, list.Warning.Code)...)
			}
		}
		return whole("addresses", missing)
	})
}

func kept(labels map[string]string) bool {
	_, ok := labels[environment.LabelKeep]
	return ok
}

// serviceOf reads the Kubernetes Service that GKE made something for, which it
// writes as JSON into the description; "" for what others made.
func serviceOf(description string) string {
	var says struct {
		Service string `json:"kubernetes.io/service-name"`
	}
	if json.Unmarshal([]byte(description), &says) != nil {
		return ""
	}
	return says.Service
}

// poolOf is the name of the target pool in a rule's target, "" for other
// targets.
func poolOf(target string) string {
	if !strings.Contains(target, "/targetPools/") {
		return ""
	}
	return lastSegment(target)
}

func lastSegments(links []string) []string {
	var names []string
	for _, link := range links {
		names = append(names, lastSegment(link))
	}
	return names
}
