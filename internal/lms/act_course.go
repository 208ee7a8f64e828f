package lms

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// courseGrace is how long after the word that a course is over what lives in
// it may finish.
const courseGrace = 24 * time.Hour

// endCourse sets the course's end, of which everybody in it is told then. An
// end that was set before and comes sooner stays, and so does that of a
// configuration file.
func (h *Hooks) endCourse(ctx context.Context, a *action) (string, error) {
	end := a.Course.EndsAt
	if soonest := a.delivery.ReceivedAt.Add(courseGrace).Truncate(time.Second); end.Before(soonest) {
		end = soonest
	}
	ends, err := h.Commands.EndCourse(ctx, a.caller(), a.course.ID, end)
	if err != nil {
		return "", err
	}
	done := fmt.Sprintf("The course %s ends at %s.", a.course.ID, ends.Format("2006-01-02 15:04 MST"))
	if ends.After(end) {
		done += " The configuration file says so."
	}
	return done, nil
}

// createCourse makes a course that is bound to the platform's, when the source
// may. It has no members and starts nothing.
func (h *Hooks) createCourse(ctx context.Context, a *action) (string, error) {
	if !a.source.CreateCourses || a.source.Course != "" {
		return "", ignored{"The source may make no courses (createCourses)."}
	}
	binding := environment.LMSBinding{Source: a.source.Name, Context: a.Course.Context}
	if binding.Context == "" {
		return "", environment.Errorf(environment.CodeInvalid, "The message names no course.")
	}
	known, err := h.Commands.CourseByLMS(ctx, binding.Source, binding.Context)
	switch {
	case err == nil && slices.Contains(known.LMS, binding):
		return "There is the course " + known.ID + " already.", nil
	case err != nil && environment.CodeOf(err) != environment.CodeNotFound:
		return "", err
	}
	// Making a course is an admin's business: who configured createCourses said
	// that the source may.
	who := environment.Caller{Subject: "lms:" + a.source.Name, Role: environment.RoleAdmin}
	id := courseID(a.source.Name, binding.Context)
	if _, err := h.Commands.CourseDocument(ctx, who, id); environment.CodeOf(err) != environment.CodeNotFound {
		if err == nil {
			err = environment.Errorf(environment.CodeForbidden, "There is a course %s already, and it is bound to another one; bind it by hand.", id)
		}
		return "", err
	}
	_, err = h.Commands.ApplyCourse(ctx, who, environment.Course{ID: id, Title: a.Course.Title, Timezone: a.Course.Timezone,
		EndsAt: a.Course.EndsAt, LMS: []environment.LMSBinding{binding}}, 0, false)
	if err != nil {
		return "", err
	}
	return "The course " + id + " is made.", nil
}

// longestCourse is how long a course's id may be.
const longestCourse = 40

// courseID makes an id of ours of a platform's.
func courseID(source, context string) string {
	if id := strings.ToLower(context); environment.ValidCourse(id) == nil && strings.Trim(id, "0123456789") != "" {
		return id
	}
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		default:
			return '-'
		}
	}, strings.ToLower(source+"-"+context))
	if len(plain) > longestCourse { // cut, it could be another's
		plain = plain[:longestCourse-9] + "-" + contentID(context)[:8]
	}
	return strings.Trim(plain, "-")
}
