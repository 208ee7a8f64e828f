package gke

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/daskbot/daskbot/internal/environment"
)

// defaultBackoff is asked for when GKE limits our rate without saying for how
// long; its limits are counted per 100 seconds.
const defaultBackoff = 30 * time.Second

var (
	operationPattern = regexp.MustCompile(`\boperation-[0-9a-f-]*[0-9a-f]`)
	disabledPattern  = regexp.MustCompile(`(?i)SERVICE_DISABLED|has not been used in project|API .*(disabled|not enabled)`)
	unsentPattern    = regexp.MustCompile(`(?i)error while dialing|authentication handshake failed|no such host|name resolver error`)
)

// translate turns an error of the GKE client into an *environment.Error. It is
// the one place that reads gRPC codes and GKE's texts.
func translate(err error, project string) error {
	if err == nil {
		return nil
	}
	var known *environment.Error
	if errors.As(err, &known) {
		return known
	}
	text := textOf(err)
	e := &environment.Error{Err: err}
	switch codeOf(err) {
	case codes.NotFound:
		e.Code, e.Message = environment.CodeNotFound, "Google Cloud knows no such cluster or project."
	case codes.AlreadyExists:
		e.Code, e.Message = environment.CodeConflict, "A cluster of that name exists already."
	case codes.FailedPrecondition:
		e.Code, e.Message = environment.CodeUnavailable, "The cluster is busy with another change; daskbot goes on when that has ended."
		e.Busy = operationPattern.FindString(text)
	case codes.PermissionDenied:
		e.Code, e.Message = denied(text, project)
	case codes.Unauthenticated:
		e.Code, e.Message = environment.CodeForbidden, "Google Cloud does not accept daskbot's credentials; the people who run it have to renew them."
	case codes.ResourceExhausted:
		e.Code, e.Message = environment.CodeUnavailable, "Google Cloud asks daskbot to slow down; it tries again by itself."
		e.RetryAfter = retryAfter(err)
	case codes.InvalidArgument, codes.OutOfRange:
		e.Code, e.Message = environment.CodeInvalid, "Google Cloud does not accept this cluster as it is described; the people who run daskbot have to change the profile."
	case codes.Unimplemented:
		e.Code, e.Message = environment.CodeInternal, "Google Cloud does not offer something that daskbot needs."
	default: // unavailable, deadline exceeded, cancelled, aborted, internal, unknown
		e.Code, e.Message = environment.CodeUnavailable, "Google Cloud does not answer at the moment; daskbot tries again by itself."
	}
	return e
}

// asked is translate for a request that changes something: what got no clear
// answer may have been carried out.
func asked(err error, project string) error {
	translated := translate(err, project)
	var e *environment.Error
	if !errors.As(translated, &e) {
		return translated
	}
	switch codeOf(err) {
	case codes.DeadlineExceeded, codes.Canceled, codes.Unknown, codes.Internal, codes.Aborted:
		e.Ambiguous = true
	case codes.Unavailable:
		e.Ambiguous = !unsentPattern.MatchString(textOf(err))
	}
	return e
}

// codeOf is status.Code that also knows the errors of a context.
func codeOf(err error) codes.Code {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return codes.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		return codes.Canceled
	default:
		return status.Code(err)
	}
}

// textOf is GKE's own words, without what the client puts around them.
func textOf(err error) string {
	if s, ok := status.FromError(err); ok {
		return s.Message()
	}
	return err.Error()
}

// isAbsent reports that the cluster itself was not found; a NOT_FOUND that
// does not name it (a missing project or zone) proves nothing.
func isAbsent(err error, cluster string) bool {
	return codeOf(err) == codes.NotFound && strings.Contains(textOf(err), cluster)
}

func isBusy(err error) bool { return err != nil && codeOf(err) == codes.FailedPrecondition }

func apiDisabled(err error) bool {
	inner := cause(err)
	if disabledPattern.MatchString(textOf(inner)) {
		return true
	}
	for _, d := range details(inner) {
		if info, ok := d.(*errdetails.ErrorInfo); ok && info.GetReason() == "SERVICE_DISABLED" {
			return true
		}
	}
	return false
}

func retryAfter(err error) time.Duration {
	for _, d := range details(err) {
		if info, ok := d.(*errdetails.RetryInfo); ok && info.GetRetryDelay().AsDuration() > 0 {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return defaultBackoff
}

func details(err error) []any {
	s, ok := status.FromError(err)
	if !ok {
		return nil
	}
	return s.Details()
}

// denied sorts PERMISSION_DENIED, with which GKE also says that a quota does
// not allow a create.
func denied(text, project string) (environment.Code, string) {
	switch {
	case quotaPattern.MatchString(text):
		return environment.CodeQuota, quotaMessage(text)
	case disabledPattern.MatchString(text):
		return environment.CodeForbidden, fmt.Sprintf("The Kubernetes Engine API is not enabled in the project %s; its owner has to enable it.", project)
	default:
		return environment.CodeForbidden, fmt.Sprintf("daskbot may not do this in the project %s; its owner has to grant it access.", project)
	}
}
