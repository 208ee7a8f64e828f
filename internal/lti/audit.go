package lti

import (
	"context"
	"sync"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// auditTimeout bounds one entry.
const auditTimeout = 5 * time.Second

// Anybody can send what looks like a launch, and nothing is ever removed from
// the audit log: more refusals than this in an hour are in the log only.
const (
	mostRefusals  = 100
	refusalWindow = time.Hour
)

// noteLaunch appends what came of a launch to the audit log. An entry that is
// not taken is logged and undoes nothing. What never became a launch is none.
func (t *Tool) noteLaunch(ctx context.Context, a environment.Audited, err error) {
	if t.audit == nil || a.Action == "" || err != nil && !t.turn.take(t.now()) {
		return
	}
	a.At, a.Via, a.Outcome, a.Request = t.now().UTC(), environment.ViaLTI, environment.OutcomeOf(err), environment.TrailOf(ctx).Request
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	if err := t.audit.AppendAudit(ctx, a); err != nil {
		t.log.ErrorContext(ctx, "audit log", "reason", err.Error(), "action", a.Action, "subject", a.Actor)
	}
}

// refusals counts those that were written down in this hour.
type refusals struct {
	mu    sync.Mutex
	since time.Time
	n     int
}

func (r *refusals) take(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) >= refusalWindow {
		r.since, r.n = now, 0
	}
	r.n++
	return r.n <= mostRefusals
}
