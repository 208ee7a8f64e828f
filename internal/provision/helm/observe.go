package helm

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"github.com/daskbot/daskbot/internal/environment"
)

// Labels that Converge puts on Helm's own record, beside Helm's.
const (
	labelHash  = "daskbot-hash"
	labelChart = "daskbot-chart"
	// labelReplica is the process that was at work on a revision.
	labelReplica = "daskbot-replica"
)

const observeTimeout = 10 * time.Second

// Observe reads Helm's storage. It reads the labels of the records only, since
// a record holds the whole chart; the words of a failure are worth one more read.
func (c *Client) Observe(ctx context.Context, t environment.Target, namespace, name string) (environment.SeenRelease, error) {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	seen, err := c.observe(ctx, t, namespace, name)
	return seen, translate("observe release "+name, err)
}

func (c *Client) observe(ctx context.Context, t environment.Target, namespace, name string) (environment.SeenRelease, error) {
	records, err := c.records(ctx, t, namespace, name)
	if err != nil {
		return environment.SeenRelease{}, err
	}
	seen := newest(records)
	if seen.Status != environment.ReleaseFailed && (seen.Chart != "" || seen.Status == environment.ReleaseAbsent) {
		return seen, nil
	}
	return c.describe(t, namespace, name, seen)
}

// records are those of a release in Helm's storage, without what they hold.
func (c *Client) records(ctx context.Context, t environment.Target, namespace, name string) ([]metav1.PartialObjectMetadata, error) {
	config, err := restConfig(t)
	if err != nil {
		return nil, unusable(err)
	}
	config.UserAgent = "daskbot"
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, unusable(err)
	}
	secrets := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	list, err := client.Resource(secrets).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm,name=" + name})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// newest reads the labels of the last revision.
func newest(records []metav1.PartialObjectMetadata) environment.SeenRelease {
	seen := environment.SeenRelease{Status: environment.ReleaseAbsent}
	for _, r := range records {
		revision, err := strconv.Atoi(r.Labels["version"])
		if err != nil || revision <= seen.Revision {
			continue
		}
		seen = environment.SeenRelease{Revision: revision, Status: status(release.Status(r.Labels["status"])),
			Hash: r.Labels[labelHash], Chart: r.Labels[labelChart]}
	}
	return seen
}

// status reduces Helm's states to those that change the next step. One that is
// being uninstalled counts as pending: somebody has to finish it.
func status(s release.Status) environment.ReleaseStatus {
	switch s {
	case release.StatusDeployed:
		return environment.ReleaseDeployed
	case release.StatusPendingInstall, release.StatusPendingUpgrade, release.StatusPendingRollback, release.StatusUninstalling:
		return environment.ReleasePending
	case release.StatusUninstalled:
		return environment.ReleaseAbsent
	default:
		return environment.ReleaseFailed
	}
}

func (c *Client) describe(t environment.Target, namespace, name string, seen environment.SeenRelease) (environment.SeenRelease, error) {
	config, err := c.configuration(t, namespace)
	if err != nil {
		return seen, err
	}
	record, err := config.Releases.Get(name, seen.Revision)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return seen, nil // it went between the two reads; the next look sees that
	}
	if err != nil {
		return seen, err
	}
	seen.Chart = chartName(record.Chart)
	if record.Info != nil && seen.Status == environment.ReleaseFailed {
		seen.Message = record.Info.Description
	}
	return seen, nil
}

// chartName is name-version as a label can hold it.
func chartName(ch *chart.Chart) string {
	if ch == nil || ch.Metadata == nil {
		return ""
	}
	name := strings.ReplaceAll(ch.Metadata.Name+"-"+ch.Metadata.Version, "+", "_")
	return strings.Trim(name[:min(len(name), 63)], "-_.")
}
