package main

import (
	"context"
	"slices"

	"github.com/daskbot/daskbot/internal/config"
	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/provision"
	"github.com/daskbot/daskbot/internal/provision/compute"
	"github.com/daskbot/daskbot/internal/provision/gke"
)

// reach makes the cloud's clients. Where the configuration needs no cloud and
// nobody has anything in one, daskbot does without: without a name to mark things
// with, or without credentials.
func (d *daemon) reach(ctx context.Context, cfg *config.Config, ports *provision.Ports) error {
	err := d.connect(ctx, cfg)
	if err == nil {
		ports.Clusters, ports.Compute = d.cloud, d.compute
		return nil
	}
	spared := cfg.GKE.Installation == "" || environment.CodeOf(err) == environment.CodeUnauthorized
	if cfg.NeedsCloud() || !spared {
		return err
	}
	used, lost := d.cloudUsed(ctx)
	switch {
	case lost != nil:
		return lost
	case used:
		return err
	}
	d.log.Info("there is no cloud: only given clusters are used", "reason", because(err))
	ports.Clusters, ports.Compute = environment.NoCloud{}, environment.NoCompute{}
	return nil
}

// connect makes both clients, or neither.
func (d *daemon) connect(ctx context.Context, cfg *config.Config) error {
	settings := gkeConfig(cfg)
	settings.Log = d.log
	cloud, err := gke.New(ctx, settings)
	if err != nil {
		return err
	}
	disks, err := compute.New(ctx, computeConfig(cfg))
	if err != nil {
		_ = cloud.Close() // nothing is under way
		return err
	}
	d.cloud, d.compute = cloud, disks
	return nil
}

// cloudUsed reports whether something of this daskbot's may be in a cloud: to
// start without seeing it would let it cost.
func (d *daemon) cloudUsed(ctx context.Context) (bool, error) {
	linked, err := d.store.Linked(ctx)
	if err != nil || len(linked) > 0 {
		return true, err
	}
	clusters, err := d.store.Clusters(ctx, false)
	made := func(c environment.Cluster) bool { return c.Given == "" && c.DeletedAt.IsZero() }
	return slices.ContainsFunc(clusters, made), err
}
