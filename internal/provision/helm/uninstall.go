package helm

import (
	"bytes"
	"context"
	"errors"
	"time"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/storage/driver"

	"github.com/daskbot/daskbot/internal/environment"
)

// On the way down a hook gets this long; then the release goes without it.
const deleteHookTimeout = 30 * time.Second

// Uninstall removes the release and its history; absent is success. It does
// not wait for the objects to be gone. An installation that is still at work
// is cut short: its hooks are ended, so that it finishes now, here or at another
// replica, which is waited for: what it made after this would stay. Hooks that
// fail do not keep a release alive.
func (c *Client) Uninstall(ctx context.Context, t environment.Target, namespace, name string) error {
	config, err := c.configuration(t, namespace)
	if err != nil {
		return err
	}
	if err := endHooks(config, name); err != nil {
		return translate("end hooks of "+name, err)
	}
	if err := c.afterOthers(ctx, t, namespace, name); err != nil {
		return translate("uninstall release "+name, err)
	}
	err = c.alone(ctx, t, namespace, name, func(context.Context) error {
		return c.uninstall(config, name)
	})
	return translate("uninstall release "+name, err)
}

func (c *Client) uninstall(config *action.Configuration, name string) error {
	if _, err := config.Releases.History(name); errors.Is(err, driver.ErrReleaseNotFound) {
		return nil
	}
	uninstall := action.NewUninstall(config)
	uninstall.IgnoreNotFound = true
	uninstall.Timeout = deleteHookTimeout
	_, first := uninstall.Run(name)
	if first == nil {
		return nil
	}
	uninstall.DisableHooks = true
	if _, err := uninstall.Run(name); err != nil && !errors.Is(err, driver.ErrReleaseNotFound) {
		return errors.Join(first, err)
	}
	return nil
}

// endHooks deletes the hook Jobs of a pending release. Helm takes a deleted
// one for finished and goes on at once; otherwise a hub that is taken back
// while its images are pulled would live until they are.
func endHooks(config *action.Configuration, name string) error {
	last, err := config.Releases.Last(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !last.Info.Status.IsPending() {
		return nil
	}
	for _, hook := range last.Hooks {
		if hook.Kind != "Job" {
			continue
		}
		resources, err := config.KubeClient.Build(bytes.NewBufferString(hook.Manifest), false)
		if err != nil {
			return err
		}
		if _, errs := config.KubeClient.Delete(resources); len(errs) > 0 {
			return errors.Join(errs...)
		}
	}
	return nil
}
