package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

// testAuditedChange: an entry that comes with a change is written with it, or
// not at all.
func testAuditedChange(t *testing.T, url fresh) {
	s := open(t, url(t))
	entry := environment.Audited{At: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), Actor: "reaper", Role: environment.RoleAdmin, Via: environment.ViaReaper,
		Action: "down", Object: "kq7wm2xd", Outcome: environment.AuditOK}
	change := environment.Change{Note: &environment.Note{Key: "k", Value: "v"}, Audited: &entry}
	for i, want := range []environment.Code{"", environment.CodeConflict} { // the note is there by then
		if err := s.Commit(t.Context(), change); environment.CodeOf(err) != want {
			t.Fatalf("commit %d: got %v; want code %q", i, err, want)
		}
		got, err := s.ReadAudit(t.Context(), environment.AuditFilter{Limit: 10})
		entry.Seq = 1
		if diff := cmp.Diff([]environment.Audited{entry}, got); diff != "" || err != nil {
			t.Errorf("commit %d: (-want +got)\n%s%v", i, diff, err)
		}
	}
}

func testAudit(t *testing.T, url fresh) {
	s := open(t, url(t))
	at := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	all := []environment.Audited{
		{At: at, Actor: "ann", Role: environment.RoleStudent, Via: "rest", Action: "up", Outcome: environment.AuditOK, Request: "r1", Address: "203.0.113.9"},
		{At: at.Add(time.Second), Actor: "ben", Role: environment.RoleStudent, Via: "slack", Action: "down", Object: "kq7wm2xd", Outcome: "not_found", Request: "r2"},
		{At: at.Add(2 * time.Second), Actor: "ann", Role: environment.RoleStudent, Via: "rest", Action: "down", Object: "kq7wm2xd", Outcome: environment.AuditOK, Request: "r3"},
	}
	for i := range all {
		if err := s.AppendAudit(t.Context(), all[i]); err != nil {
			t.Fatal(err)
		}
		all[i].Seq = int64(i + 1)
	}
	for _, test := range []struct {
		name   string
		filter environment.AuditFilter
		want   []environment.Audited
	}{
		{"all", environment.AuditFilter{Limit: 10}, []environment.Audited{all[2], all[1], all[0]}},
		{"a page", environment.AuditFilter{Limit: 1, Before: 3}, []environment.Audited{all[1]}},
		{"of one", environment.AuditFilter{Actor: "ann", Limit: 10}, []environment.Audited{all[2], all[0]}},
		{"of an object", environment.AuditFilter{Object: "kq7wm2xd", Outcome: "not_found", Limit: 10}, []environment.Audited{all[1]}},
	} {
		got, err := s.ReadAudit(t.Context(), test.filter)
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: (-want +got)\n%s%v", test.name, diff, err)
		}
	}
}
