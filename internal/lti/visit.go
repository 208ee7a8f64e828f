package lti

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// visit is one request of somebody who was launched.
type visit struct {
	session
	sealed string
	// Own shows staff their own environment instead of the class.
	Own bool
	// Notice is what the last command did, Problem why it did not.
	Notice, Problem string
}

// welcome answers a launch with the page of whoever came. The cookie is for
// browsers without scripts, which cannot hand the session back by themselves.
func (t *Tool) welcome(w http.ResponseWriter, r *http.Request, s session, problem string) error {
	sealed, err := t.seal(r.Context(), forSession, s)
	if err != nil {
		return err
	}
	http.SetCookie(w, t.cookie(sessionCookie(s.ID), sealed, sessionFor))
	return t.render(r.Context(), w, visit{session: s, sealed: sealed, Problem: problem})
}

// servePage shows how things are now. Looking changes nothing, so that here
// the cookie is enough.
func (t *Tool) servePage(w http.ResponseWriter, r *http.Request) error {
	v, err := t.visitor(r)
	if err != nil {
		return err
	}
	return t.render(r.Context(), w, v)
}

// visitor finds the session of a request: in its header, its form or, for a
// look, its cookie.
func (t *Tool) visitor(r *http.Request) (visit, error) {
	form, err := parameters(r)
	if err != nil {
		return visit{}, err
	}
	sealed, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if sealed == "" {
		sealed = form.Get("session")
	}
	sid := r.PathValue("sid")
	if r.Method == http.MethodGet {
		sealed = ""
		if c, err := r.Cookie(t.cookieName(sessionCookie(sid))); err == nil {
			sealed = c.Value
		}
	}
	v := visit{sealed: sealed, Own: form.Get("view") == "own"}
	ok, err := t.open(r.Context(), forSession, sealed, &v.session)
	if err == nil && (!ok || !t.now().Before(v.Until) || sid != "" && sid != v.ID) {
		err = environment.Errorf(environment.CodeUnauthorized, "This page is over. Open daskbot from the page of your course again.")
	}
	if err != nil {
		return v, err
	}
	v.Role, err = t.roleNow(r.Context(), v.session)
	return v, err
}

// roleNow is what somebody is in the course at this moment, which may be less
// than when they were launched. Who is no longer in it keeps the page of their
// own environment, which they are told ends: it starts nothing any more.
func (t *Tool) roleNow(ctx context.Context, s session) (environment.Role, error) {
	if s.Role != environment.RoleStaff {
		return s.Role, nil
	}
	course, err := t.service.CourseDocument(ctx, s.caller(), s.Course)
	switch {
	case err != nil && environment.CodeOf(err) != environment.CodeNotFound:
		return "", err
	case err == nil && slices.Contains(course.Teachers(), s.Subject):
		return environment.RoleStaff, nil
	}
	return environment.RoleStudent, nil
}

// serveAct carries out what a button says, and shows how things are then. The
// session stands in the form: another site cannot make it up.
func (t *Tool) serveAct(w http.ResponseWriter, r *http.Request) error {
	v, err := t.visitor(r)
	if err != nil {
		return err
	}
	v.Notice, err = t.act(r.Context(), v, r.PostForm.Get("do"), r.PostForm.Get("environment"), r.PostForm.Get("sure") != "")
	switch {
	case err == nil:
	case environment.CodeOf(err) == environment.CodeInternal || environment.CodeOf(err) == environment.CodeUnavailable:
		return err
	default:
		v.Problem = environment.MessageOf(err)
	}
	return t.render(r.Context(), w, v)
}

// act carries out one command as whoever was launched.
func (t *Tool) act(ctx context.Context, v visit, do, id string, sure bool) (string, error) {
	switch do {
	case "up":
		return "", t.start(ctx, v.session)
	case "down":
		if !sure {
			return "", environment.Invalid("sure", "Nothing was ended: tick the box first.")
		}
		_, already, err := t.service.Down(ctx, v.caller(), id, 0)
		if err != nil || already {
			return "", err
		}
		return "It is being taken away.", nil
	case "class-up", "class-down":
		return t.actForClass(ctx, v, do, sure)
	default:
		return "", environment.Invalid("do", "There is no button %q on this page.", clip(do))
	}
}

func (t *Tool) actForClass(ctx context.Context, v visit, do string, sure bool) (string, error) {
	if v.Role != environment.RoleStaff {
		return "", environment.Errorf(environment.CodeForbidden, "Only teachers of the course may do this.")
	}
	if do == "class-up" {
		batch, err := t.service.CourseUp(ctx, v.caller(), v.Course)
		return told(batch), err
	}
	if !sure {
		return "", environment.Invalid("sure", "Nothing was ended: tick the box first.")
	}
	batch, err := t.service.CourseDown(ctx, v.caller(), v.Course)
	return told(batch), err
}

// render shows a student their environment, and staff the class.
func (t *Tool) render(ctx context.Context, w http.ResponseWriter, v visit) error {
	if v.Role == environment.RoleStaff && !v.Own {
		return t.showClass(ctx, w, v)
	}
	return t.showOwn(ctx, w, v)
}

// clock shows a time where the course is; "" for none.
func (v visit) clock(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	zone, err := time.LoadLocation(v.Timezone)
	if err != nil {
		zone = time.UTC // it was checked when the course was made; times are right all the same
	}
	return at.In(zone).Format("Mon 2 Jan 15:04 MST")
}

func (v visit) frame(title string, refresh int) Page {
	at := pagePath + "/" + v.ID
	if v.Own {
		at += "?view=own"
	}
	return Page{Title: title, Refresh: refresh, At: at}
}
