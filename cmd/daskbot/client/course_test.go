package client

import "testing"

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
