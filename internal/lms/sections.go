package lms

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/daskbot/daskbot/internal/environment"
)

// enrollments are those that go on in one course of a platform, by person. A
// platform with sections enrolls somebody once in each; moving from one to
// another is one that begins and one that ends, in any order.
type enrollments map[string][]string

func (a *action) enrollmentsKey() string {
	return "lms/enrollments/" + a.source.Name + "/" + contentID(a.Course.Context)
}

func (h *Hooks) enrollments(ctx context.Context, a *action) (enrollments, environment.Note, error) {
	all := enrollments{}
	note, err := h.Notes.Note(ctx, a.enrollmentsKey())
	if environment.CodeOf(err) == environment.CodeNotFound {
		return all, environment.Note{Key: a.enrollmentsKey()}, nil
	}
	if err != nil {
		return nil, note, err
	}
	if err := json.Unmarshal([]byte(note.Value), &all); err != nil {
		return nil, note, &environment.Error{Code: environment.CodeInternal, Message: "What was noted about enrollments cannot be read.", Err: err}
	}
	return all, note, nil
}

func (h *Hooks) keepEnrollments(ctx context.Context, all enrollments, note environment.Note) error {
	value, err := json.Marshal(all)
	if err != nil {
		return err
	}
	note.Value = string(value)
	return h.Notes.Commit(ctx, environment.Change{Note: &note})
}

// noteEnrollment remembers one that begins, or goes on.
func (h *Hooks) noteEnrollment(ctx context.Context, a *action, p Person) error {
	if a.Enrollment == "" {
		return nil
	}
	all, note, err := h.enrollments(ctx, a)
	if err != nil || slices.Contains(all[p.ID], a.Enrollment) {
		return err
	}
	all[p.ID] = append(all[p.ID], a.Enrollment)
	return h.keepEnrollments(ctx, all, note)
}

// enrolledElsewhere forgets one that ended, and reports whether another one of
// the person goes on. The last one stays noted until they were dropped.
func (h *Hooks) enrolledElsewhere(ctx context.Context, a *action, p Person) (bool, error) {
	if a.Enrollment == "" {
		return false, nil
	}
	all, note, err := h.enrollments(ctx, a)
	if err != nil {
		return false, err
	}
	rest := slices.DeleteFunc(slices.Clone(all[p.ID]), func(id string) bool { return id == a.Enrollment })
	if len(rest) == 0 || len(rest) == len(all[p.ID]) {
		return len(rest) > 0, nil
	}
	all[p.ID] = rest
	return true, h.keepEnrollments(ctx, all, note)
}

// forgetEnrollments forgets those of somebody who was dropped.
func (h *Hooks) forgetEnrollments(ctx context.Context, a *action, p Person) error {
	if a.Enrollment == "" {
		return nil
	}
	all, note, err := h.enrollments(ctx, a)
	if err != nil || all[p.ID] == nil {
		return err
	}
	delete(all, p.ID)
	return h.keepEnrollments(ctx, all, note)
}
