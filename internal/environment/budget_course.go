package environment

import (
	"context"
	"fmt"
	"time"
)

// tellTeachers tells everybody who teaches a course how far its budget is
// spent. It goes the way of what comes of commands for a class, since that
// reaches a person without an environment. Each is written under a name that
// follows from what it says: after a crash nobody is told twice.
func (s *Service) tellTeachers(ctx context.Context, b Budget, mark int, now time.Time) error {
	class, err := s.roster.Class(ctx, b.Course)
	if CodeOf(err) == CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	said := b.toTeacher(mark)
	for _, subject := range class.Teachers() {
		key := fmt.Sprintf("%s/%s/%s/%d/%.2f", b.Course, subject, b.Month.Format("2006-01"), mark, b.USD)
		o := CourseOrder{ID: "budget-" + HashToken(key)[:16], Course: b.Course, By: Caller{Subject: subject, Role: RoleStaff}, At: now, Planned: true, Done: now, Notice: said}
		err := s.keepOrder(ctx, &o, []Event{{At: now, Order: o.ID, Type: EventBudget, Actor: "daskbot", Message: said}})
		if err != nil && CodeOf(err) != CodeConflict { // told before
			return err
		}
	}
	return nil
}
