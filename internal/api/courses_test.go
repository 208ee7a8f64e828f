package api

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

var class = environment.Course{ID: "de-2026", Title: "Data engineering", Timezone: "Europe/Paris", Members: []string{"alice", "bob"}}

func (d *double) Courses(_ context.Context, who environment.Caller) ([]environment.Course, error) {
	if who.Role == environment.RoleStudent {
		return nil, d.scripted("Courses")
	}
	return []environment.Course{class}, d.scripted("Courses")
}

func (d *double) teaches(who environment.Caller, course string) error {
	if who.Role == environment.RoleStudent || course != class.ID {
		return environment.Errorf(environment.CodeNotFound, "There is no such course, or it is not yours.")
	}
	return nil
}

func (d *double) CourseStatus(_ context.Context, who environment.Caller, course string) (environment.CourseStatus, error) {
	if err := d.teaches(who, course); err != nil {
		return environment.CourseStatus{}, err
	}
	e := d.rows["kq7wm2xd"]
	return environment.CourseStatus{Course: class, Cost: environment.Cost{USDPerHour: 0.2, USDTotal: 0.35, PricesAsOf: "2026-07-30"},
		Seats: []environment.Seat{{Subject: "alice", Member: true, Environment: &e}, {Subject: "bob", Member: true}}}, d.scripted("CourseStatus")
}

func (d *double) CourseUp(_ context.Context, who environment.Caller, course string) (environment.Batch, error) {
	if err := d.teaches(who, course); err != nil {
		return environment.Batch{}, err
	}
	return environment.Batch{Course: course, Items: []environment.BatchItem{
		{Subject: "alice", Environment: "kq7wm2xd", Outcome: environment.OutcomeExisting},
		{Subject: "bob", Outcome: environment.OutcomeRefused, Reason: "No more can be made."}}}, d.scripted("CourseUp")
}

func (d *double) CourseDown(_ context.Context, who environment.Caller, course string) (environment.Batch, error) {
	if err := d.teaches(who, course); err != nil {
		return environment.Batch{}, err
	}
	return environment.Batch{Course: course, Items: []environment.BatchItem{
		{Subject: "alice", Environment: "kq7wm2xd", Outcome: environment.OutcomeEnded}}}, d.scripted("CourseDown")
}

func TestCourses(t *testing.T) {
	const one = Base + "/courses/de-2026"
	for name, c := range map[string]struct {
		token, method, target string
		want                  int
		has                   string
	}{
		"list":                {"admin", "GET", Base + "/courses", 200, `"title":"Data engineering"`},
		"list of a student":   {"alice", "GET", Base + "/courses", 200, `"items":[]`},
		"status":              {"admin", "GET", one, 200, `"subject":"bob","member":true}`},
		"status of a student": {"alice", "GET", one, 404, `"not_found"`},
		"up":                  {"admin", "POST", one + "/up", 202, `"refused":1`},
		"up, the reason":      {"admin", "POST", one + "/up", 202, `"reason":"No more can be made."`},
		"up by a student":     {"alice", "POST", one + "/up", 404, `"not_found"`},
		"down":                {"admin", "POST", one + "/down", 202, `"ended":1`},
		"down of no course":   {"admin", "POST", Base + "/courses/nope/down", 404, `"not_found"`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			answer := b.ask(t, c.method, c.target, "", "Authorization", "Bearer "+c.token)
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != c.want || !strings.Contains(string(body), c.has) {
				t.Errorf("got %d %s; want %d with %q", answer.StatusCode, body, c.want, c.has)
			}
		})
	}
}
