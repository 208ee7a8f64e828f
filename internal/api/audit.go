package api

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/daskbot/daskbot/internal/environment"
)

// AuditEntry is one thing that somebody did, or was refused.
type AuditEntry struct {
	Seq     int64     `json:"seq" doc:"Rises with every entry; give the last one as before, or next as cursor, to read on." example:"4711"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor" doc:"Who; empty when nobody known asked." example:"alice"`
	Role    string    `json:"role" example:"student"`
	Via     string    `json:"via" doc:"rest or slack; lms, lti, schedule or reaper for what nobody asked for by request." example:"rest"`
	Action  string    `json:"action" doc:"The operation's name." example:"down"`
	Object  string    `json:"object" doc:"Its id; empty when it is about none." example:"kq7wm2xd"`
	Outcome string    `json:"outcome" doc:"ok, or the code of the refusal." example:"ok"`
	Request string    `json:"request" doc:"The id of the request, as in the log." example:"4f1c2a9be07d5e31"`
	Address string    `json:"address" doc:"Where it came from." example:"203.0.113.9"`
}

type auditInput struct {
	Actor   string `query:"actor" maxLength:"128" doc:"Only what this person did." example:"alice"`
	Object  string `query:"object" maxLength:"128" doc:"Only what was done to this." example:"kq7wm2xd"`
	Outcome string `query:"outcome" maxLength:"32" doc:"Only this outcome." example:"forbidden"`
	Before  int64  `query:"before" minimum:"0" doc:"Only entries before this number." example:"4711"`
	Cursor  int64  `query:"cursor" minimum:"0" doc:"The next of the page before; another name for before." example:"4711"`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most." example:"100"`
}

type auditOutput struct{ Body List[AuditEntry] }

func (s *Server) auditing() {
	add(s, huma.Operation{OperationID: "audit", Method: http.MethodGet, Path: "/audit", Tags: []string{"access"},
		Summary: "Who did what", Description: "Admins only. Every change, every look at credentials and every refusal, newest first; also what hooks of learning platforms and schedules changed, who was launched, and what the reaper ended. Nothing is ever removed."}, s.audit)
}

func (s *Server) audit(ctx context.Context, c call[auditInput]) (*auditOutput, error) {
	got, err := environment.ReadAudit(ctx, s.auditLog, c.who, environment.AuditFilter{Actor: c.in.Actor, Object: c.in.Object,
		Outcome: c.in.Outcome, Before: cmp.Or(c.in.Cursor, c.in.Before), Limit: c.in.Limit})
	if err != nil {
		return nil, err
	}
	out := &auditOutput{Body: List[AuditEntry]{Items: make([]AuditEntry, len(got))}}
	for i, a := range got {
		out.Body.Items[i] = AuditEntry{Seq: a.Seq, At: a.At, Actor: a.Actor, Role: string(a.Role), Via: a.Via, Action: a.Action,
			Object: a.Object, Outcome: a.Outcome, Request: a.Request, Address: a.Address}
	}
	if len(got) == c.in.Limit {
		out.Body.Next = strconv.FormatInt(got[len(got)-1].Seq, 10)
	}
	return out, nil
}

// audited appends what came of an operation to the audit log, when it is worth
// that.
func (s *Server) audited(ctx huma.Context, next func(huma.Context)) {
	next(ctx)
	op := ctx.Operation()
	if c := humagin.Unwrap(ctx); worthAudit(op.Method, op.OperationID, c) {
		s.enter(c, op.OperationID, objectOf(ctx))
	}
}

// enter writes an entry about a request whose answer was decided: an audit log
// that does not take it is logged and undoes nothing.
func (s *Server) enter(c *gin.Context, action, object string) {
	if s.auditLog == nil {
		return
	}
	ctx := c.Request.Context()
	t := traceOf(ctx)
	outcome := environment.AuditOK
	if c.Writer.Status() >= http.StatusBadRequest {
		outcome = t.code
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	err := s.auditLog.AppendAudit(within, environment.Audited{At: time.Now().UTC(), Actor: t.caller.Subject, Role: t.caller.Role, Via: "rest",
		Action: action, Object: object, Outcome: outcome, Request: t.id, Address: c.ClientIP()})
	if err != nil {
		s.log.ErrorContext(within, "audit log", "reason", err.Error(), "action", action, "subject", t.caller.Subject)
	}
}

// auditTimeout bounds one entry.
const auditTimeout = 5 * time.Second

// worthAudit: changes, looks at secrets, and refusals. Too many requests are in
// the log only, or they would fill the disk.
func worthAudit(method, action string, c *gin.Context) bool {
	switch status := c.Writer.Status(); {
	case status == http.StatusTooManyRequests && c.Writer.Header().Get("Retry-After") != "":
		return false
	case method != http.MethodGet, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return true
	default:
		return action == "credentials" || action == "kubeconfig"
	}
}

// objectOf is the id in the path, whatever the operation calls it, else that of
// what was made.
func objectOf(ctx huma.Context) string {
	for _, name := range []string{"id", "subject", "source"} {
		if value := ctx.Param(name); value != "" {
			return value[:min(len(value), 128)]
		}
	}
	_, made, _ := strings.Cut(humagin.Unwrap(ctx).Writer.Header().Get("Location"), "/environments/")
	return made
}
