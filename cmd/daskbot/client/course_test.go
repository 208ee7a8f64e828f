package client

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestCourse(t *testing.T) {
	d := newDaemon(t)
	golden(t, "course_empty", d.transcript("course status de-2026", "course down de-2026", "course", "course upp de-2026", "course up", "course up nope"))
	ready(d)
	e, err := d.Store.Environment(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	e.Course = "de-2026"
	d.Seed(e)
	golden(t, "course", d.transcript("course list", "course list -o json", "course up de-2026", "course up de-2026 -o json", "course status de-2026",
		"course down de-2026", "course status de-2026"))
}

// TestCourseStatusSaysWhatToMend: staff learn from it that an address is not
// notified any more.
func TestCourseStatusSaysWhatToMend(t *testing.T) {
	const address = "https://hooks.example.edu/daskbot"
	d := newDaemon(t)
	d.files(map[string]string{"ml.yaml": "id: ml\nnotifications: [{url: '" + address + "'}]\n"}).transcript("course apply ml.yaml")
	state, err := json.Marshal(environment.SubscriptionState{Course: "ml", URL: address, DisabledAt: now, Reason: "It answers 410."})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.Commit(t.Context(), environment.Change{Note: &environment.Note{Key: "webhook/to/ml/" + environment.HashToken(address), Value: string(state)}}); err != nil {
		t.Fatal(err)
	}
	if got := d.transcript("course status ml"); !strings.Contains(got, "Notifications to "+address+" are not sent any more: It answers 410.") {
		t.Errorf("got:\n%s", got)
	}
}
