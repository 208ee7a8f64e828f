package helm

import (
	"context"
	"errors"
	"log/slog"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"

	"github.com/daskbot/daskbot/internal/environment"
)

// Revisions that are kept for `helm history`.
const maxHistory = 5

// Converge installs the release, or upgrades it, so that Helm's storage says
// that it was given what hash stands for. The release gets exactly the values
// that it carries; earlier ones are not merged in. It does not wait for
// workloads, only for the chart's own hooks.
//
// The namespace must exist. What an earlier crash left pending is unlocked
// first; what another replica that lives is at work on is waited for. When ctx
// ends before Helm does, the error is CodeUnavailable and Helm goes on; asking
// again joins it. After any other error Observe tells what Helm recorded: asking
// again tries again.
func (c *Client) Converge(ctx context.Context, t environment.Target, namespace string, r environment.Release, hash string) error {
	ch, err := c.load(ctx, r)
	if err != nil {
		return err
	}
	if err := c.afterOthers(ctx, t, namespace, r.Name); err != nil {
		return translate("converge release "+r.Name, err)
	}
	err = c.alone(ctx, t, namespace, r.Name, func(ctx context.Context) error {
		return c.converge(ctx, t, namespace, r, ch, hash)
	})
	return translate("converge release "+r.Name, err)
}

func (c *Client) converge(ctx context.Context, t environment.Target, namespace string, r environment.Release, ch *chart.Chart, hash string) error {
	config, err := c.configuration(t, namespace)
	if err != nil {
		return err
	}
	labels := map[string]string{labelHash: hash, labelChart: chartName(ch)}
	if c.config.Replica != "" {
		labels[labelReplica] = c.config.Replica
	}
	last, err := config.Releases.Last(r.Name)
	switch {
	case errors.Is(err, driver.ErrReleaseNotFound):
		return c.install(ctx, config, namespace, r, ch, labels)
	case err != nil:
		return err
	case last.Info.Status == release.StatusDeployed && last.Labels[labelHash] == hash:
		return nil
	case last.Info.Status == release.StatusUninstalled || last.Info.Status == release.StatusUninstalling:
		if err := c.uninstall(config, r.Name); err != nil {
			return err
		}
		return c.install(ctx, config, namespace, r, ch, labels)
	}
	if err := c.unlock(config, last); err != nil {
		return err
	}
	return c.upgrade(ctx, config, namespace, r, ch, labels)
}

func (c *Client) install(ctx context.Context, config *action.Configuration, namespace string, r environment.Release, ch *chart.Chart, labels map[string]string) error {
	ctx, end := c.span(ctx, "helm install", r.Name, chartName(ch))
	install := action.NewInstall(config)
	install.ReleaseName, install.Namespace = r.Name, namespace
	install.SkipCRDs = r.SkipCRDs
	install.Timeout = c.config.HookTimeout
	install.Labels = labels
	_, err := install.RunWithContext(ctx, ch, copyValues(r.Values))
	end(err)
	c.settle(ctx, config, r.Name)
	return err
}

// upgrade also serves a release whose first revision failed: Helm then creates
// what is missing and patches what is there.
func (c *Client) upgrade(ctx context.Context, config *action.Configuration, namespace string, r environment.Release, ch *chart.Chart, labels map[string]string) error {
	ctx, end := c.span(ctx, "helm upgrade", r.Name, chartName(ch))
	upgrade := action.NewUpgrade(config)
	upgrade.Namespace = namespace
	upgrade.ResetValues = true
	upgrade.SkipCRDs = r.SkipCRDs
	upgrade.Timeout = c.config.HookTimeout
	upgrade.MaxHistory = maxHistory
	upgrade.Labels = labels
	_, err := upgrade.RunWithContext(ctx, r.Name, ch, copyValues(r.Values))
	end(err)
	c.settle(ctx, config, r.Name)
	return err
}

// span traces one action of Helm's. Its requests are not traced one by one:
// Helm sends most of them without a context.
func (c *Client) span(ctx context.Context, name, releaseName, chart string) (context.Context, func(error)) {
	return c.config.Span(ctx, name, slog.String("release", releaseName), slog.String("chart", chart))
}

// unlock marks a pending revision as failed. This runs in the release's turn,
// after others: nobody who lives works on it, and a crash left it.
func (c *Client) unlock(config *action.Configuration, last *release.Release) error {
	if !last.Info.Status.IsPending() {
		return nil
	}
	c.config.Log.Warn("unlocking a release that was left pending", "release", last.Name, "revision", last.Version,
		"status", string(last.Info.Status))
	last.SetStatus(release.StatusFailed, "Left pending by an interrupted run; unlocked by daskbot.")
	return config.Releases.Update(last)
}
