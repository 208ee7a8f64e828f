package api

import (
	"context"

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
