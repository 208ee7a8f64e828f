package api

import (
	"context"

	"github.com/daskbot/daskbot/internal/environment"
)

func (d *double) found(who environment.Caller, method string) (environment.Orphans, error) {
	if who.Role == environment.RoleStudent {
		return environment.Orphans{}, environment.Errorf(environment.CodeForbidden, "Only an admin may do this.")
	}
	return environment.Orphans{At: when, PricesAsOf: "2026-07-30", Items: []environment.Orphan{{
		Resource: environment.Resource{Kind: environment.KindDisk, Project: "class-2026", Location: "europe-west1-b", Name: "pvc-1"},
		Cluster:  "dask-kq7wm2xd", Reason: "Its cluster dask-kq7wm2xd is gone.", FirstSeen: when, Action: environment.OrphanWait}}}, d.scripted(method)
}

func (d *double) Orphans(_ context.Context, who environment.Caller) (environment.Orphans, error) {
	return d.found(who, "Orphans")
}

func (d *double) FindOrphans(_ context.Context, who environment.Caller) (environment.Orphans, error) {
	return d.found(who, "FindOrphans")
}

func (d *double) DeleteOrphans(_ context.Context, who environment.Caller, _, _ bool) (environment.Orphans, error) {
	return d.found(who, "DeleteOrphans")
}
