package lti

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// How often a page looks again, in seconds: while something is being made, and
// otherwise. Without scripts a page blinks each time.
const (
	soon, later, withoutScript = 2, 20, 10
)

// ownPage is somebody's own environment in a course.
type ownPage struct {
	Page
	visit
	Session string
	Every   int
	// Environment is nil for nobody's.
	Environment *environment.Environment
	// Label says in a word or two how it is, Message in a sentence.
	Label       string
	Message     string
	Step, Steps int
	// Left is how long it still takes, "" when that is not known.
	Left        string
	Ready       bool
	Making      bool
	Credentials environment.Credentials
	Password    string // revealed here, for its owner
	Token       string
	Ends        string
	Teacher     bool
}

// showOwn shows somebody's own environment, and nobody else's.
func (t *Tool) showOwn(ctx context.Context, w http.ResponseWriter, v visit) error {
	page := ownPage{Page: v.frame("Your Dask environment", 0), visit: v, Session: v.sealed, Every: later, Teacher: v.Role == environment.RoleStaff,
		Message: "You have no environment in this course now."}
	e, found, err := t.latest(ctx, v.session)
	if err != nil {
		return err
	}
	if found && e.State != environment.StateDeleted {
		if err := t.describe(ctx, v, e, &page); err != nil {
			return err
		}
	}
	if page.Making {
		page.Every, page.Refresh = soon, withoutScript
	}
	return t.show(w, http.StatusOK, v.Frames, "own", page)
}

var labels = map[environment.State]string{
	environment.StatePending: "Being made.", environment.StateCreating: "Being made.", environment.StateReady: "Ready.",
	environment.StateUpdating: "Being changed.", environment.StateDeleting: "Being taken away.", environment.StateFailed: "That did not work.",
}

// describe fills in what is known of an environment.
func (t *Tool) describe(ctx context.Context, v visit, e environment.Environment, page *ownPage) error {
	look, err := t.service.Look(ctx, v.caller(), e.ID)
	if err != nil {
		return err
	}
	page.Environment, page.Message = &e, e.Message
	page.Step, page.Steps = look.Step, look.Steps
	page.Label = labels[e.State]
	page.Ready = e.URL != "" && e.Desired == environment.Present && (e.State == environment.StateReady || e.State == environment.StateUpdating)
	page.Making = !e.State.Terminal() && e.State != environment.StateReady
	if e.State == environment.StateFailed && e.Failure != nil {
		page.Message = e.Failure.Message
	}
	if left := look.Estimate.Sub(look.Now); !look.Estimate.IsZero() && left > 0 {
		page.Left = environment.FormatDuration(max(left.Round(time.Minute), time.Minute))
	}
	if !page.Ready {
		return nil
	}
	if strings.HasPrefix(e.Message, "Ready") { // the button says the rest
		page.Message = "It is yours alone."
	}
	page.Ends = v.clock(e.ExpiresAt)
	page.Credentials, err = t.service.Credentials(ctx, v.caller(), e.ID)
	if environment.CodeOf(err) == environment.CodeConflict { // it ended at this moment
		page.Ready = false
		return nil
	}
	page.Password, page.Token = page.Credentials.Password.Reveal(), page.Credentials.Token.Reveal()
	return err
}

// Startable says whether there is a use in asking for a new one.
func (p ownPage) Startable() bool {
	return p.Environment == nil || p.Environment.State.Terminal()
}

// Endable says whether there is something to take away.
func (p ownPage) Endable() bool {
	return p.Environment != nil && p.Environment.Desired == environment.Present && !p.Environment.State.Terminal()
}
