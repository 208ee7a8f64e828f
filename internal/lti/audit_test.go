package lti

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/daskbot/daskbot/internal/environment"
)

// TestLaunchesAreAudited: who came and what that made, and who was refused.
func TestLaunchesAreAudited(t *testing.T) {
	w := newWorld(t)
	log := w.store.(environment.AuditLog)
	w.tool.audit = log
	w.launch("alice", "Learner")
	w.launch("bob", "Learner", with(map[string]any{claimOf + "context": map[string]string{"id": "elsewhere"}}))
	w.launch("eve", "Learner", with(map[string]any{"aud": "another", "azp": nil}))
	if rec := w.send(w.tool, http.MethodPost, launchPath, nil); rec.Code < http.StatusBadRequest {
		t.Errorf("no launch at all: got %d", rec.Code)
	}
	got, err := log.ReadAudit(t.Context(), environment.AuditFilter{Limit: 10})
	want := []environment.Audited{ // newest first
		{Actor: "canvas", Action: "launch", Outcome: "unauthorized"}, // nothing of it was proved
		{Actor: "canvas:bob", Action: "launch", Outcome: "not_found"},
		{Actor: "canvas:alice", Role: environment.RoleStudent, Action: "launch", Object: "de-2026", Outcome: environment.AuditOK},
		{Actor: "canvas:alice", Role: environment.RoleStudent, Action: "up", Object: w.environments()[0].ID, Outcome: environment.AuditOK},
		{Actor: "lti:canvas", Role: environment.RoleStaff, Action: "putCourse", Object: "de-2026", Outcome: environment.AuditOK},
	}
	for i := range want {
		want[i].Via = environment.ViaLTI
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(environment.Audited{}, "Seq", "At", "Request")); diff != "" || err != nil {
		t.Errorf("(-want +got)\n%s%v", diff, err)
	}
}

// TestRefusalsDoNotFillTheAuditLog: anybody can send what is refused.
func TestRefusalsDoNotFillTheAuditLog(t *testing.T) {
	var r refusals
	now, taken := time.Unix(0, 0), 0
	for range 3 * mostRefusals {
		if r.take(now) {
			taken++
		}
	}
	if taken != mostRefusals || !r.take(now.Add(refusalWindow)) {
		t.Errorf("got %d entries in an hour; want %d, and more in the next", taken, mostRefusals)
	}
}
