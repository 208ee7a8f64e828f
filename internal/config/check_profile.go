package config

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/daskbot/daskbot/internal/environment"
)

var (
	// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
	quantityPattern    = regexp.MustCompile(`^[0-9]+(?:\.[0-9]+)?(?:m|[kMGTPE]|[KMGTPE]i)?$`)
	selectorPattern    = regexp.MustCompile(`^[A-Za-z0-9./_-]+(?:=|!=| in | notin )?[A-Za-z0-9./_(), -]*(?:,[A-Za-z0-9./_-]+(?:=|!=| in | notin )?[A-Za-z0-9./_(), -]*)*$`)
	machinePattern     = regexp.MustCompile(`^[a-z][a-z0-9]*(?:-[a-z0-9]+)+$`)
	placeholderPattern = regexp.MustCompile(`\$\{[a-z0-9.-]+\}`)
	versionPattern     = regexp.MustCompile(`^[0-9A-Za-z.+*xX<>=!~^|, -]*$`)
)

// checkProfile reports what is wrong with a profile after inheritance. at is
// where it was written.
func checkProfile(k *checker, at string, p environment.Profile, c *Config) {
	k.label(at, p.Name, "physics-hub")
	k.oneOf(at+".placement", string(p.Placement), string(environment.Dedicated), string(environment.Shared))
	k.label(at+".namespace", p.Namespace, "daskhub")
	checkPlace(k, at, p, c)
	checkReleases(k, at+".releases", p.Releases)
	checkAccess(k, at+".access", p.Access)
	checkWorkers(k, at+".workers", p.Workers, p.Releases)
	checkTenancy(k, at+".tenancy", p.Tenancy)
	if !reflect.ValueOf(p.Policy).IsZero() { // else the default's problems are told once, there
		checkPolicy(k, at+".policy", p.Policy, c.Defaults)
	}
	for _, name := range unique(environment.Placeholders(p)) {
		if !slices.Contains(environment.PlaceholderNames(), name) {
			k.r.add(at, "there is no placeholder ${%s}; there are ${%s}", name, strings.Join(environment.PlaceholderNames(), "} ${"))
		}
	}
}

// checkPlace checks where the profile runs: on a given cluster, or on one of
// the shape it describes.
func checkPlace(k *checker, at string, p environment.Profile, c *Config) {
	if p.Given != "" {
		if _, ok := c.Clusters[p.Given]; !ok {
			k.r.add(at+".given", "there is no cluster %q under clusters", p.Given)
		}
		if p.Placement != environment.Shared {
			k.r.add(at+".placement", "a given cluster is not daskbot's to delete, so its environments share it; write placement: shared")
		}
		return
	}
	checkShape(k, at+".cluster", p.Cluster)
}

func checkShape(k *checker, at string, shape environment.ClusterShape) {
	if !machinePattern.MatchString(shape.MachineType) {
		k.r.add(at+".machineType", "%q is not a machine type, such as e2-standard-4", shape.MachineType)
	}
	if bounds := []int{0, shape.MinNodes, shape.Nodes, shape.MaxNodes}; shape.Nodes < 1 || !slices.IsSorted(bounds) {
		k.r.add(at+".nodes", "%d nodes do not lie between minNodes %d and maxNodes %d; write for example nodes: 1, minNodes: 1, maxNodes: 10",
			shape.Nodes, shape.MinNodes, shape.MaxNodes)
	}
	if shape.DiskGB != 0 {
		k.atLeast(at+".diskGb", int64(shape.DiskGB), 10)
	}
	if shape.DiskType != "" {
		k.oneOf(at+".diskType", shape.DiskType, "pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced")
	}
	if shape.Channel != "" {
		k.oneOf(at+".channel", strings.ToLower(shape.Channel), "rapid", "regular", "stable", "extended")
	}
	if len(shape.Locations) == 0 {
		k.r.add(at+".locations", "names no zone; write for example [europe-west1-b, europe-west1-c], or set gke.locations")
	}
	for i, l := range shape.Locations {
		checkLocation(k, fmt.Sprintf("%s.locations[%d]", at, i), l)
	}
}

func checkReleases(k *checker, at string, releases []environment.Release) {
	if len(releases) == 0 {
		k.r.add(at, "lists no Helm release; copy a built-in profile to start from")
	}
	seen := map[string]bool{}
	for i, release := range releases {
		at := fmt.Sprintf("%s[%d]", at, i)
		if seen[release.Name] {
			k.r.add(at+".name", "%q is the name of two releases", release.Name)
		}
		seen[release.Name] = true
		checkRelease(k, at, release)
	}
}

func checkRelease(k *checker, at string, release environment.Release) {
	k.label(at+".name", release.Name, "dhub")
	if len(release.Name) > 53 {
		k.r.add(at+".name", "is longer than the 53 characters Helm allows")
	}
	if release.Chart == "" {
		k.r.add(at+".chart", "is missing; write a chart's name such as daskhub, an oci:// URL or a path")
	}
	if release.Repository != "" {
		k.url(at+".repository", release.Repository, "https", "http")
	}
	if !versionPattern.MatchString(release.Version) {
		k.r.add(at+".version", "%q is not a version or range, such as 2024.1.1 or >=2024.1", release.Version)
	}
	for key := range release.Values {
		if len(release.TopLevel) > 0 && !slices.Contains(release.TopLevel, key) {
			k.r.add(at+".values", "the chart knows no value %q%s", key, suggestion(key, release.TopLevel))
		}
	}
	checkManifests(k, at+".manifests", release.Manifests)
}

func checkAccess(k *checker, at string, access environment.Access) {
	k.oneOf(at+".kind", string(access.Kind), string(environment.AccessJupyterHub), string(environment.AccessJupyter))
	k.label(at+".service", access.Service, "proxy-public")
	checkPort(k, at+".port", access.Port)
	if access.DashboardService != "" {
		k.label(at+".dashboardService", access.DashboardService, "dask-scheduler")
		checkPort(k, at+".dashboardPort", access.DashboardPort)
	}
	k.oneOf(at+".google", access.Google, "none", "view", "edit", "cluster-admin")
}

func checkPort(k *checker, path string, port int) {
	if port < 1 || port > 65535 {
		k.r.add(path, "%d is not a port, such as 80", port)
	}
}

func checkWorkers(k *checker, at string, w environment.Workers, releases []environment.Release) {
	k.oneOf(at+".kind", string(w.Kind), string(environment.WorkersValues), string(environment.WorkersDaskCluster), string(environment.WorkersNodes))
	if w.Default < 0 || w.Default > w.Max {
		k.r.add(at+".default", "%d does not lie between 0 and max, %d", w.Default, w.Max)
	}
	if !selectorPattern.MatchString(w.Selector) {
		k.r.add(at+".selector", "%q is not a label selector, such as dask.org/component=worker", w.Selector)
	}
	switch w.Kind {
	case environment.WorkersDaskCluster:
		if !strings.Contains(w.Manifest, "${workers}") {
			k.r.add(at+".manifest", "must be a DaskCluster with ${workers} in it when kind is daskcluster")
		}
	case environment.WorkersValues:
		if !slices.Contains(environment.Placeholders(environment.Profile{Releases: releases}), "workers") {
			k.r.add(at+".kind", "values needs ${workers} in some release's values, such as worker: {replicas: \"${workers}\"}")
		}
	case environment.WorkersNodes: // the node pool's bounds say all
	}
	checkManifests(k, at+".manifest", w.Manifest)
}

// checkManifests reports text that is not YAML. A placeholder stands in for
// what it will become: only the shape of the text is checked.
func checkManifests(k *checker, path, text string) {
	decoder := yaml.NewDecoder(strings.NewReader(placeholderPattern.ReplaceAllString(text, "1")))
	for {
		var doc yaml.Node
		err := decoder.Decode(&doc)
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) {
			k.r.add(path, "is not YAML: %s", yamlMessage(err))
		}
		return
	}
}

func checkTenancy(k *checker, at string, t environment.Tenant) {
	for key, quantity := range map[string]string{"cpu": t.CPU, "memory": t.Memory, "storage": t.Storage} {
		if quantity != "" && !quantityPattern.MatchString(quantity) {
			k.r.add(at+"."+key, "%q is not a quantity, such as 4, 500m or 16Gi", quantity)
		}
	}
	k.atLeast(at+".pods", int64(t.Pods), 0)
	if t.PodSecurity != "" {
		k.oneOf(at+".podSecurity", t.PodSecurity, "privileged", "baseline", "restricted")
	}
}

func unique(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
