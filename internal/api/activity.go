package api

import (
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Activity is what is known of an environment's use, as of the last look.
type Activity struct {
	Verdict string     `json:"verdict" doc:"active, idle or unknown; more may be added. Unknown is never idle." example:"active"`
	Reason  string     `json:"reason" example:"kernel python3 has been running for 2h"`
	Since   *time.Time `json:"since,omitempty" doc:"When the last use ended (idle), when it was last in use (active), since when nothing is known (unknown)."`
	At      *time.Time `json:"at,omitempty" doc:"When it was looked."`
	Signals []Signal   `json:"signals" nullable:"false" doc:"What each source said."`
}

// Signal is what one source says of its use.
type Signal struct {
	Source  string     `json:"source" doc:"hub, server, kernel, terminal, scheduler, workers or lease; more may be added." example:"kernel"`
	Kind    string     `json:"kind" doc:"busy, quiet or unknown." example:"busy"`
	Last    *time.Time `json:"last,omitempty" doc:"The latest use this source knows of."`
	Message string     `json:"message" example:"kernel python3 has been running for 2h"`
}

// Ending is the end that the owner was told of.
type Ending struct {
	At     time.Time `json:"at" doc:"It ends then unless it is extended or, for idle, unused and class, used."`
	Cause  string    `json:"cause" doc:"deadline, maximum, idle, unused, class, left or course; more may be added." example:"idle"`
	ToldAt time.Time `json:"toldAt" doc:"When the owner was told first."`
}

// Next is what the reaper would do now, judged by the last look.
type Next struct {
	Action string     `json:"action" enum:"keep,warn,delete,skip" doc:"skip: not the reaper's business now, being made or protected." example:"keep"`
	Reason string     `json:"reason" example:"Its time is over at 2026-11-23 16:00 UTC. Now: in use (kernel python3 has been running for 2h)."`
	At     *time.Time `json:"at" doc:"When it would end if nothing changed; null for never."`
}

// Limit is one limit that holds for an environment.
type Limit struct {
	Name  string `json:"name" doc:"As in the configuration's policy." example:"idle"`
	Value string `json:"value" example:"45m"`
	From  string `json:"from" doc:"environment (asked for with it), profile, course or default: who set it." example:"course"`
}

// notYet holds until the reaper has looked for the first time.
var notYet = Activity{Verdict: string(environment.VerdictUnknown), Reason: "Nobody has looked at its use yet.", Signals: []Signal{}}

func wireActivity(u environment.Use) Activity {
	if u.Verdict.Is == "" {
		return notYet
	}
	a := Activity{Verdict: string(u.Verdict.Is), Reason: u.Verdict.Reason, Since: instant(u.Verdict.Since), At: instant(u.Activity.At), Signals: []Signal{}}
	for _, s := range u.Activity.Signals {
		a.Signals = append(a.Signals, Signal{Source: s.Source, Kind: string(s.Kind), Last: instant(s.Last), Message: s.Message})
	}
	return a
}

// wireReaping adds what the reaper knows of a live environment and is to do.
func wireReaping(out *Environment, e environment.Environment, l environment.Look) {
	out.Policy, out.KeepUntil = []Limit{}, instant(e.KeepUntil)
	for _, limit := range l.Terms.Limits() {
		out.Policy = append(out.Policy, Limit(limit))
	}
	if last := l.Use.Activity.Last(); last.After(e.LastActivityAt) {
		out.LastActivity = instant(last)
	}
	if e.Ending != nil {
		out.Ending = &Ending{At: e.Ending.At.UTC(), Cause: string(e.Ending.Cause), ToldAt: e.Ending.ToldAt.UTC()}
	}
	if e.Protected != nil {
		out.Protected = &Protection{By: e.Protected.By, At: e.Protected.At.UTC()}
	}
	if e.State.Live() && l.Judgement.Action != "" {
		out.Next = &Next{Action: string(l.Judgement.Action), Reason: l.Judgement.Reason, At: instant(l.Judgement.At)}
	}
}

// Protection says who keeps the reaper away.
type Protection struct {
	By string    `json:"by" example:"prof@example.edu"`
	At time.Time `json:"at"`
}
