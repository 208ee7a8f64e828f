package gke

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/daskbot/daskbot/internal/environment"
)

var (
	quotaPattern    = regexp.MustCompile(`(?i)insufficient (regional|project) quota|quota '[A-Z0-9_]+' exceeded|GCE_QUOTA_EXCEEDED|QUOTA_EXCEEDED|you cannot create more than`)
	stockoutPattern = regexp.MustCompile(`(?i)GCE_STOCKOUT|RESOURCE_POOL_EXHAUSTED|does not have enough resources available`)
	notReadyPattern = regexp.MustCompile(`(?i)subnetworks/\S+ is not ready|resourceNotReady`)
)

// operationFailure explains an operation that is done with an error.
func operationFailure(op *pb.Operation) *environment.Error {
	code := codes.Code(op.GetError().GetCode())
	text := op.GetError().GetMessage() + conditionText(op.GetClusterConditions()) //nolint:staticcheck // deprecated, and still where GKE puts the reason
	return explain(code, text, attempted(op))
}

// clusterFailure explains a cluster that does not work: one in ERROR, or one
// whose create still runs but is known to find no machines. It is nil while
// nothing is wrong.
func clusterFailure(cluster *pb.Cluster) *environment.Error {
	if cluster == nil {
		return nil
	}
	text := conditionText(cluster.GetConditions())
	lost := stockoutPattern.MatchString(text) || quotaPattern.MatchString(text)
	if cluster.GetStatus() != pb.Cluster_ERROR && !lost {
		return nil
	}
	if text == "" {
		text = cluster.GetStatusMessage() //nolint:staticcheck // deprecated, and all there is when there are no conditions
	}
	return explain(codes.Unknown, text, "does not work")
}

func conditionText(conditions []*pb.StatusCondition) string {
	var b strings.Builder
	for _, c := range conditions {
		code := c.GetCode() //nolint:staticcheck // deprecated for canonical codes, which cannot tell a stockout from a quota
		fmt.Fprintf(&b, " [%s] %s", code, c.GetMessage())
	}
	return b.String()
}

// attempted completes "The cluster …".
func attempted(op *pb.Operation) string {
	switch op.GetOperationType() {
	case pb.Operation_CREATE_CLUSTER:
		return "could not be made"
	case pb.Operation_DELETE_CLUSTER:
		return "could not be deleted"
	default:
		return "could not be changed"
	}
}

// explain sorts the reason why something that GKE had accepted failed later.
// A stockout comes first: its code is the same as that of a quota.
func explain(code codes.Code, text, what string) *environment.Error {
	e := &environment.Error{Code: environment.CodeUnavailable, Err: reason(code, text)}
	switch {
	case stockoutPattern.MatchString(text):
		e.Stockout = true
		e.Message = "Google Cloud has no machines of this kind left in this zone at the moment."
	case quotaPattern.MatchString(text), code == codes.ResourceExhausted:
		e.Code, e.Message = environment.CodeQuota, quotaMessage(text)
	case notReadyPattern.MatchString(text):
		e.Message = "Google Cloud's network was busy with another change."
	case code == codes.PermissionDenied, strings.Contains(text, "SERVICE_ACCOUNT"):
		e.Code = environment.CodeForbidden
		e.Message = fmt.Sprintf("The cluster %s because the nodes' service account lacks permissions in the project.", what)
	case code == codes.InvalidArgument:
		e.Code = environment.CodeInvalid
		e.Message = fmt.Sprintf("The cluster %s as it is described; the people who run daskbot have to change the profile.", what)
	default:
		e.Message = fmt.Sprintf("The cluster %s: Google Cloud reports a fault.", what)
	}
	return e
}

func reason(code codes.Code, text string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		return errors.New("GKE gave no reason")
	}
	if code == codes.Unknown {
		return errors.New(text)
	}
	return status.Error(code, text)
}

var (
	shortPattern    = regexp.MustCompile(`resource "([A-Z0-9_]+)": request requires '([0-9.]+)' and is short '([0-9.]+)'\. project has a quota of '([0-9.]+)' with '([0-9.]+)' available`)
	exceededPattern = regexp.MustCompile(`(?i)Quota '([A-Z0-9_]+)' exceeded\.\s+Limit: ([0-9.]+)(?: in region ([a-z0-9-]+))?`)
)

// quotaMessage says in a sentence which quota is too small, as far as the text
// says so.
func quotaMessage(text string) string {
	var parts []string
	for _, m := range shortPattern.FindAllStringSubmatch(text, -1) {
		parts = append(parts, fmt.Sprintf("%s of %s %s are left and this needs %s", number(m[5]), number(m[4]), quotaName(m[1]), number(m[2])))
	}
	for _, m := range exceededPattern.FindAllStringSubmatch(text, -1) {
		where := ""
		if m[3] != "" {
			where = " in " + m[3]
		}
		parts = append(parts, fmt.Sprintf("no more than %s %s are allowed%s", number(m[2]), quotaName(m[1]), where))
	}
	const next = " End another environment, ask for a smaller one, or ask the project's owner for more quota."
	if len(parts) == 0 {
		return "The cloud project's quota does not allow another cluster." + next
	}
	return "The cloud project's quota is too small: " + strings.Join(parts, ", and ") + "." + next
}

var quotaNames = map[string]string{
	"CPUS":             "CPUs",
	"CPUS_ALL_REGIONS": "CPUs over all regions",
	"IN_USE_ADDRESSES": "IP addresses",
	"STATIC_ADDRESSES": "reserved IP addresses",
	"DISKS_TOTAL_GB":   "GB of disk",
	"SSD_TOTAL_GB":     "GB of SSD",
	"INSTANCES":        "machines",
}

func quotaName(metric string) string { return either(quotaNames[metric], metric) }

// number drops the ".0" that quotas are printed with.
func number(s string) string { return strings.TrimSuffix(s, ".0") }
