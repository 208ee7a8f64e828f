package client

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/api"
)

func TestOrphanTable(t *testing.T) {
	w := World{Now: func() time.Time { return now }, Zone: time.UTC}
	seen, until := now.Add(-time.Hour), now.Add(23*time.Hour)
	for _, test := range []struct {
		name  string
		found api.Orphans
		want  string
	}{
		{"never compared", api.Orphans{}, "Cloud and store have not been compared yet; `daskbot orphans --fresh` does so now.\n"},
		{"nothing", api.Orphans{At: &seen, Projects: 2, PricesAsOf: "2026-07-30"},
			"0 leftovers in 2 projects, compared at 11:00: about $0.0000 an hour (list prices of 2026-07-30).\n"},
		{"some", api.Orphans{At: &seen, Projects: 1, PricesAsOf: "2026-07-30", USDPerHour: 0.025, Held: "The reaper is paused.", Lost: []string{"kq7wm2xd"},
			Unsure: []api.UnsureProject{{Project: "q", Reason: "No answer."}},
			Items: []api.Orphan{{Kind: "forwardingRules", Name: "a1", Location: "europe-west1", Project: "p", USDPerHour: 0.025, FirstSeen: seen,
				DeleteAt: &until, Action: "delete", Done: "asked", Reason: "Its cluster is gone."}}},
			"KIND             NAME  LOCATION      PROJECT  $/H     SEEN   UNTIL             ACTION          WHY\n" +
				"forwardingRules  a1    europe-west1  p        0.0250  11:00  2026-11-24 11:00  delete (asked)  Its cluster is gone.\n" +
				"1 leftover in 1 project, compared at 11:00: about $0.0250 an hour (list prices of 2026-07-30).\n" +
				"q: nothing can be said and nothing is deleted. No answer.\n" +
				"The cluster kq7wm2xd is not in the cloud any more; daskbot looks at it by name.\n" +
				"Held: The reaper is paused.\n"},
	} {
		var out strings.Builder
		if err := w.orphanTable(&out, test.found); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestOrphansAreNotDeletedByAccident(t *testing.T) {
	d := newDaemon(t)
	got := d.transcript("orphans", "orphans --now", "orphans --delete")
	for _, want := range []string{"have not been compared yet", "--now and --dry-run say how to delete", "[exit 2]", "nothing to sweep", "[exit 1]"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q; want it to say %q", got, want)
		}
	}
}
