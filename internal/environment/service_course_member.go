package environment

import (
	"context"
	"slices"
	"strings"
)

// Enroll puts somebody on the roster of a course, or completes what is known of
// a member: what m does not say stays. A member is known by subject, else by the
// platform's id, else by e-mail address; somebody new without a subject gets
// that of the person with the address, else the address itself. In a course of
// the configuration, whom the file names stays as the file has them, and
// everybody else is kept beside it. It starts nothing. Whoever left and comes
// back keeps what they still have. changed says whether anything was different.
// Staff of the course and admins.
//
// Errors: CodeInvalid names the member's field; CodeQuota when the roster is
// full; CodeConflict when somebody else changes the course all the time: try
// again.
func (s *Service) Enroll(ctx context.Context, who Caller, course string, m Member) (changed bool, err error) {
	made, err := s.changeMember(ctx, memberEdit{who: who, course: course, member: m})
	return len(made.Diff) > 0, err
}

// EnrollLaunched is Enroll for whom a learning platform launched, or has on its
// roster. hooks is what the platform's hooks call the person as long as they know
// nothing else: a member of that name is the same one. Whatever the roster says
// of the account or its address already keeps nobody out; see makeRoom.
func (s *Service) EnrollLaunched(ctx context.Context, who Caller, course string, m Member, hooks string) (changed bool, err error) {
	made, err := s.changeMember(ctx, memberEdit{who: who, course: course, member: m, launched: true, hooks: hooks})
	return len(made.Diff) > 0, err
}

// PutMember is Enroll for one who says everything: the role and the project are
// what m says, as in a document. expect and dry are those of ApplyCourse.
// CodeConflict names the file when that names the member; other errors are
// those of Enroll and ApplyCourse.
func (s *Service) PutMember(ctx context.Context, who Caller, course string, m Member, expect int64, dry bool) (CourseChange, error) {
	return s.changeMember(ctx, memberEdit{who: who, course: course, member: m, whole: true, expect: expect, dry: dry})
}

// memberEdit is a change of one member.
type memberEdit struct {
	who    Caller
	course string
	member Member
	whole  bool // role and project are what member says
	// launched and hooks are EnrollLaunched's.
	launched bool
	hooks    string
	expect   int64
	dry      bool
}

func (s *Service) changeMember(ctx context.Context, edit memberEdit) (CourseChange, error) {
	file, err := s.named(ctx, edit.course)
	if err != nil {
		return CourseChange{}, err
	}
	var whom string
	return s.editCourse(ctx, courseEdit{who: edit.who, id: edit.course, expect: edit.expect, dry: edit.dry, beside: true, whom: &whom, change: func(c *Course) error {
		next, err := s.completeMember(ctx, *c, edit.member)
		if err != nil {
			return err
		}
		if edit.whole {
			next.Role, next.Project = first(edit.member.Role, MemberStudent), strings.TrimSpace(edit.member.Project)
		}
		whom = next.Subject
		if edit.launched && s.makeRoom(c, file, edit, &next) {
			whom = "" // somebody else's end changes, too
		}
		if file.index(next.Subject) >= 0 {
			return edit.ofTheFile(file, next)
		}
		return s.putMember(c, edit.who, next)
	}})
}

// ofTheFile leaves a member as the file has them; whoever wanted precisely
// something else is told.
func (e memberEdit) ofTheFile(file Course, next Member) error {
	if old, _ := file.Member(next.Subject); !e.whole || next == old {
		return nil
	}
	return inTheFile(file, next.Subject)
}

func inTheFile(file Course, subject string) error {
	return Errorf(CodeConflict, "The configuration file %s has %s on the roster of %s; change it there.", first(file.File, "of this daskbot"), clip(subject), file.ID)
}

// makeRoom lets in whom a platform launched, or has on its roster, whatever the
// roster here says of the same account or address: else it would keep them out
// for good. Another member with the account is who it was before it was given to
// this person, one with the name that hooks use is who it was before anybody knew
// better: they are dropped, unless the file names them; moved says so. The
// address of another member stays theirs, and so does their subject: whoever
// writes a roster could otherwise hand somebody else's launches on.
func (s *Service) makeRoom(c *Course, file Course, edit memberEdit, m *Member) (moved bool) {
	was, _ := c.Member(m.Subject)
	if !asciiOnly(m.Email) {
		m.Email = was.Email
	}
	for _, k := range slices.Clone(c.Members) {
		sameAccount := m.LMSID != "" && k.LMSID == m.LMSID
		switch {
		case k.Subject == m.Subject:
		case (sameAccount || k.Subject == edit.hooks) && file.index(k.Subject) < 0:
			s.drop(c, edit.who, k.Subject, "Joined with "+m.Subject+".")
			moved = true
		default:
			if sameAccount {
				m.LMSID = was.LMSID
			}
			if m.Email != "" && k.Email == m.Email {
				m.Email = was.Email
			}
		}
	}
	return moved
}

// putMember puts a complete member on a roster.
func (s *Service) putMember(c *Course, who Caller, m Member) error {
	if err := m.validate("member"); err != nil {
		return err
	}
	paid := c.money()
	c.admit(m)
	if err := uniqueMembers(c.Members); err != nil {
		return Invalid("member", "The e-mail address, LMS id or Slack account of %s is another member's already.", m.Subject)
	}
	if who.Role != RoleAdmin && c.money() != paid {
		return Errorf(CodeForbidden, "Only an admin may say which project pays for a member (project).")
	}
	return s.roll.fits(len(c.Members))
}

// Unenroll takes somebody off the roster of a course. What they have in it ends
// after the policy's grace, of which they are told now; enrolling them again
// calls that off. Somebody who is not on the roster, or whom the configuration
// file has there, is no change and no error. reason is a sentence for them, ""
// for none. Staff of the course and admins; errors are those of Enroll.
func (s *Service) Unenroll(ctx context.Context, who Caller, course, subject, reason string) (changed bool, err error) {
	made, err := s.dropMember(ctx, courseEdit{who: who, id: course}, subject, reason)
	return len(made.Diff) > 0, err
}

// DropMember is Unenroll with the expect and dry of ApplyCourse. Somebody who is
// not on the roster is CodeNotFound; CodeConflict names the file when that names
// the member.
func (s *Service) DropMember(ctx context.Context, who Caller, course, subject string, expect int64, dry bool) (CourseChange, error) {
	edit := courseEdit{who: who, id: course, expect: expect, dry: dry}
	made, err := s.dropMember(ctx, edit, subject, "")
	if err != nil || len(made.Diff) > 0 {
		return made, err
	}
	file, err := s.named(ctx, course)
	if err != nil {
		return made, err
	}
	if file.index(subject) >= 0 || file.index(CleanSubject(subject)) >= 0 {
		return made, inTheFile(file, subject)
	}
	return made, Errorf(CodeNotFound, "%s is not on the roster of %s.", clip(subject), course)
}

func (s *Service) dropMember(ctx context.Context, edit courseEdit, subject, reason string) (CourseChange, error) {
	file, err := s.named(ctx, edit.id)
	if err != nil {
		return CourseChange{}, err
	}
	edit.beside, edit.whom = true, &subject
	edit.change = func(c *Course) error {
		if c.index(subject) < 0 {
			subject = CleanSubject(subject)
		}
		if file.index(subject) < 0 {
			s.drop(c, edit.who, subject, reason)
		}
		return nil
	}
	return s.editCourse(ctx, edit)
}
