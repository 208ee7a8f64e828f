package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/daskbot/daskbot/internal/environment"
)

// Sweep runs the reaper once, at once, and returns when it is done. dry only
// says what it would do; confirmed ends more idle environments at once than
// one run may without a person. Its error means that nothing was done.
type Sweep func(ctx context.Context, dry, confirmed bool) (Swept, error)

// Swept is what one run did, or would do.
type Swept struct {
	Items                            []environment.PlanItem
	Warned, Deleted, Failed, Waiting int
	Held                             string
	Paused                           bool
}

// PlanItem is what the reaper does with one environment.
type PlanItem struct {
	Environment string     `json:"environment" example:"kq7wm2xd"`
	Owner       string     `json:"owner" example:"alice"`
	Course      string     `json:"course" example:"de-2026"`
	Verdict     string     `json:"verdict" doc:"active, idle or unknown, as of the last look." example:"idle"`
	Action      string     `json:"action" enum:"keep,warn,delete,skip" doc:"skip: left alone now; the reason says why." example:"warn"`
	Reason      string     `json:"reason" example:"Idle: last used 15m ago; it ends after 45m without use."`
	At          *time.Time `json:"at" doc:"When it would end if nothing changed; null for never."`
}

// Plan is what the reaper would do now.
type Plan struct {
	Items  []PlanItem `json:"items" nullable:"false"`
	Paused bool       `json:"paused" doc:"Somebody stopped the reaper: nothing is ended or warned."`
	Why    string     `json:"why" doc:"Who stopped it, and what they said; empty while it runs." example:"admin: the hubs are being repaired"`
	Held   string     `json:"held" doc:"Why the last run left idle environments alone and waits for a person; empty when it did not." example:""`
}

// Run is what one run of the reaper did, or with dryRun would do.
type Run struct {
	Plan
	DryRun  bool `json:"dryRun"`
	Warned  int  `json:"warned" example:"2"`
	Deleted int  `json:"deleted" example:"1"`
	Failed  int  `json:"failed" doc:"Could not be looked at or ended; the log says why." example:"0"`
	Waiting int  `json:"waiting" doc:"Left for the next run: one run ends only so many." example:"0"`
}

// RunRequest is how the reaper is run.
type RunRequest struct {
	DryRun  bool `json:"dryRun,omitempty" doc:"Look at everything, and only say what would be done." example:"true"`
	Confirm bool `json:"confirm,omitempty" doc:"End also more idle environments at once than one run may without a person." example:"false"`
}

// ReaperState is what people decided about the reaper.
type ReaperState struct {
	Paused bool       `json:"paused"`
	By     string     `json:"by" doc:"Who paused or resumed it last." example:"admin"`
	At     *time.Time `json:"at"`
	Reason string     `json:"reason" doc:"What they said of it; empty for nothing." example:"the hubs are being repaired"`
	Held   string     `json:"held" example:""`
}

// ReaperSwitch is how the reaper is paused or resumed.
type ReaperSwitch struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Why, for whoever wonders." example:"the hubs are being repaired"`
}

type planOutput struct{ Body Plan }

type runInput struct{ Body *RunRequest }

type runOutput struct{ Body Run }

type reaperInput struct{ Body *ReaperSwitch }

type reaperOutput struct{ Body ReaperState }

func (s *Server) reaping() {
	tags := []string{"reaper"}
	add(s, huma.Operation{OperationID: "reaperPlan", Method: http.MethodGet, Path: "/reaper/plan", Tags: tags,
		Summary: "What the reaper would do now", Description: "For staff, who see their courses' environments, and admins. By the rule of a real run, on what the last looks saw. What becomes of their own, students read with each environment."}, s.plan)
	add(s, huma.Operation{OperationID: "reaperRun", Method: http.MethodPost, Path: "/reaper/run", Tags: tags,
		Summary: "Run the reaper now", Description: "For staff and admins; confirm is for admins. Looks at every environment, warns, and ends what is at its end; with dryRun it only says so. " +
			"While paused it does nothing more than a dry run. Staff read of their courses' environments.",
		DefaultStatus: http.StatusOK}, s.run)
	add(s, huma.Operation{OperationID: "reaperPause", Method: http.MethodPost, Path: "/reaper/pause", Tags: tags,
		Summary: "Stop the reaper", Description: "For staff and admins. Until it is resumed nothing ends by itself, and nobody is warned.",
		DefaultStatus: http.StatusOK}, s.pause(true))
	add(s, huma.Operation{OperationID: "reaperResume", Method: http.MethodPost, Path: "/reaper/resume", Tags: tags,
		Summary: "Let the reaper go on", Description: "For staff and admins. What came to its end meanwhile is warned of first.",
		DefaultStatus: http.StatusOK}, s.pause(false))
}

func (s *Server) plan(ctx context.Context, c call[struct{}]) (*planOutput, error) {
	items, err := s.service.Plan(ctx, c.who)
	if err != nil {
		return nil, err
	}
	state, err := s.service.Reaper(ctx)
	if err != nil {
		return nil, err
	}
	return &planOutput{Body: Plan{Items: wirePlan(items), Paused: state.Paused, Why: whyPaused(state), Held: state.Held}}, nil
}

func (s *Server) run(ctx context.Context, c call[runInput]) (*runOutput, error) {
	how := given(c.in.Body)
	action := environment.ActionReap
	if how.Confirm { // more than it does by itself
		action = environment.ActionAdminister
	}
	if err := environment.Authorize(c.who, action, "", ""); err != nil {
		return nil, err
	}
	if s.sweep == nil {
		return nil, environment.Errorf(environment.CodeUnavailable, "This daemon runs no reaper.")
	}
	did, err := s.sweep(ctx, how.DryRun, how.Confirm)
	if err != nil {
		return nil, err
	}
	theirs := slices.DeleteFunc(did.Items, func(i environment.PlanItem) bool {
		return environment.Authorize(c.who, environment.ActionView, i.Environment.Owner, i.Environment.Course) != nil
	})
	return &runOutput{Body: Run{Plan: Plan{Items: wirePlan(theirs), Paused: did.Paused, Held: did.Held}, DryRun: how.DryRun,
		Warned: did.Warned, Deleted: did.Deleted, Failed: did.Failed, Waiting: did.Waiting}}, nil
}

func (s *Server) pause(on bool) func(context.Context, call[reaperInput]) (*reaperOutput, error) {
	return func(ctx context.Context, c call[reaperInput]) (*reaperOutput, error) {
		state, err := s.service.Pause(ctx, c.who, on, given(c.in.Body).Reason)
		if err != nil {
			return nil, err
		}
		return &reaperOutput{Body: ReaperState{Paused: state.Paused, By: state.By, At: instant(state.At), Reason: state.Reason, Held: state.Held}}, nil
	}
}

// given is a body of which nothing is required: without one, all of it is left
// out.
func given[T any](body *T) T {
	if body == nil {
		return *new(T)
	}
	return *body
}

// whyPaused says who stopped the reaper, and what they said.
func whyPaused(state environment.ReaperState) string {
	switch {
	case !state.Paused:
		return ""
	case state.Reason == "":
		return state.By
	default:
		return state.By + ": " + state.Reason
	}
}

func wirePlan(items []environment.PlanItem) []PlanItem {
	out := []PlanItem{}
	for _, i := range items {
		verdict := i.Use.Verdict.Is
		if verdict == "" {
			verdict = environment.VerdictUnknown
		}
		out = append(out, PlanItem{Environment: i.Environment.ID, Owner: i.Environment.Owner, Course: i.Environment.Course,
			Verdict: string(verdict), Action: string(i.Judgement.Action), Reason: i.Judgement.Reason, At: instant(i.Judgement.At)})
	}
	return out
}
