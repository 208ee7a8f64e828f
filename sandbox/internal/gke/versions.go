package gke

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloud.google.com/go/container/apiv1/containerpb"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// release is what one channel offers, newest first.
type release struct {
	channel  containerpb.ReleaseChannel_Channel
	standard string
	valid    []string
}

var releases = []release{
	{containerpb.ReleaseChannel_RAPID, "1.36.2-gke.1094000", []string{
		"1.36.3-gke.1021000", "1.36.2-gke.1094000", "1.35.9-gke.1014000"}},
	{containerpb.ReleaseChannel_REGULAR, "1.35.8-gke.1036000", []string{
		"1.36.1-gke.1107000", "1.35.8-gke.1036000", "1.35.7-gke.1063000", "1.34.11-gke.1050000", "1.33.13-gke.1022000"}},
	{containerpb.ReleaseChannel_STABLE, "1.34.11-gke.1050000", []string{
		"1.35.7-gke.1063000", "1.34.11-gke.1050000", "1.33.13-gke.1022000"}},
	{containerpb.ReleaseChannel_EXTENDED, "1.35.8-gke.1036000", []string{
		"1.35.8-gke.1036000", "1.34.11-gke.1050000", "1.33.13-gke.1022000", "1.32.15-gke.1041000", "1.31.18-gke.1009000"}},
}

func releaseOf(channel containerpb.ReleaseChannel_Channel) release {
	for _, r := range releases {
		if r.channel == channel {
			return r
		}
	}
	regular := releases[1]
	return release{channel: channel, standard: regular.standard, valid: allVersions()}
}

// allVersions lists every valid version once, newest first.
func allVersions() []string {
	var all []string
	for _, r := range releases {
		all = append(all, r.valid...)
	}
	slices.SortFunc(all, func(a, b string) int { return compareVersions(b, a) })
	return slices.Compact(all)
}

var versionPrefix = regexp.MustCompile(`^\d+\.\d+(\.\d+)?$`)

// resolveVersion finds the version a create request means: an alias ("",
// "-", "latest"), a prefix ("1.35", "1.35.8") or one in full.
func resolveVersion(channel containerpb.ReleaseChannel_Channel, wanted string) (string, error) {
	r := releaseOf(channel)
	switch {
	case wanted == "" || wanted == "-":
		return r.standard, nil
	case wanted == "latest":
		return r.valid[0], nil
	case slices.Contains(r.valid, wanted):
		return wanted, nil
	case !versionPrefix.MatchString(wanted):
		return "", cloud.Errorf(cloud.InvalidArgument, "Master version %q is unsupported.", wanted)
	}
	if strings.HasPrefix(r.standard, wanted+".") || strings.HasPrefix(r.standard, wanted+"-") {
		return r.standard, nil
	}
	for _, v := range r.valid {
		if strings.HasPrefix(v, wanted+".") || strings.HasPrefix(v, wanted+"-") {
			return v, nil
		}
	}
	return "", cloud.Errorf(cloud.InvalidArgument, "No valid versions with the prefix %q found.", wanted)
}

// compareVersions orders versions by their numbers.
func compareVersions(a, b string) int {
	numbers := func(v string) []int {
		var ns []int
		for _, part := range strings.FieldsFunc(v, func(r rune) bool { return r < '0' || r > '9' }) {
			n, _ := strconv.Atoi(part) // only digits are left
			ns = append(ns, n)
		}
		return ns
	}
	return cmp.Or(slices.Compare(numbers(a), numbers(b)), cmp.Compare(a, b))
}

func serverConfig() *containerpb.ServerConfig {
	cfg := &containerpb.ServerConfig{
		DefaultClusterVersion: releases[1].standard, DefaultImageType: "COS_CONTAINERD",
		ValidImageTypes:     []string{"COS_CONTAINERD", "UBUNTU_CONTAINERD"},
		ValidMasterVersions: allVersions(), ValidNodeVersions: allVersions(),
	}
	for _, r := range releases {
		cfg.Channels = append(cfg.Channels, &containerpb.ServerConfig_ReleaseChannelConfig{
			Channel: r.channel, DefaultVersion: r.standard, ValidVersions: slices.Clone(r.valid), UpgradeTargetVersion: r.standard,
		})
	}
	return cfg
}
