package lti

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// FewAtOnce is how many people one look at a roster may always drop from it.
const FewAtOnce = 10

// SyncRosters makes the rosters of courses agree with those that the platforms
// tell, as far as launches said where: who is new there is enrolled, who came
// from the platform and is in none of its courses that are this one any more is
// dropped. It never touches anybody else, and nobody is dropped unless every
// one of those rosters was read to its end, nor by empty ones, nor when more
// than half of the people would go at once. A course that cannot be read holds
// up no other; the error has all that went wrong.
func (t *Tool) SyncRosters(ctx context.Context) error {
	all, _, err := t.rosters(ctx)
	if err != nil {
		return err
	}
	courses := map[string][]rosterSource{}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		source := all[key]
		if source.Course == "" {
			source.Course = key
		}
		courses[source.Course] = append(courses[source.Course], source)
	}
	var failed []error
	for _, course := range slices.Sorted(maps.Keys(courses)) {
		if err := t.syncCourse(ctx, course, courses[course]); err != nil {
			failed = append(failed, fmt.Errorf("roster of %s: %w", course, err))
		}
	}
	return errors.Join(failed...)
}

// reading is what the rosters of one issuer say of a course. An account is the
// same in all of them.
type reading struct {
	p       environment.Platform
	present map[string]bool
	joined  int
	part    bool // some roster is not known, or was not read
}

// syncCourse reads every roster of a course, enrolls, and then drops.
func (t *Tool) syncCourse(ctx context.Context, id string, sources []rosterSource) error {
	readings := map[string]*reading{}
	var failed []error
	for _, source := range sources {
		r := readings[source.Issuer]
		if r == nil {
			r = &reading{present: map[string]bool{}}
			readings[source.Issuer] = r
		}
		p, err := t.platform(ctx, source.Issuer, source.ClientID)
		if environment.CodeOf(err) == environment.CodeNotFound {
			r.part = true // it was taken out of the configuration, or removed
			continue
		}
		if err != nil {
			return err
		}
		r.p = p
		if err := t.read(ctx, r, source); err != nil {
			r.part = true
			failed = append(failed, err)
		}
	}
	for _, issuer := range slices.Sorted(maps.Keys(readings)) {
		if r := readings[issuer]; r.p.Name != "" {
			failed = append(failed, t.dropMissing(ctx, r, id))
		}
	}
	return errors.Join(failed...)
}

// courseNow is a course with its roster, empty for one that is over.
func (t *Tool) courseNow(ctx context.Context, p environment.Platform, id string) (environment.Course, error) {
	course, err := t.service.CourseDocument(ctx, agent(p, id), id)
	if environment.CodeOf(err) == environment.CodeNotFound {
		return environment.Course{}, nil
	}
	return course, err
}

// counts says whether the platform's course is still this one.
func (s rosterSource) counts(p environment.Platform, course environment.Course) bool {
	return s.Context == "" || slices.ContainsFunc(course.LMS, func(b environment.LMSBinding) bool {
		return b.Source == p.Name && (b.Context == s.Context || b.Context == "")
	})
}

// read enrolls who is on one roster.
func (t *Tool) read(ctx context.Context, r *reading, source rosterSource) error {
	course, err := t.courseNow(ctx, r.p, source.Course)
	switch {
	case err != nil:
		return err
	case course.ID == "" || !source.counts(r.p, course):
		return nil
	case source.URL == "":
		r.part = true
		return nil
	}
	there, err := t.askRoster(ctx, r.p, source.URL)
	if err != nil {
		return err
	}
	present, joined, err := t.joinAll(ctx, r.p, course, there)
	maps.Copy(r.present, present)
	r.joined += joined
	return err
}

// dropMissing drops who is on none of the rosters.
func (t *Tool) dropMissing(ctx context.Context, r *reading, id string) error {
	course, err := t.courseNow(ctx, r.p, id)
	if err != nil || course.ID == "" {
		return err
	}
	gone, ours := missing(r.p, course, r.present)
	if r.part {
		gone = nil
	}
	if len(gone) > FewAtOnce && 2*len(gone) > ours || len(r.present) == 0 && len(gone) > 0 {
		return fmt.Errorf("%d of %d people would be dropped at once; nobody was. Drop them by hand if that is right", len(gone), ours)
	}
	for _, subject := range gone {
		if _, err := t.service.Unenroll(ctx, agent(r.p, id), id, subject, "No longer in the course of the learning platform."); err != nil {
			return err
		}
	}
	if r.joined+len(gone) > 0 {
		t.log.Info("roster", "platform", r.p.Name, "course", id, "joined", r.joined, "left", len(gone))
	}
	return nil
}

// joinAll enrolls who is there now, and returns the accounts of all of them and
// how many were news.
func (t *Tool) joinAll(ctx context.Context, p environment.Platform, course environment.Course, there []membership) (present map[string]bool, joined int, err error) {
	present = map[string]bool{}
	for _, m := range there {
		c, what, ok := m.claims(p)
		if !ok || present[c.lmsID()] { // told twice, the first counts
			continue
		}
		present[c.lmsID()] = true
		changed, err := t.join(ctx, p, c, course, what)
		if err != nil {
			return present, joined, err
		}
		if changed {
			joined++
		}
	}
	return present, joined, nil
}

// claims are what a roster says of somebody, as a launch would; ok is false for
// who is nobody in the course.
func (m membership) claims(p environment.Platform) (c claims, what environment.Role, ok bool) {
	c = claims{Issuer: p.Issuer, Subject: m.UserID, Name: spoken(m.Name), Email: address(m.Email), Roles: m.Roles}
	what = role(m.Roles)
	return c, what, m.UserID != "" && len(m.UserID) <= longestClaim && what != "" && active(m.Status)
}

// join puts one person of a roster on the course's. What is told of one person
// must not keep the others out.
func (t *Tool) join(ctx context.Context, p environment.Platform, c claims, course environment.Course, what environment.Role) (bool, error) {
	person, err := t.service.RecogniseLaunched(ctx, launchedBy(p, c))
	if err != nil {
		// That several people have one account is theirs to sort out.
		return false, t.leaveOut(p, c, course, err, environment.CodeConflict)
	}
	changed, err := t.admit(ctx, p, c, course, memberOf(c, person, what))
	if err != nil {
		return false, t.leaveOut(p, c, course, err)
	}
	return changed, nil
}

// leaveOut forgives what keeps one person out, also of the codes in more; any
// other error it returns.
func (t *Tool) leaveOut(p environment.Platform, c claims, course environment.Course, err error, more ...environment.Code) error {
	code := environment.CodeOf(err)
	switch {
	case code == environment.CodeNotFound:
		return nil // rosters do not carry the id; a hook or a launch will
	case code == environment.CodeForbidden, code == environment.CodeInvalid, slices.Contains(more, code):
		t.log.Warn("roster", "platform", p.Name, "course", course.ID, "user", clip(c.Subject), "reason", err.Error())
		return nil
	default:
		return err
	}
}

func active(status string) bool { return status == "" || strings.EqualFold(status, "Active") }

// missing are those on the course's roster who came from the platform and are
// not there now, and how many came from it.
func missing(p environment.Platform, course environment.Course, present map[string]bool) (gone []string, ours int) {
	for _, m := range course.Members {
		if !strings.HasPrefix(m.LMSID, p.Issuer+"#") {
			continue
		}
		ours++
		if !present[m.LMSID] {
			gone = append(gone, m.Subject)
		}
	}
	return gone, ours
}
