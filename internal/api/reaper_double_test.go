package api

import (
	"context"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func (d *double) Keep(_ context.Context, who environment.Caller, id string, lease time.Duration, expect int64) (environment.Environment, error) {
	return d.change("Keep", who, id, expect, func(e *environment.Environment) { e.KeepUntil = when.Add(lease) })
}

func (d *double) Protect(_ context.Context, who environment.Caller, id string, on bool, expect int64) (environment.Environment, error) {
	if who.Role == environment.RoleStudent {
		return environment.Environment{}, environment.Errorf(environment.CodeForbidden, "Only staff may protect an environment.")
	}
	return d.change("Protect", who, id, expect, func(e *environment.Environment) {
		e.Protected = nil
		if on {
			e.Protected = &environment.Protection{By: who.Subject, At: when}
		}
	})
}

func (d *double) Plan(ctx context.Context, who environment.Caller) ([]environment.PlanItem, error) {
	items, _, err := d.List(ctx, who, environment.Filter{States: []environment.State{environment.StateReady}})
	var plan []environment.PlanItem
	for _, e := range items {
		plan = append(plan, environment.PlanItem{Environment: e, Use: used, Judgement: judged})
	}
	return plan, err
}

// What the double's reaper knows of every environment.
var (
	used = environment.Use{Verdict: environment.Verdict{Is: environment.VerdictIdle, Since: when, Reason: "last used 15m ago"},
		Activity: environment.Activity{At: when.Add(15 * time.Minute), Signals: []environment.Signal{
			{Source: "kernel", Kind: environment.SignalQuiet, Last: when, Message: "kernel python3 is idle"}}}}
	judged = environment.Judgement{Action: environment.ReapWarn, At: when.Add(45 * time.Minute), Cause: environment.EndIdle, Reason: "Idle: last used 15m ago."}
	terms  = environment.TermsOf(environment.Policy{}, environment.Policy{Idle: 45 * time.Minute}, environment.Policy{MaxTTL: 12 * time.Hour})
)

func (d *double) Reaper(context.Context) (environment.ReaperState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reaper, d.scripted("Reaper")
}

func (d *double) Pause(_ context.Context, who environment.Caller, paused bool, reason string) (environment.ReaperState, error) {
	if who.Role != environment.RoleAdmin {
		return environment.ReaperState{}, environment.Errorf(environment.CodeForbidden, "Only an admin may do this.")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reaper = environment.ReaperState{Paused: paused, By: who.Subject, At: when, Reason: reason}
	return d.reaper, nil
}

// swept is what the double's reaper does in a run.
func (d *double) swept(ctx context.Context, dry, confirmed bool) (Swept, error) {
	items, err := d.Plan(ctx, environment.Caller{Subject: "reaper", Role: environment.RoleAdmin})
	out := Swept{Items: items}
	if !dry {
		out.Warned = len(items)
	}
	if !confirmed {
		out.Held = "12 of 13 environments look idle at once."
	}
	return out, err
}

func (d *double) Costs(_ context.Context, _ environment.Caller, q environment.CostQuery) (environment.CostReport, error) {
	return environment.CostReport{By: q.By, From: q.From, To: when, PricesAsOf: "2026-07-30", USD: 1.5, SavedUSD: 2, CreditUSD: 0.5,
		Items: []environment.CostItem{{Key: "alice", Environments: 2, USD: 1.5, SavedUSD: 2}}}, d.scripted("Costs")
}

func (d *double) Touch(_ context.Context, id, secret string, lease time.Duration) (time.Time, error) {
	if id != "kq7wm2xd" || secret != password {
		return time.Time{}, environment.Errorf(environment.CodeNotFound, "There is nothing to keep at this address.")
	}
	return when.Add(lease), nil
}
