package helm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"helm.sh/helm/v3/pkg/storage/driver"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/daskbot/daskbot/internal/environment"
)

// The sentences that people see; the rest is in Err, for the log.
const (
	sayUnreachable = "The cluster does not answer at the moment; daskbot tries again."
	sayForbidden   = "daskbot may not install this in the cluster; whoever runs daskbot must grant it the missing permission."
	sayQuota       = "The environment's share of the cluster is used up; ask for less, or ask your instructor for a larger share."
	sayConflict    = "Something else changed the installation at the same time; daskbot looks again."
	sayInvalid     = "The cluster refused part of the chart; whoever wrote the profile must correct it."
	sayInTheWay    = "Something of the same name that daskbot did not install is in the way; whoever runs daskbot must remove it."
	sayHook        = "A step that prepares the installation did not finish; daskbot tries again."
	sayUnknownKind = "The cluster does not know a kind of object that the chart uses yet; daskbot tries again."
	sayFailed      = "The installation failed; daskbot tries again."
)

// translate turns what Helm and client-go return into the one error type that
// leaves the package. op says what was being done, for the log.
func translate(op string, err error) error {
	if err == nil {
		return nil
	}
	var known *environment.Error
	if errors.As(err, &known) {
		return err
	}
	code, message := classify(err)
	return &environment.Error{Code: code, Message: message, Err: fmt.Errorf("%s: %w", op, err)}
}

func classify(err error) (environment.Code, string) {
	if code, message := classifyStatus(err); code != "" {
		return code, message
	}
	text := err.Error()
	var netErr net.Error
	var urlErr *url.Error
	switch {
	case errors.Is(err, driver.ErrReleaseExists), strings.Contains(text, "another operation"):
		return environment.CodeConflict, sayConflict
	case strings.Contains(text, "cannot be imported into the current release"):
		return environment.CodeInvalid, sayInTheWay
	case strings.Contains(text, "exceeded quota"):
		return environment.CodeQuota, sayQuota
	case meta.IsNoMatchError(err), strings.Contains(text, "no matches for kind"):
		return environment.CodeUnavailable, sayUnknownKind
	case strings.Contains(text, "pre-install"), strings.Contains(text, "post-install"), strings.Contains(text, "hooks failed"):
		return environment.CodeUnavailable, sayHook
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &netErr),
		errors.As(err, &urlErr), strings.Contains(text, "cluster unreachable"):
		return environment.CodeUnavailable, sayUnreachable
	default:
		return environment.CodeInternal, sayFailed
	}
}

// classifyStatus handles the API server's own answers; "" means it was none.
func classifyStatus(err error) (environment.Code, string) {
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		return environment.CodeQuota, sayQuota
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "being terminated"):
		return environment.CodeUnavailable, sayConflict
	case apierrors.IsForbidden(err):
		return environment.CodeForbidden, sayForbidden
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		return environment.CodeInvalid, sayInvalid
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return environment.CodeConflict, sayConflict
	case apierrors.ReasonForError(err) != "":
		return environment.CodeUnavailable, sayUnreachable
	default:
		return "", ""
	}
}
