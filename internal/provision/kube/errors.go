package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daskbot/daskbot/internal/environment"
)

// The sentences that people see. None of them names an object, a host or an
// internal: what does is in Err, for the log.
const (
	sayUnreachable = "The cluster does not answer at the moment; daskbot tries again."
	sayThrottled   = "The cluster is busy and asked daskbot to come back later."
	sayRefusedUs   = "The cluster does not accept daskbot's identity at the moment; daskbot tries again."
	sayForbidden   = "daskbot may not do this in the cluster; whoever runs daskbot must grant it the missing permission."
	sayQuota       = "The environment's share of the cluster is used up; ask for less, or ask your instructor for a larger share."
	sayConflict    = "Something else changed the same object at the same time; daskbot looks again."
	sayAbsent      = "This does not exist in the cluster."
	sayInvalid     = "The cluster refused what the profile asks for; whoever wrote the profile must correct it."
	sayTerminating = "The namespace is still being deleted; daskbot waits until it is gone."
	sayUnknownKind = "The cluster does not know a kind of object that the profile uses yet; daskbot tries again."
)

// translate turns what client-go returns into the one error type that leaves
// the package. op says what was being done, for the log.
func translate(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *environment.Error
	if errors.As(err, &known) {
		return err
	}
	out := &environment.Error{Err: fmt.Errorf("%s: %w", op, err)}
	if classifyStatus(out, err) {
		return out
	}
	if meta.IsNoMatchError(err) {
		out.Code, out.Message = environment.CodeUnavailable, sayUnknownKind
		return out
	}
	// Everything that is no answer of the API server is a connection that did
	// not come about or broke: a refused dial, a failed handshake, a deadline.
	var netErr net.Error
	out.Code, out.Message = environment.CodeUnavailable, sayUnreachable
	out.Ambiguous = errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout()
	return out
}

// answers sorts what the API server says; the first that fits counts.
var answers = []struct {
	is      func(error) bool
	code    environment.Code
	message string
}{
	{isTerminating, environment.CodeUnavailable, sayTerminating},
	{apierrors.IsNotFound, environment.CodeNotFound, sayAbsent},
	{apierrors.IsGone, environment.CodeNotFound, sayAbsent},
	{apierrors.IsConflict, environment.CodeConflict, sayConflict},
	{apierrors.IsAlreadyExists, environment.CodeConflict, sayConflict},
	{isOverQuota, environment.CodeQuota, sayQuota},
	{apierrors.IsForbidden, environment.CodeForbidden, sayForbidden},
	// A fresh cluster refuses good tokens for some seconds, so this is worth
	// another try; the phase's deadline ends it.
	{apierrors.IsUnauthorized, environment.CodeUnavailable, sayRefusedUs},
	{apierrors.IsInvalid, environment.CodeInvalid, sayInvalid},
	{apierrors.IsBadRequest, environment.CodeInvalid, sayInvalid},
	{apierrors.IsRequestEntityTooLargeError, environment.CodeInvalid, sayInvalid},
	{apierrors.IsMethodNotSupported, environment.CodeInvalid, sayInvalid},
	{apierrors.IsTooManyRequests, environment.CodeUnavailable, sayThrottled},
}

func isTerminating(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}

func isOverQuota(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota")
}

// classifyStatus handles answers of the API server and reports whether err was one.
func classifyStatus(out *environment.Error, err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
		out.RetryAfter = time.Duration(seconds) * time.Second
	}
	for _, a := range answers {
		if a.is(err) {
			out.Code, out.Message = a.code, a.message
			return true
		}
	}
	out.Code, out.Message = environment.CodeUnavailable, sayUnreachable
	out.Ambiguous = apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err)
	return true
}
