package compute

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/daskbot/daskbot/sandbox/internal/cloud"
)

// problem is an error in Compute's terms.
type problem struct {
	status  int
	reason  string
	message string
}

func (p *problem) Error() string { return p.reason + ": " + p.message }

var problems = map[cloud.Code]problem{
	cloud.InvalidArgument:    {status: http.StatusBadRequest, reason: "invalid"},
	cloud.NotFound:           {status: http.StatusNotFound, reason: "notFound"},
	cloud.AlreadyExists:      {status: http.StatusConflict, reason: "alreadyExists"},
	cloud.PermissionDenied:   {status: http.StatusForbidden, reason: "forbidden"},
	cloud.FailedPrecondition: {status: http.StatusBadRequest, reason: "failedPrecondition"},
	cloud.InUse:              {status: http.StatusBadRequest, reason: "resourceInUseByAnotherResource"},
	cloud.Unavailable:        {status: http.StatusServiceUnavailable, reason: "backendError"},
	cloud.ResourceExhausted:  {status: http.StatusForbidden, reason: "rateLimitExceeded"},
}

// problemOf translates an error of the cloud.
func problemOf(err error) *problem {
	var p *problem
	var quota *cloud.QuotaError
	var answer *cloud.Error
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &quota):
		s := quota.Shortages[0]
		where := "globally"
		if s.Region != "" {
			where = "in region " + s.Region
		}
		return &problem{http.StatusForbidden, "quotaExceeded", fmt.Sprintf("Quota '%s' exceeded.  Limit: %.1f %s.", s.Metric, s.Limit, where)}
	case errors.As(err, &answer):
		if known, ok := problems[answer.Code]; ok {
			known.message = answer.Message
			return &known
		}
	}
	return &problem{http.StatusInternalServerError, "internalError", err.Error()}
}

func writeError(w http.ResponseWriter, err error) {
	p := problemOf(err)
	write(w, p.status, map[string]any{"error": map[string]any{
		"code": p.status, "message": p.message,
		"errors": []any{map[string]any{"message": p.message, "domain": "global", "reason": p.reason}},
	}})
}

func write(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone when this fails
}
