package cloud

import (
	"errors"
	"fmt"
	"strings"
)

// Code is a canonical status of Google's APIs. The protocols in front of this
// package translate it to what their clients expect.
type Code string

// The codes the sandbox's cloud answers with.
const (
	InvalidArgument    Code = "INVALID_ARGUMENT"
	NotFound           Code = "NOT_FOUND"
	AlreadyExists      Code = "ALREADY_EXISTS"
	PermissionDenied   Code = "PERMISSION_DENIED"
	FailedPrecondition Code = "FAILED_PRECONDITION"
	ResourceExhausted  Code = "RESOURCE_EXHAUSTED"
	Unavailable        Code = "UNAVAILABLE"
	DeadlineExceeded   Code = "DEADLINE_EXCEEDED"
	Internal           Code = "INTERNAL"
	// InUse is FAILED_PRECONDITION with Compute's reason
	// resourceInUseByAnotherResource.
	InUse Code = "RESOURCE_IN_USE"
	// Stockout is what Compute calls ZONE_RESOURCE_POOL_EXHAUSTED.
	Stockout Code = "ZONE_RESOURCE_POOL_EXHAUSTED"
)

// Error is an answer of the emulated cloud, in the words of the real one. A
// front end shows Message as it is.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Message }

// Errorf makes an Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf is the code of the first Error or QuotaError in err's chain;
// Internal for any other error, empty for nil.
func CodeOf(err error) Code {
	var e *Error
	var q *QuotaError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.As(err, &q):
		return ResourceExhausted
	default:
		return Internal
	}
}

// Shortage is one quota that does not allow what was asked.
type Shortage struct {
	Metric    string
	Region    string // empty for a quota of the whole project
	Requested float64
	Limit     float64
	Usage     float64
}

// Available is what the quota still allows.
func (s Shortage) Available() float64 { return max(0, s.Limit-s.Usage) }

// QuotaError says which quotas were too small. Nothing was made.
type QuotaError struct {
	Project   string
	Object    string // what could not be made: an instance, a disk, an address
	Shortages []Shortage
}

// Error is the text Compute gives when a resource does not fit its quota.
func (e *QuotaError) Error() string {
	parts := make([]string, 0, len(e.Shortages))
	for _, s := range e.Shortages {
		where := "globally"
		if s.Region != "" {
			where = "in region " + s.Region
		}
		parts = append(parts, fmt.Sprintf("Quota '%s' exceeded. Limit: %.1f %s.", s.Metric, s.Limit, where))
	}
	return fmt.Sprintf("Instance '%s' creation failed: %s", e.Object, strings.Join(parts, " "))
}

// Preflight is the text with which GKE refuses a request before it starts
// anything, because the quota would not allow it.
func (e *QuotaError) Preflight() string {
	parts := make([]string, 0, len(e.Shortages))
	for i, s := range e.Shortages {
		scope := "regional"
		if s.Region == "" {
			scope = "project"
		}
		lead := "Insufficient"
		if len(e.Shortages) > 1 {
			lead = fmt.Sprintf("(%d) insufficient", i+1)
		}
		parts = append(parts, fmt.Sprintf("%s %s quota to satisfy request: resource %q: request requires '%.1f' and is short '%.1f'. "+
			"project has a quota of '%.1f' with '%.1f' available. View and manage quotas at "+
			"https://console.cloud.google.com/iam-admin/quotas?usage=USED&project=%s.",
			lead, scope, s.Metric, s.Requested, s.Requested-s.Available(), s.Limit, s.Available(), e.Project))
	}
	return strings.Join(parts, " ")
}
