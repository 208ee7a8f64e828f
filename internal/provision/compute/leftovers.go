package compute

import (
	"context"
	"fmt"
	"slices"
	"strings"

	api "google.golang.org/api/compute/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// Leftovers returns those of the recorded resources that still exist, and the
// disks in the project that carry the labels of this installation and of the
// cluster, in the order in which they can be deleted.
//
// An error means unknown: that something could not be looked at, or that some
// zone did not answer. It must not be read as "nothing is left".
func (c *Client) Leftovers(ctx context.Context, project, clusterName string, recorded []environment.Resource) ([]environment.Resource, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var left []environment.Resource
	for _, r := range recorded {
		exists, err := c.exists(ctx, r)
		if err != nil {
			return nil, err
		}
		if exists && !slices.Contains(left, r) {
			left = append(left, r)
		}
	}
	disks, err := c.labelledDisks(ctx, project, clusterName)
	if err != nil {
		return nil, err
	}
	for _, d := range disks {
		if !slices.Contains(left, d) {
			left = append(left, d)
		}
	}
	sortForDeletion(left)
	return left, nil
}

func (c *Client) exists(ctx context.Context, r environment.Resource) (bool, error) {
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
	if clusterName == "" {
		return nil, nil
	}
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
