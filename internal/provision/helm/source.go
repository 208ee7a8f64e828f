package helm

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/registry"
	"helm.sh/helm/v3/pkg/repo"

	"github.com/daskbot/daskbot/internal/environment"
)

// Resolve turns the release's version wish ("" for the newest, a range, or an
// exact one) into the exact version that its source has. A chart on disk has
// one version, which must fit the wish.
//
// Errors: CodeInvalid when no version fits (the message says which there is),
// CodeUnavailable when the repository does not answer.
func (c *Client) Resolve(ctx context.Context, r environment.Release) (string, error) {
	switch {
	case registry.IsOCI(r.Chart):
		return c.resolveOCI(r)
	case r.Repository == "":
		ch, err := c.loadPath(r)
		if err != nil {
			return "", err
		}
		return ch.Metadata.Version, nil
	default:
		entry, err := c.entry(ctx, r)
		if err != nil {
			return "", err
		}
		return entry.Version, nil
	}
}

// entry finds the release's chart in its repository's index.
func (c *Client) entry(ctx context.Context, r environment.Release) (*repo.ChartVersion, error) {
	idx, err := c.index(ctx, r.Repository)
	if err != nil {
		return nil, err
	}
	versions := idx.Entries[r.Chart]
	if len(versions) == 0 {
		return nil, environment.Invalid("chart", "There is no chart %q in %s.", r.Chart, r.Repository)
	}
	entry, err := idx.Get(r.Chart, r.Version)
	if err != nil || len(entry.URLs) == 0 {
		return nil, noVersion(r, versions[0].Version, err)
	}
	return entry, nil
}

// noVersion says which version is the newest, where that is known.
func noVersion(r environment.Release, newest string, cause error) error {
	e := environment.Invalid("version", "There is no version %q of the chart %s.", r.Version, r.Chart)
	if newest != "" {
		e.Message += " The newest is " + newest + "."
	}
	e.Err = cause
	return e
}

// load returns a fresh copy of the release's chart: Helm changes what it is given.
func (c *Client) load(ctx context.Context, r environment.Release) (*chart.Chart, error) {
	var ch *chart.Chart
	var err error
	switch {
	case registry.IsOCI(r.Chart):
		ch, err = c.loadOCI(r)
	case r.Repository == "":
		ch, err = c.loadPath(r)
	default:
		ch, err = c.loadRepository(ctx, r)
	}
	if err != nil {
		return nil, err
	}
	return ch, prepare(ch, r)
}

func (c *Client) loadRepository(ctx context.Context, r environment.Release) (*chart.Chart, error) {
	entry, err := c.entry(ctx, r)
	if err != nil {
		return nil, err
	}
	from, err := repo.ResolveReferenceURL(r.Repository, entry.URLs[0])
	if err != nil {
		return nil, noRepository(r.Repository, err)
	}
	digest := strings.TrimPrefix(entry.Digest, "sha256:")
	path := filepath.Join(c.config.CacheDir, "chart-"+keyed(from+" "+digest)+".tgz")
	return c.cached(path, func() error { return c.download(context.WithoutCancel(ctx), from, path, digest) })
}

// cached loads a chart from the cache and fetches it first when it is not
// there, once however many ask.
func (c *Client) cached(path string, fetch func() error) (*chart.Chart, error) {
	if _, err := os.Stat(path); err != nil {
		if _, err, _ := c.fetches.Do(path, func() (any, error) { return nil, fetch() }); err != nil {
			return nil, err
		}
	}
	ch, err := loader.LoadFile(path)
	if err != nil {
		_ = os.Remove(path) // it is fetched again next time
		return nil, badChart(err)
	}
	return ch, nil
}

func (c *Client) download(ctx context.Context, from, path, digest string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return noRepository(from, err)
	}
	answer, err := c.config.HTTP.Do(r)
	if err != nil {
		return noRepository(from, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return noRepository(from, fmt.Errorf("status %s", answer.Status))
	}
	if err := save(path, answer.Body, maxChart, digest); err != nil {
		return noRepository(from, err)
	}
	return nil
}

// loadPath reads a chart from a directory or an archive on daskbot's own disk.
func (c *Client) loadPath(r environment.Release) (*chart.Chart, error) {
	ch, err := loader.Load(r.Chart)
	if err != nil {
		e := environment.Invalid("chart", "There is no usable chart at %q; give a repository, an oci:// address, or the path of a chart.", r.Chart)
		e.Err = err
		return nil, e
	}
	if r.Version == "" {
		return ch, nil
	}
	if _, ok := pick([]string{ch.Metadata.Version}, r.Version); !ok {
		return nil, noVersion(r, ch.Metadata.Version, nil)
	}
	return ch, nil
}

func (c *Client) resolveOCI(r environment.Release) (string, error) {
	if exact(r.Version) {
		return r.Version, nil // the pull says whether it exists
	}
	client, err := c.registry(r.Chart)
	if err != nil {
		return "", err
	}
	tags, err := client.Tags(strings.TrimPrefix(r.Chart, registry.OCIScheme+"://"))
	if err != nil {
		return "", noRepository(r.Chart, err)
	}
	version, ok := pick(tags, r.Version)
	if !ok {
		newest, _ := pick(tags, "")
		return "", noVersion(r, newest, nil)
	}
	return version, nil
}

func (c *Client) loadOCI(r environment.Release) (*chart.Chart, error) {
	version, err := c.resolveOCI(r)
	if err != nil {
		return nil, err
	}
	ref := strings.TrimPrefix(r.Chart, registry.OCIScheme+"://") + ":" + strings.ReplaceAll(version, "+", "_")
	path := filepath.Join(c.config.CacheDir, "chart-"+keyed("oci "+ref)+".tgz")
	return c.cached(path, func() error {
		client, err := c.registry(r.Chart)
		if err != nil {
			return err
		}
		pulled, err := client.Pull(ref)
		if err != nil && strings.Contains(err.Error(), "not found") {
			return noVersion(r, "", err)
		}
		if err != nil {
			return noRepository(r.Chart, err)
		}
		if err := save(path, strings.NewReader(string(pulled.Chart.Data)), maxChart, ""); err != nil {
			return noRepository(r.Chart, err)
		}
		return nil
	})
}

// registry makes an OCI client. Plain HTTP is for registries on this machine.
func (c *Client) registry(ref string) (*registry.Client, error) {
	options := []registry.ClientOption{registry.ClientOptHTTPClient(c.config.HTTP)}
	if u, err := url.Parse(ref); err == nil {
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			options = append(options, registry.ClientOptPlainHTTP())
		}
	}
	client, err := registry.NewClient(options...)
	if err != nil {
		return nil, noRepository(ref, err)
	}
	return client, nil
}

func exact(version string) bool {
	_, err := semver.StrictNewVersion(version)
	return err == nil
}

// pick chooses the newest version that fits a wish. As in Helm, an exact match
// always fits, and "" is the newest that is no pre-release.
func pick(versions []string, wish string) (string, bool) {
	if slices.Contains(versions, wish) {
		return wish, true
	}
	if wish == "" {
		wish = "*"
	}
	constraint, err := semver.NewConstraint(wish)
	if err != nil {
		return "", false
	}
	var best *semver.Version
	for _, text := range versions {
		v, err := semver.NewVersion(text)
		if err == nil && constraint.Check(v) && (best == nil || v.GreaterThan(best)) {
			best = v
		}
	}
	if best == nil {
		return "", false
	}
	return best.Original(), true
}

func badChart(err error) error {
	return &environment.Error{Code: environment.CodeInvalid, Field: "chart", Err: err,
		Message: "The chart cannot be read; whoever wrote the profile must choose another version."}
}
