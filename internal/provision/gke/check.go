package gke

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"

	"github.com/daskbot/daskbot/internal/environment"
)

// Check asks GKE, for every location of the shape, whether it serves the
// location and offers the version on the channel. A refusal is CodeInvalid and
// says what is on offer. It creates nothing, and does not look at quotas, nor
// at whether the machine type exists.
func (c *Client) Check(ctx context.Context, project string, shape environment.ClusterShape) error {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	channel, err := parseChannel(either(shape.Channel, c.defaults.Channel))
	if err != nil {
		return err
	}
	if err := checkShape(shape); err != nil {
		return err
	}
	for _, location := range shape.Locations {
		if err := c.checkLocation(ctx, project, location, channel, shape.Version); err != nil {
			return err
		}
	}
	return nil
}

// minDiskGB is the smallest boot disk GKE accepts.
const minDiskGB = 10

func checkShape(shape environment.ClusterShape) error {
	switch {
	case len(shape.Locations) == 0:
		return environment.Invalid("locations", "A cluster needs a location, such as %q.", "europe-west1-b")
	case shape.MachineType == "":
		return environment.Invalid("machineType", "A cluster needs a machine type, such as %q.", "e2-standard-2")
	case shape.DiskGB < minDiskGB:
		return environment.Invalid("diskGb", "A node's disk has at least %d GB; %d is too small.", minDiskGB, shape.DiskGB)
	case shape.Nodes < 1:
		return environment.Invalid("nodes", "A cluster starts with at least 1 node.")
	case shape.Autoscaled() && (shape.Nodes < shape.MinNodes || shape.Nodes > shape.MaxNodes):
		return environment.Invalid("nodes", "A cluster that may have %d to %d nodes cannot start with %d.", shape.MinNodes, shape.MaxNodes, shape.Nodes)
	}
	return nil
}

var locationPattern = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+(-[a-z])?$`)

func (c *Client) checkLocation(ctx context.Context, project, location string, channel pb.ReleaseChannel_Channel, version string) error {
	unknown := environment.Invalid("locations", "There is no location %q; use a zone such as %q, or a region such as %q.",
		location, "europe-west1-b", "europe-west1")
	if !locationPattern.MatchString(location) {
		return unknown
	}
	config, err := c.api.GetServerConfig(ctx, &pb.GetServerConfigRequest{Name: parent(project, location)})
	switch codeOf(err) {
	case codes.OK:
		return checkVersion(version, location, offered(config, channel))
	case codes.InvalidArgument, codes.NotFound:
		unknown.Err = err
		return unknown
	default:
		return translate(err, project)
	}
}

// offer is what one channel has in one location.
type offer struct {
	channel      string
	defaultValue string
	versions     []string
}

func offered(config *pb.ServerConfig, channel pb.ReleaseChannel_Channel) offer {
	o := offer{channel: strings.ToLower(channel.String()), defaultValue: config.GetDefaultClusterVersion(), versions: config.GetValidMasterVersions()}
	for _, ch := range config.GetChannels() {
		if ch.GetChannel() == channel {
			o.defaultValue, o.versions = ch.GetDefaultVersion(), ch.GetValidVersions()
		}
	}
	return o
}

// nearest is how many versions a refusal proposes.
const nearest = 3

func checkVersion(wish, location string, o offer) error {
	if wish == "" || wish == "-" || wish == "latest" {
		return nil
	}
	for _, v := range o.versions {
		if v == wish || strings.HasPrefix(v, wish+".") || strings.HasPrefix(v, wish+"-") {
			return nil
		}
	}
	message := fmt.Sprintf("Kubernetes %s is not on offer in %s on the %s channel.", wish, location, o.channel)
	if near := nearestVersions(wish, o.versions); len(near) > 0 {
		message += fmt.Sprintf(" The nearest that are: %s.", strings.Join(near, ", "))
	}
	message += " Leave the version out to get the channel's default"
	if o.defaultValue != "" {
		message += ", now " + o.defaultValue
	}
	return environment.Invalid("version", "%s.", message)
}

// nearestVersions proposes, for at most three minor versions closest to the
// wish, the newest of each.
func nearestVersions(wish string, versions []string) []string {
	newest := map[int]string{}
	for _, v := range versions {
		if m := minor(v); newest[m] == "" || compareVersions(v, newest[m]) > 0 {
			newest[m] = v
		}
	}
	minors := make([]int, 0, len(newest))
	for m := range newest {
		minors = append(minors, m)
	}
	target := minor(wish)
	slices.SortFunc(minors, func(a, b int) int { return cmp.Or(cmp.Compare(distance(a, target), distance(b, target)), b-a) })
	minors = minors[:min(nearest, len(minors))]
	slices.Sort(minors)
	near := make([]string, len(minors))
	for i, m := range minors {
		near[i] = newest[m]
	}
	return near
}

func distance(a, b int) int { return max(a-b, b-a) }

// minor is 35 of "1.35.8-gke.1036000", and -1 of what is no version.
func minor(version string) int {
	parts := numbers(version)
	if len(parts) < 2 {
		return -1
	}
	return parts[1]
}

var numberPattern = regexp.MustCompile(`[0-9]+`)

func numbers(version string) []int {
	var parts []int
	for _, s := range numberPattern.FindAllString(version, -1) {
		n, err := strconv.Atoi(s)
		if err != nil { // longer than any version is
			return nil
		}
		parts = append(parts, n)
	}
	return parts
}

func compareVersions(a, b string) int { return slices.Compare(numbers(a), numbers(b)) }
