package lti

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// serveLaunch takes the browser back from the platform. Nothing is done unless
// the login was this browser's, the token is the platform's, and both come for
// the first time.
func (t *Tool) serveLaunch(w http.ResponseWriter, r *http.Request) error {
	var a environment.Audited
	err := t.serveAudited(w, r, &a)
	t.noteLaunch(r.Context(), a, err)
	return err
}

// serveAudited fills the entry in as far as it learns who has come.
func (t *Tool) serveAudited(w http.ResponseWriter, r *http.Request, a *environment.Audited) error {
	form, err := parameters(r)
	if err != nil {
		return err
	}
	l, err := t.begun(r.Context(), form)
	if err != nil {
		return err
	}
	p, err := t.platform(r.Context(), l.Issuer, l.ClientID)
	if err != nil {
		return err
	}
	if !t.own(r, form, l) {
		return t.askProof(w, p, form, l)
	}
	a.Action, a.Actor = "launch", p.Name
	c, err := t.verify(r.Context(), p, form.Get("id_token"), l)
	if err != nil {
		return err
	}
	if first, err := t.service.First(r.Context(), "lti", "launch:"+environment.HashToken(l.Nonce)); err != nil || !first {
		return errors.Join(err, ifNot(first, unproved("it was used before")))
	}
	a.Actor = launchedBy(p, c).Subject
	http.SetCookie(w, t.cookie(loginCookie(l.Nonce), "", -time.Second)) // used up
	if c.MessageType == deepLinking {
		return t.offerLink(r.Context(), w, p, c)
	}
	return t.launched(w, r, p, c, a)
}

func ifNot(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// begun opens the state of a launch.
func (t *Tool) begun(ctx context.Context, form url.Values) (login, error) {
	var l login
	if says := form.Get("error"); says != "" {
		return l, environment.Errorf(environment.CodeInvalid, "The learning platform could not sign you in: %s. Open daskbot from the page of your course again.", clip(strings.TrimSpace(says+" "+form.Get("error_description"))))
	}
	if form.Get("state") == "" || form.Get("id_token") == "" {
		return l, environment.Errorf(environment.CodeInvalid, "This is not a launch from a learning platform: state or id_token is missing.")
	}
	ok, err := t.open(ctx, forLogin, form.Get("state"), &l)
	if err == nil && (!ok || !t.now().Before(l.Until)) {
		err = unproved("the state is not ours, or too old")
	}
	return l, err
}

// own says whether the login was begun by this browser: the cookie says so, or
// what the platform stored for it. The cookie has the name that it was given
// under: one without the prefix could be set by a neighbour of this host.
func (t *Tool) own(r *http.Request, form url.Values, l login) bool {
	proofs := []string{form.Get("proof")}
	if c, err := r.Cookie(t.cookieName(loginCookie(l.Nonce))); err == nil {
		proofs = append(proofs, c.Value)
	}
	for _, proof := range proofs {
		if proof != "" && same(environment.HashToken(proof), l.Proof) {
			return true
		}
	}
	return false
}

// askProof is for a browser that keeps no cookies in frames: ask what the
// platform stored, else begin anew in a window of its own.
func (t *Tool) askProof(w http.ResponseWriter, p environment.Platform, form url.Values, l login) error {
	page := proofPage{Page: Page{Title: "Open daskbot"}, Again: l.Again, Login: t.at(loginPath)}
	if l.Storage != "" && !form.Has("proof") {
		page.Launch, page.Token, page.State = t.at(launchPath), form.Get("id_token"), form.Get("state")
		page.Target, page.Origin, page.Key = l.Storage, originOf(p.AuthURL), storageKey(l.Nonce)
	}
	return t.show(w, http.StatusUnauthorized, frames(p), "proof", page)
}

// launched is somebody who has come, in a course.
func (t *Tool) launched(w http.ResponseWriter, r *http.Request, p environment.Platform, c claims, a *environment.Audited) error {
	what := role(c.Roles)
	if what == "" {
		return environment.Errorf(environment.CodeForbidden, "You are neither a student nor a teacher of this course, as far as the learning platform says.")
	}
	course, err := t.courseOf(r.Context(), p, c, what)
	if err != nil {
		return err
	}
	a.Role, a.Object = what, course.ID
	person, err := t.service.RecogniseLaunched(r.Context(), launchedBy(p, c))
	if err != nil {
		return err
	}
	a.Actor = person.Subject
	if err := t.enroll(r.Context(), p, c, course, person, what); err != nil {
		return err
	}
	s := session{ID: environment.NewID(), Subject: person.Subject, Name: c.Name, Role: what, Course: course.ID, Timezone: course.Timezone,
		Until: t.now().Add(sessionFor).UTC(), Frames: frames(p, c.Presentation.ReturnURL)}
	if s.Role, err = t.roleNow(r.Context(), s); err != nil { // a configuration may have its own mind
		return err
	}
	problem := ""
	if s.Role == environment.RoleStudent {
		err := t.start(r.Context(), s)
		if code := environment.CodeOf(err); code == environment.CodeInternal || code == environment.CodeUnavailable {
			return err
		}
		if err != nil { // a limit, say: the page lets them try again
			problem = environment.MessageOf(err)
		}
	}
	t.log.Info("lti launch", "platform", p.Name, "course", course.ID, "subject", person.Subject, "role", string(s.Role))
	return t.welcome(w, r, s, problem)
}

// courseOf finds the course that a course of the platform is.
func (t *Tool) courseOf(ctx context.Context, p environment.Platform, c claims, what environment.Role) (environment.Course, error) {
	course, err := t.service.CourseByLMS(ctx, p.Name, c.Context.ID)
	if environment.CodeOf(err) != environment.CodeNotFound {
		return course, err
	}
	if what == environment.RoleStaff { // who can have it mended
		return course, environment.Errorf(environment.CodeNotFound, "This course of the learning platform is not connected with a course here. "+
			"Whoever runs daskbot connects it by adding this to the course: lms: [{source: %s, context: %q}].", p.Name, clip(c.Context.ID))
	}
	return course, environment.Errorf(environment.CodeNotFound, "daskbot is not set up for this course yet; tell your teacher.")
}

// launchedBy is who came. Somebody new is named after the platform, as hooks of
// a source with the same name do, so that both speak of one person.
func launchedBy(p environment.Platform, c claims) environment.Launched {
	id := c.userID(p)
	subject := p.Name + ":" + id
	switch {
	case id == "":
		subject = ""
	case environment.ValidSubject("", subject) != nil:
		subject = p.Name + ":" + environment.HashToken(c.Issuer + "#" + id)[:16]
	}
	l := environment.Launched{LMSID: c.lmsID(), Name: c.Name, Email: c.Email, EmailTrusted: p.TrustEmails, Subject: subject}
	if p.UserIDFrom != "" {
		l.Hooks = subject
	}
	return l
}

// enroll puts whoever came on the roster, as the platform vouches for them, and
// remembers where the platform tells the rest of it.
func (t *Tool) enroll(ctx context.Context, p environment.Platform, c claims, course environment.Course, person environment.Person, what environment.Role) error {
	if err := t.noteRoster(ctx, p, c, course.ID); err != nil {
		return err
	}
	_, err := t.admit(ctx, p, c, course, memberOf(c, person, what))
	return err
}

// admit puts a member on the roster, and takes off whom hooks made of the same
// person.
func (t *Tool) admit(ctx context.Context, p environment.Platform, c claims, course environment.Course, m environment.Member) (changed bool, err error) {
	hooks := launchedBy(p, c).Subject
	_, doubled := course.Member(hooks)
	if old, ok := course.Member(m.Subject); ok && nothingNew(old, m) && (!doubled || hooks == m.Subject) {
		return false, nil // as at nearly every launch: a roster is written one at a time
	}
	return t.service.EnrollLaunched(ctx, agent(p, course.ID), course.ID, m, hooks)
}

// nothingNew says whether a launch tells nothing that the roster does not say.
func nothingNew(old, next environment.Member) bool {
	return old.LMSID == next.LMSID && old.Role == next.Role && (next.Name == "" || next.Name == old.Name) && (next.Email == "" || next.Email == old.Email)
}

// memberOf is somebody as a member of a course. The e-mail address is the one
// that is believed, not the one that was told.
func memberOf(c claims, person environment.Person, what environment.Role) environment.Member {
	m := environment.Member{Subject: person.Subject, Name: c.Name, Email: person.Email, LMSID: c.lmsID(), Role: environment.MemberStudent}
	if what == environment.RoleStaff {
		m.Role = environment.MemberStaff
	}
	return m
}

// agent is who acts for a platform: as staff of the one course it spoke of.
func agent(p environment.Platform, course string) environment.Caller {
	return environment.Caller{Subject: "lti:" + p.Name, Role: environment.RoleStaff, Courses: []string{course}, Via: environment.ViaLTI}
}

// start gives somebody an environment in the course who has none there.
func (t *Tool) start(ctx context.Context, s session) error {
	e, found, err := t.latest(ctx, s)
	if err != nil || found && !e.State.Terminal() && e.Desired == environment.Present {
		return err
	}
	_, _, err = t.service.Up(ctx, s.caller(), environment.Request{Owner: s.Subject, Course: s.Course})
	return err
}

// latest is the newest that somebody has in the course, else the newest that
// they had: one that ended hides none that goes on.
func (t *Tool) latest(ctx context.Context, s session) (environment.Environment, bool, error) {
	for _, states := range [][]environment.State{goingOn, nil} {
		items, _, err := t.service.List(ctx, s.caller(), environment.Filter{Owner: s.Subject, Course: s.Course, States: states, Limit: 1})
		if err != nil {
			return environment.Environment{}, false, err
		}
		if len(items) > 0 {
			return items[0], true, nil
		}
	}
	return environment.Environment{}, false, nil
}

// goingOn are the states of what somebody can use, or soon.
var goingOn = []environment.State{environment.StatePending, environment.StateCreating, environment.StateReady, environment.StateUpdating}
