package compute

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/api/googleapi"

	"github.com/daskbot/daskbot/internal/environment"
)

// defaultBackoff is asked for when Compute limits our rate without saying for
// how long; its limits refill once a minute.
const defaultBackoff = 30 * time.Second

// translate turns an error of the library into an *environment.Error. It is
// the one place that reads HTTP statuses and Compute's reasons.
func translate(err error, project string) error {
	var known *environment.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &environment.Error{Code: environment.CodeUnavailable, Err: err,
		Message: "Google Cloud does not answer at the moment; daskbot tries again by itself."}
	var answer *googleapi.Error
	if !errors.As(err, &answer) { // no answer at all
		return e
	}
	reason := reasonOf(answer)
	if limited(answer, reason) {
		e.Message, e.RetryAfter = "Google Cloud asks daskbot to slow down; it tries again by itself.", retryAfter(answer)
		return e
	}
	if code, message := refusal(answer.Code, reason, project); code != "" {
		e.Code, e.Message = code, message
	}
	return e
}

// refusal sorts answers that trying again will not change; "" for others.
func refusal(status int, reason, project string) (environment.Code, string) {
	switch reason {
	case "quotaExceeded":
		return environment.CodeQuota, fmt.Sprintf("The quota of the project %s does not allow this.", project)
	case "accessNotConfigured", "SERVICE_DISABLED":
		return environment.CodeForbidden, fmt.Sprintf("The Compute Engine API is not enabled in the project %s; its owner has to enable it.", project)
	}
	switch status {
	case http.StatusUnauthorized:
		return environment.CodeForbidden, "Google Cloud does not accept daskbot's credentials; the people who run it have to renew them."
	case http.StatusForbidden:
		return environment.CodeForbidden, fmt.Sprintf("daskbot may not do this in the project %s; its owner has to grant it access.", project)
	case http.StatusNotFound:
		return environment.CodeNotFound, fmt.Sprintf("Google Cloud does not know what daskbot asked about in the project %s.", project)
	case http.StatusConflict:
		return environment.CodeConflict, "Somebody else is changing the same thing in Google Cloud."
	case http.StatusBadRequest:
		return environment.CodeInternal, "Google Cloud does not understand what daskbot asked for."
	}
	return "", ""
}

// inUse is translate for a deletion: what something else uses, or what is
// being changed, can be deleted later.
func inUse(err error, r environment.Resource) error {
	var answer *googleapi.Error
	if !errors.As(err, &answer) {
		return translate(err, r.Project)
	}
	switch reasonOf(answer) {
	case "resourceInUseByAnotherResource", "resourceNotReady", "operationInProgress":
		return &environment.Error{Code: environment.CodeUnavailable, Err: err,
			Busy:    string(r.Kind) + "/" + r.Name,
			Message: "Something that was left over is still in use; daskbot tries again by itself."}
	default:
		return translate(err, r.Project)
	}
}

// isGone reports that this very resource was not found; a 404 that does not
// name it (a missing project) proves nothing.
func isGone(err error, name string) bool {
	var answer *googleapi.Error
	return errors.As(err, &answer) && answer.Code == http.StatusNotFound && strings.Contains(answer.Message+answer.Body, name)
}

// isUnknownPlace reports that there is no such region or zone, which Compute
// says with 400 where the name is no place at all.
func isUnknownPlace(err error, place string) bool {
	var answer *googleapi.Error
	return isGone(err, place) ||
		errors.As(err, &answer) && answer.Code == http.StatusBadRequest && strings.Contains(answer.Message, place)
}

func reasonOf(answer *googleapi.Error) string {
	for _, item := range answer.Errors {
		if item.Reason != "" {
			return item.Reason
		}
	}
	return ""
}

func limited(answer *googleapi.Error, reason string) bool {
	return answer.Code == http.StatusTooManyRequests ||
		slices.Contains([]string{"rateLimitExceeded", "userRateLimitExceeded"}, reason)
}

func retryAfter(answer *googleapi.Error) time.Duration {
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		return time.Duration(seconds) * time.Second
	}
	return defaultBackoff
}
