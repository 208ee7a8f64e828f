package lms

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/daskbot/daskbot/internal/environment"
)

// action is a delivery that is being carried out.
type action struct {
	Event
	source   *source
	delivery environment.Delivery
	course   environment.Course
	// launched are whom the platform of the source's name launches, by their ids.
	launched map[string]environment.Person
}

// caller is who acts: the source, as staff of the course it speaks of.
func (a *action) caller() environment.Caller { return staffOf(a.source, a.course.ID) }

func staffOf(s *source, course string) environment.Caller {
	return environment.Caller{Subject: "lms:" + s.Name, Role: environment.RoleStaff, Courses: []string{course}, Via: environment.ViaLMS}
}

// act carries out an event; done is a sentence about what it did.
func (h *Hooks) act(ctx context.Context, a *action) (done string, err error) {
	if a.Kind == CourseCreated {
		return h.createCourse(ctx, a)
	}
	if err := h.findCourse(ctx, a); err != nil {
		return "", err
	}
	if err := h.recognise(ctx, a); err != nil {
		return "", err
	}
	switch a.Kind {
	case MemberAdded, MemberChanged:
		return h.forEach(ctx, a, h.enroll)
	case MemberRemoved:
		return h.forEach(ctx, a, h.unenroll)
	case StartOne:
		return h.forEach(ctx, a, h.start)
	case EndOne:
		return h.forEach(ctx, a, h.end)
	case StartAll:
		return h.order(ctx, a, environment.ScheduleUp)
	case EndAll:
		return h.order(ctx, a, environment.ScheduleDown)
	case CourseEnded:
		return h.endCourse(ctx, a)
	default:
		return "", ignored{fmt.Sprintf("There is nothing to do for %q.", a.Name)}
	}
}

// findCourse finds which course of ours a message is about. A platform's
// courses are known by their bindings; a source that is for one course, or that
// writes our ids, needs none.
func (h *Hooks) findCourse(ctx context.Context, a *action) error {
	named, only := a.Course.Context, a.source.Course
	if named == "" {
		return h.soleCourse(ctx, a)
	}
	found, err := h.Commands.CourseByLMS(ctx, a.source.Name, named)
	switch code := environment.CodeOf(err); {
	case err == nil && only != "" && found.ID != only:
		return ignored{fmt.Sprintf("The source is for the course %s alone, and this is about %s.", only, found.ID)}
	case err == nil && a.source.anySchool() && !bound(found, a.source.Name, named):
		return ignored{fmt.Sprintf("The course %s is bound to every course of %s, and any school that Canvas hosts could have sent this: set the source's rootAccount, or bind the course to %q.", found.ID, a.source.Name, named)}
	case code != environment.CodeNotFound:
		a.course = found
		return err
	default:
		return h.ourCourse(ctx, a)
	}
}

// ourCourse is what a message is about whose course is bound to none of ours:
// the one that it names by our id.
func (h *Hooks) ourCourse(ctx context.Context, a *action) error {
	named, only := a.Course.Context, a.source.Course
	switch {
	case only != "" && strings.EqualFold(named, only):
		return h.lookUp(ctx, a, only)
	case only == "" && a.source.writesOurIDs() && environment.ValidCourse(named) == nil:
		if err := h.lookUp(ctx, a, named); environment.CodeOf(err) != environment.CodeNotFound {
			return err
		}
	}
	return ignored{fmt.Sprintf("No course here is bound to %q of %s; a course is with lms: [{source: %s, context: %q}].", named, a.source.Name, a.source.Name, named)}
}

// soleCourse is what a message without a course is about: the only one that the
// source is for.
func (h *Hooks) soleCourse(ctx context.Context, a *action) error {
	if a.source.Course == "" || a.source.anySchool() {
		return environment.Errorf(environment.CodeInvalid, "The message names no course, and the source is for no single one, or does not say whose it is (rootAccount).")
	}
	return h.lookUp(ctx, a, a.source.Course)
}

func bound(c environment.Course, source, context string) bool {
	return slices.Contains(c.LMS, environment.LMSBinding{Source: source, Context: context})
}

// writesOurIDs reports whether an unbound name may be a course's id here. Those
// of the big platforms are numbers of their own.
func (s *source) writesOurIDs() bool { return s.Kind == Generic || s.Kind == Bearer }

// anySchool reports whether schools that have nothing to do with this daskbot
// can prove messages to the source. Ids of their courses are their own, so that
// a binding to one is safe.
func (s *source) anySchool() bool { return s.Kind == Canvas && s.RootAccount == "" }

func (h *Hooks) lookUp(ctx context.Context, a *action, id string) (err error) {
	a.course, err = h.Commands.CourseDocument(ctx, staffOf(a.source, id), id)
	return err
}

// forEach does one person's part after the other. One that is refused stops
// nobody else's; when all are, the first refusal is the delivery's.
func (h *Hooks) forEach(ctx context.Context, a *action, part func(context.Context, *action, Person) (string, error)) (string, error) {
	if len(a.People) == 0 {
		return "", environment.Errorf(environment.CodeInvalid, "The message names nobody: a person needs an id, an e-mail address or a subject.")
	}
	var refusals []error
	last := ""
	for _, p := range a.People {
		done, err := part(ctx, a, p)
		if err != nil && (ctx.Err() != nil || environment.Retryable(err)) {
			return "", err
		}
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		last = done
	}
	done := len(a.People) - len(refusals)
	if done == 0 {
		return "", refusals[0]
	}
	return summary(last, done, len(a.People), refusals, a.Cut), nil
}

func summary(last string, done, all int, refusals []error, cut bool) string {
	if all == 1 {
		return last
	}
	text := fmt.Sprintf("Carried out for %d of %d people.", done, all)
	if len(refusals) > 0 {
		text += " The first refusal: " + environment.MessageOf(refusals[0])
	}
	if cut {
		text += fmt.Sprintf(" Only the first %d were read.", maxPeople)
	}
	return text
}

// member is a person as the roster knows them. Ids of platforms are told apart
// by the source, until a launch in the course, or its roster, has the account:
// whom only a hook put there is not missed by a roster. Whoever was launched with
// an id is who that is everywhere.
func (a *action) member(p Person) environment.Member {
	m := environment.Member{Subject: p.Subject, Name: p.Name, Email: p.Email, Role: p.Role}
	if p.ID != "" {
		m.LMSID = a.source.Name + ":" + p.ID
	}
	if m.Subject == "" {
		m.Subject = a.launched[p.ID].Subject
	}
	return m
}

// recognise finds out about people who have an id, where the platform of the
// source's name launches people. Where its e-mail addresses are not believed,
// they are left out: the launch names people by the id alone, and whoever can
// choose an address must not become the member who has it. Nor does an address
// count against the account.
func (h *Hooks) recognise(ctx context.Context, a *action) error {
	stored, err := h.Commands.Platforms(ctx)
	if err != nil {
		return err
	}
	all := append(slices.Clone(h.Config.Platforms), stored...) // the configuration goes first
	i := slices.IndexFunc(all, func(p environment.Platform) bool { return p.Name == a.source.Name })
	if i < 0 {
		return nil
	}
	a.launched = map[string]environment.Person{}
	for k, p := range a.People {
		if p.ID == "" {
			continue
		}
		who, err := h.Commands.WhomHooksMean(ctx, all[i], p.ID)
		if err != nil {
			return err
		}
		a.launched[p.ID] = who
		if !all[i].TrustEmails || who.Subject != "" && !strings.EqualFold(who.Email, p.Email) {
			a.People[k].Email = ""
		}
	}
	return nil
}

// onRoster finds a person among the members.
func (a *action) onRoster(p Person) (environment.Member, bool) {
	for _, same := range []func(environment.Member) bool{
		func(k environment.Member) bool { return p.Subject != "" && k.Subject == p.Subject },
		func(k environment.Member) bool {
			return p.Subject != "" && k.Subject == environment.CleanSubject(p.Subject)
		},
		func(k environment.Member) bool {
			// A roster of one platform may leave out its name; whoever was launched
			// since then has the launch's id instead.
			id := a.source.Name + ":" + p.ID
			return p.ID != "" && (k.LMSID == id || k.LMSID == p.ID || k.Subject == id)
		},
		func(k environment.Member) bool { return a.isLaunched(p, k) }, // or who they became since
		func(k environment.Member) bool { return p.Email != "" && k.Email == p.Email },
	} {
		if i := slices.IndexFunc(a.course.Members, same); i >= 0 {
			return a.course.Members[i], true
		}
	}
	return a.member(p), false
}

// isLaunched says whether a member is whom launches mean by a person's id.
func (a *action) isLaunched(p Person, k environment.Member) bool {
	who := a.launched[p.ID]
	return who.LMSID != "" && k.LMSID == who.LMSID || who.Subject != "" && k.Subject == who.Subject
}

// subject is what a person is called here, for people.
func (a *action) subject(p Person) string {
	m, _ := a.onRoster(p)
	return cmp.Or(m.Subject, m.Email, m.LMSID)
}

// owner is whose something is that is started or ended: whoever is on the
// roster, also since the message was begun with, else whom Enroll would put there.
func (h *Hooks) owner(ctx context.Context, a *action, p Person) (string, error) {
	m, ok := a.onRoster(p)
	if ok || m.Subject == "" && m.Email == "" {
		return a.subject(p), nil
	}
	m, err := h.Commands.WhomEnrollTakes(ctx, a.course.ID, m)
	return m.Subject, err
}

// enroll makes a member, and starts nothing unless the source is to.
func (h *Hooks) enroll(ctx context.Context, a *action, p Person) (string, error) {
	m := a.member(p)
	if known, ok := a.onRoster(p); ok {
		m.Subject = known.Subject
		if known.LMSID != "" {
			m.LMSID = known.LMSID
		}
	} else if m.Subject == "" && m.Email == "" {
		m.Subject = m.LMSID // all that is known
	}
	changed, err := h.Commands.Enroll(ctx, a.caller(), a.course.ID, m)
	if err != nil {
		return "", err
	}
	if err := h.noteEnrollment(ctx, a, p); err != nil {
		return "", err
	}
	done := a.subject(p) + " is on the roster."
	if !changed {
		done = a.subject(p) + " is on the roster already."
	}
	if a.source.AutoProvision != ProvisionOnEnroll || m.Role == environment.MemberStaff {
		return done, nil
	}
	started, err := h.start(ctx, a, p)
	if err != nil && !environment.Retryable(err) { // a limit, say: a member all the same
		return done + " " + environment.MessageOf(err), nil
	}
	return done + " " + started, err
}

func (h *Hooks) unenroll(ctx context.Context, a *action, p Person) (string, error) {
	m, ok := a.onRoster(p)
	elsewhere, err := h.enrolledElsewhere(ctx, a, p)
	switch {
	case err != nil:
		return "", err
	case elsewhere:
		return a.subject(p) + " stays: another enrollment of theirs, in another section, goes on.", nil
	case !ok:
		return a.subject(p) + " was not on the roster.", h.forgetEnrollments(ctx, a, p)
	}
	changed, err := h.Commands.Unenroll(ctx, a.caller(), a.course.ID, m.Subject, "")
	if err != nil {
		return "", err
	}
	if err := h.forgetEnrollments(ctx, a, p); err != nil {
		return "", err
	}
	if !changed { // the course was read a moment ago
		return m.Subject + " stays: the configuration file has them on the roster.", nil
	}
	return m.Subject + " is off the roster.", nil
}

// start makes an environment, at most once for a delivery.
func (h *Hooks) start(ctx context.Context, a *action, p Person) (string, error) {
	if a.source.AutoProvision == ProvisionOff {
		return "", ignored{"The source may start nothing (autoProvision: off)."}
	}
	owner, err := h.owner(ctx, a, p)
	if err != nil {
		return "", err
	}
	e, created, err := h.Commands.Up(ctx, a.caller(), environment.Request{Owner: owner, Course: a.course.ID, Profile: a.course.Profile,
		IdempotencyKey: a.delivery.ID + "/" + owner})
	switch {
	case err != nil:
		return "", err
	case created:
		return fmt.Sprintf("%s gets the environment %s.", owner, e.ID), nil
	default:
		return fmt.Sprintf("%s has the environment %s.", owner, e.ID), nil
	}
}

// end takes away what somebody has in the course and had when the message
// came.
func (h *Hooks) end(ctx context.Context, a *action, p Person) (string, error) {
	owner, err := h.owner(ctx, a, p)
	if err != nil {
		return "", err
	}
	items, _, err := h.Commands.List(ctx, a.caller(), environment.Filter{Owner: owner, Course: a.course.ID,
		States: []environment.State{environment.StatePending, environment.StateCreating, environment.StateReady, environment.StateUpdating}})
	if err != nil {
		return "", err
	}
	ended := 0
	for _, e := range items {
		if e.Protected != nil || e.CreatedAt.After(a.delivery.ReceivedAt) {
			continue
		}
		if _, _, err := h.Commands.Down(ctx, a.caller(), e.ID, 0); err != nil {
			return "", err
		}
		ended++
	}
	return fmt.Sprintf("What %s had is ended: %d.", owner, ended), nil
}

// order starts or ends the class, once for a delivery.
func (h *Hooks) order(ctx context.Context, a *action, what environment.ScheduleAction) (string, error) {
	if what == environment.ScheduleUp && a.source.AutoProvision == ProvisionOff {
		return "", ignored{"The source may start nothing (autoProvision: off)."}
	}
	if err := h.Once("lms", a.delivery.ID).OrderCourse(ctx, a.caller(), a.course.ID, what); err != nil {
		return "", err
	}
	return fmt.Sprintf("The class %s was told: %s.", a.course.ID, what), nil
}
