package gke

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "cloud.google.com/go/container/apiv1/containerpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/daskbot/daskbot/internal/environment"
)

const cpuQuota = `Insufficient regional quota to satisfy request: resource "CPUS": request requires '12.0' and is short '4.0'. ` +
	`project has a quota of '8.0' with '8.0' available. View and manage quotas at https://console.cloud.google.com/iam-admin/quotas?usage=USED&project=p.`

func TestTranslate(t *testing.T) {
	tests := map[string]struct {
		err   error
		code  environment.Code
		says  string
		busy  string
		after time.Duration
	}{
		"missing":        {notFound(), environment.CodeNotFound, "no such cluster", "", 0},
		"exists":         {status.Error(codes.AlreadyExists, "Already exists: projects/1/zones/z/clusters/c."), environment.CodeConflict, "exists already", "", 0},
		"busy":           {status.Error(codes.FailedPrecondition, "Cluster is running incompatible operation "+operationID+"."), environment.CodeUnavailable, "busy", operationID, 0},
		"busy, older":    {status.Error(codes.FailedPrecondition, "Operation "+operationID+" is currently upgrading cluster c. Please wait and try again once it is done."), environment.CodeUnavailable, "busy", operationID, 0},
		"busy, wordless": {status.Error(codes.FailedPrecondition, "Labels could not be set due to fingerprint mismatch."), environment.CodeUnavailable, "busy", "", 0},
		"regional quota": {status.Error(codes.PermissionDenied, cpuQuota), environment.CodeQuota, "8 of 8 CPUs are left and this needs 12", "", 0},
		"several quotas": {status.Error(codes.PermissionDenied, `(1) insufficient regional quota to satisfy request: resource "CPUS": request requires '12.0' and is short '4.0'. project has a quota of '8.0' with '8.0' available. `+
			`(2) insufficient project quota to satisfy request: resource "CPUS_ALL_REGIONS": request requires '12.0' and is short '2.0'. project has a quota of '12.0' with '10.0' available.`),
			environment.CodeQuota, "8 of 8 CPUs are left and this needs 12, and 10 of 12 CPUs over all regions are left and this needs 12", "", 0},
		"cluster count":           {status.Error(codes.PermissionDenied, "You cannot create more than 3 clusters in zone europe-west1-b, you must request a regional CPU quota of 25 CPUs or more."), environment.CodeQuota, "quota does not allow another cluster", "", 0},
		"IAM":                     {status.Error(codes.PermissionDenied, `Required "container.clusters.create" permission(s) for "projects/p".`), environment.CodeForbidden, "grant it access", "", 0},
		"API disabled":            {status.Error(codes.PermissionDenied, "Kubernetes Engine API has not been used in project 1 before or it is disabled."), environment.CodeForbidden, "not enabled", "", 0},
		"credentials":             {status.Error(codes.Unauthenticated, "Request had invalid authentication credentials."), environment.CodeForbidden, "credentials", "", 0},
		"rate limit":              {status.Error(codes.ResourceExhausted, "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service 'container.googleapis.com'."), environment.CodeUnavailable, "slow down", "", 30 * time.Second},
		"rate limit with a delay": {withDelay(t, 7*time.Second), environment.CodeUnavailable, "slow down", "", 7 * time.Second},
		"too many operations":     {status.Error(codes.ResourceExhausted, `Too many operations: cluster "x" hits the concurrent operations quota 5`), environment.CodeUnavailable, "slow down", "", 30 * time.Second},
		"version":                 {status.Error(codes.InvalidArgument, `Master version "1.23" is unsupported.`), environment.CodeInvalid, "change the profile", "", 0},
		"unavailable":             {status.Error(codes.Unavailable, "The service is currently unavailable."), environment.CodeUnavailable, "does not answer", "", 0},
		"deadline":                {context.DeadlineExceeded, environment.CodeUnavailable, "does not answer", "", 0},
		"wrapped cancel":          {fmt.Errorf("call: %w", context.Canceled), environment.CodeUnavailable, "does not answer", "", 0},
		"unimplemented":           {status.Error(codes.Unimplemented, "unknown method"), environment.CodeInternal, "does not offer", "", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var e *environment.Error
			if !errors.As(translate(test.err, "p"), &e) {
				t.Fatal("got an error of another type; want *environment.Error")
			}
			if e.Code != test.code || e.Busy != test.busy || e.RetryAfter != test.after || !strings.Contains(e.Message, test.says) {
				t.Errorf("got %q %q, busy %q, after %s; want %q …%q…, busy %q, after %s",
					e.Code, e.Message, e.Busy, e.RetryAfter, test.code, test.says, test.busy, test.after)
			}
			if !errors.Is(e, test.err) {
				t.Error("the cause was lost; want it kept for the log")
			}
			if strings.Contains(e.Message, "projects/") || strings.Contains(e.Message, "rpc error") {
				t.Errorf("got %q; want a sentence for people", e.Message)
			}
		})
	}
}

func withDelay(t *testing.T, d time.Duration) error {
	t.Helper()
	s, err := status.New(codes.ResourceExhausted, "Quota exceeded for quota metric 'Requests'").
		WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(d)})
	if err != nil {
		t.Fatal(err)
	}
	return s.Err()
}

func TestTranslateKeepsWhatIsTranslated(t *testing.T) {
	want := environment.Errorf(environment.CodeQuota, "Enough.")
	if got := translate(fmt.Errorf("again: %w", want), "p"); !errors.Is(got, want) {
		t.Errorf("got %v; want %v", got, want)
	}
	if got := translate(nil, "p"); got != nil {
		t.Errorf("got %v; want nil", got)
	}
}

func TestAskedIsAmbiguousOnlyWithoutAClearAnswer(t *testing.T) {
	tests := map[string]struct {
		err  error
		want bool
	}{
		"reply lost":    {status.Error(codes.Unavailable, "The connection was reset before the reply arrived."), true},
		"not connected": {status.Error(codes.Unavailable, `connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`), false},
		"deadline":      {context.DeadlineExceeded, true},
		"cancelled":     {context.Canceled, true},
		"aborted":       {status.Error(codes.Aborted, "aborted"), true},
		"refused":       {status.Error(codes.PermissionDenied, cpuQuota), false},
		"busy":          {status.Error(codes.FailedPrecondition, "busy"), false},
		"rate":          {status.Error(codes.ResourceExhausted, "slow down"), false},
	}
	for name, test := range tests {
		var e *environment.Error
		if !errors.As(asked(test.err, "p"), &e) || e.Ambiguous != test.want {
			t.Errorf("%s: got %+v; want ambiguous %v", name, e, test.want)
		}
	}
}

func TestExplain(t *testing.T) {
	tests := map[string]struct {
		code     codes.Code
		text     string
		want     environment.Code
		stockout bool
		says     string
	}{
		"late quota": {codes.ResourceExhausted, "Instance 'gke-x' creation failed: Quota 'IN_USE_ADDRESSES' exceeded. Limit: 8.0 in region europe-west1.",
			environment.CodeQuota, false, "no more than 8 IP addresses are allowed in europe-west1"},
		"late quota, code only":      {codes.ResourceExhausted, "resources exhausted", environment.CodeQuota, false, "quota does not allow"},
		"stockout":                   {codes.Unknown, stockoutText, environment.CodeUnavailable, true, "no machines"},
		"stockout with quota's code": {codes.ResourceExhausted, " [GCE_STOCKOUT] try another zone", environment.CodeUnavailable, true, "no machines"},
		"subnet busy":                {codes.Unknown, "The resource 'projects/p/regions/r/subnetworks/default' is not ready.", environment.CodeUnavailable, false, "network was busy"},
		"nodes' account":             {codes.Unknown, " [GKE_SERVICE_ACCOUNT_DELETED] gone", environment.CodeForbidden, false, "service account"},
		"denied":                     {codes.PermissionDenied, "no", environment.CodeForbidden, false, "service account"},
		"invalid":                    {codes.InvalidArgument, "no", environment.CodeInvalid, false, "profile"},
		"no reason":                  {codes.Internal, "", environment.CodeUnavailable, false, "could not be made"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := explain(test.code, test.text, "could not be made")
			if e.Code != test.want || e.Stockout != test.stockout || !strings.Contains(e.Message, test.says) || e.Err == nil {
				t.Errorf("got %+v; want %q, stockout %v, …%q…", e, test.want, test.stockout, test.says)
			}
		})
	}
}

func TestFailureNamesWhatFailed(t *testing.T) {
	for kind, want := range map[pb.Operation_Type]string{
		pb.Operation_CREATE_CLUSTER: "could not be made", pb.Operation_DELETE_CLUSTER: "could not be deleted", pb.Operation_SET_NODE_POOL_SIZE: "could not be changed",
	} {
		op := running(failed(codes.Internal, "Internal error."), func(op *pb.Operation) { op.OperationType = kind })
		if got := operationFailure(op).Message; !strings.Contains(got, want) {
			t.Errorf("%s: got %q; want …%q…", kind, got, want)
		}
	}
}
