package compute

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	api "google.golang.org/api/compute/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// A look is a request for each resource, a dozen for two load balancers. They
// go side by side, and each has a bound of its own: a slow answer is an answer.
const (
	lookTimeout = 90 * time.Second
	looks       = 8 // at once
)

// Leftovers returns those of the recorded resources that still exist, in the
// order in which they can be deleted. With the name of a cluster it adds what
// is of that cluster alone: the disks in the project that carry the labels of
// this installation and of the cluster, and what its load balancers share. The
// latter is found by them and not again without them, so the caller records
// what it was told before it deletes.
//
// An error means unknown: that something could not be looked at, or that some
// zone did not answer. It must not be read as "nothing is left".
func (c *Client) Leftovers(ctx context.Context, project, clusterName string, recorded []environment.Resource) ([]environment.Resource, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	left, err := c.existing(ctx, recorded)
	if err != nil {
		return nil, err
	}
	if clusterName == "" {
		sortForDeletion(left)
		return left, nil
	}
	shared, err := c.sharedParts(ctx, left)
	if err != nil {
		return nil, err
	}
	disks, err := c.labelledDisks(ctx, project, clusterName)
	if err != nil {
		return nil, err
	}
	for _, r := range append(shared, disks...) {
		if !slices.Contains(left, r) {
			left = append(left, r)
		}
	}
	sortForDeletion(left)
	return left, nil
}

// nodeCheck is how GKE names the health check that the load balancers of one
// cluster share: by an id of the cluster that nothing else tells.
var nodeCheck = regexp.MustCompile(`^k8s-[0-9a-z]+-node$`)

// sharedParts finds what the load balancers of a cluster share: the health
// check that their target pools name, and the firewall that lets it through.
func (c *Client) sharedParts(ctx context.Context, left []environment.Resource) ([]environment.Resource, error) {
	var shared []environment.Resource
	for _, r := range left {
		if r.Kind != environment.KindTargetPool {
			continue
		}
		pool, err := c.service.TargetPools.Get(r.Project, r.Location, r.Name).Context(ctx).Do()
		if isGone(err, r.Name) {
			continue
		}
		if err != nil {
			return nil, translate(err, r.Project)
		}
		for _, check := range pool.HealthChecks {
			name := lastSegment(check)
			if !nodeCheck.MatchString(name) {
				continue
			}
			shared = append(shared,
				environment.Resource{Kind: environment.KindHTTPHealthCheck, Project: r.Project, Location: string(global), Name: name},
				environment.Resource{Kind: environment.KindFirewall, Project: r.Project, Location: string(global), Name: name + "-http-hc"})
		}
	}
	return c.existing(ctx, shared)
}

// existing keeps those that are there, each once.
func (c *Client) existing(ctx context.Context, resources []environment.Resource) ([]environment.Resource, error) {
	there := make([]bool, len(resources))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(looks)
	for i, r := range resources {
		if slices.Contains(resources[:i], r) {
			continue
		}
		group.Go(func() (err error) { there[i], err = c.exists(groupCtx, r); return err })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var left []environment.Resource
	for i, r := range resources {
		if there[i] {
			left = append(left, r)
		}
	}
	return left, nil
}

func (c *Client) exists(ctx context.Context, r environment.Resource) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.collection(r)
	if err != nil {
		return false, err
	}
	err = found.get(ctx, r)
	if isGone(err, r.Name) {
		return false, nil
	}
	if err != nil {
		return false, translate(err, r.Project)
	}
	return true, nil
}

// labelledDisks asks for disks by the cluster's label and believes only those
// that carry the installation's label too.
func (c *Client) labelledDisks(ctx context.Context, project, clusterName string) ([]environment.Resource, error) {
	var disks []environment.Resource
	request := c.service.Disks.AggregatedList(project).
		Filter(fmt.Sprintf("labels.%s=%s", environment.LabelCluster, clusterName))
	err := request.Pages(ctx, func(page *api.DiskAggregatedList) error {
		if err := incomplete(page); err != nil {
			return err
		}
		for location, list := range page.Items {
			for _, disk := range list.Disks {
				if disk.Labels[environment.LabelInstallation] == c.installation && disk.Labels[environment.LabelCluster] == clusterName {
					disks = append(disks, environment.Resource{Kind: environment.KindDisk, Project: project,
						Location: lastSegment(location), Name: disk.Name})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, translate(err, project)
	}
	return disks, nil
}

// emptyScope is the warning of a zone that simply has no disks.
const emptyScope = "NO_RESULTS_ON_PAGE"

// incomplete reports that some place did not answer.
func incomplete(page *api.DiskAggregatedList) error {
	missing := slices.Clone(page.Unreachables)
	for location, list := range page.Items {
		if list.Warning != nil && list.Warning.Code != emptyScope {
			missing = append(missing, location+": "+list.Warning.Code)
		}
	}
	if page.Warning != nil && page.Warning.Code != emptyScope {
		missing = append(missing, page.Warning.Code)
	}
	if len(missing) == 0 {
		return nil
	}
	return &environment.Error{Code: environment.CodeUnavailable,
		Message: "Google Cloud could not list all disks at the moment; daskbot looks again by itself.",
		Err:     fmt.Errorf("disks are incomplete: %s", strings.Join(missing, ", "))}
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// sortForDeletion is stable within a kind, so that the record's order stays.
func sortForDeletion(resources []environment.Resource) {
	order := environment.ResourceKinds()
	slices.SortStableFunc(resources, func(a, b environment.Resource) int {
		return slices.Index(order, a.Kind) - slices.Index(order, b.Kind)
	})
}
