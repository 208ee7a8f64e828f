package environment

import (
	"context"
	"time"
)

// Audited is one thing that somebody did, or was refused: who, what, to which
// object, with which outcome. What it changed is in the events of the object.
type Audited struct {
	Seq     int64 // given by the store, rising
	At      time.Time
	Actor   string // "" when nobody known asked
	Role    Role
	Via     string // "rest", "slack", or one of the Via constants
	Action  string // the operation's name
	Object  string // its id, "" when it is about none
	Outcome string // "ok", or the code of the refusal
	Request string // the id of the request
	Address string // where it came from, "" when that says nothing
}

// The ways in on which there is no request of a person's to write down. What
// their callers change is entered in one transaction with the change.
const (
	ViaLMS      = "lms"      // hooks of learning platforms
	ViaLTI      = "lti"      // launches, and the pages that follow one
	ViaSchedule = "schedule" // schedules of courses
	ViaReaper   = "reaper"   // what the reaper ends
)

// auditedAs is what a change of who's is written down as, along with it; nil for
// callers whose requests are audited where they arrive.
func auditedAs(ctx context.Context, who Caller, action, object string, at time.Time) *Audited {
	if who.Via == "" {
		return nil
	}
	return &Audited{At: at, Actor: who.Subject, Role: who.Role, Via: who.Via, Action: action, Object: object, Outcome: AuditOK, Request: TrailOf(ctx).Request}
}

// auditedEvent is that of a change of an environment. That it is about to end, or
// is not after all, ends nothing and is in its events.
func auditedEvent(ctx context.Context, who Caller, a Action, ev Event) *Audited {
	switch {
	case ev.Type == EventWarned || ev.Type == EventKept:
		return nil
	case a == ActionDelete:
		return auditedAs(ctx, who, "down", ev.Environment, ev.At)
	default:
		return auditedAs(ctx, who, "change", ev.Environment, ev.At)
	}
}

// AuditOK is the outcome of what was done.
const AuditOK = "ok"

// OutcomeOf is the outcome that an error stands for.
func OutcomeOf(err error) string {
	if err == nil {
		return AuditOK
	}
	return string(CodeOf(err))
}

// AuditFilter selects from the audit log; empty fields match all.
type AuditFilter struct {
	Actor, Object, Outcome string
	// Before is the Seq to end before; 0 starts with the newest.
	Before int64
	Limit  int
}

// AuditLog is append-only: nothing in daskbot changes or removes an entry.
type AuditLog interface {
	AppendAudit(ctx context.Context, a Audited) error
	// ReadAudit lists, newest first.
	ReadAudit(ctx context.Context, f AuditFilter) ([]Audited, error)
}

// ReadAudit reads the audit log for a caller. Admins only.
func ReadAudit(ctx context.Context, log AuditLog, who Caller, f AuditFilter) ([]Audited, error) {
	if err := Authorize(who, ActionAdminister, "", ""); err != nil {
		return nil, err
	}
	if log == nil {
		return nil, nil
	}
	f.Limit = min(max(f.Limit, 1), 1000)
	return log.ReadAudit(ctx, f)
}
