package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/daskbot/daskbot/sandbox/internal/charts"
	"github.com/daskbot/daskbot/sandbox/internal/cloud"
	"github.com/daskbot/daskbot/sandbox/internal/compute"
	"github.com/daskbot/daskbot/sandbox/internal/control"
	"github.com/daskbot/daskbot/sandbox/internal/gke"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes"
	"github.com/daskbot/daskbot/sandbox/internal/lms"
	"github.com/daskbot/daskbot/sandbox/internal/serviceusage"
	"github.com/daskbot/daskbot/sandbox/internal/slack"
	"github.com/daskbot/daskbot/sandbox/internal/standin"
)

const defaultProject = "sandbox-project"

// assemble makes the parts of the sandbox and connects them.
func assemble(o options, state string, kept settings, l listeners, log *slog.Logger) (*sandbox, error) {
	programs, err := binaries(o.controlplane)
	if err != nil {
		return nil, err
	}
	world, err := openWorld(o, state, kept, log)
	if err != nil {
		return nil, err
	}
	machines, err := realNodes(o, state, kept, world.Contents(), log)
	if err != nil {
		return nil, err
	}
	backends := standin.New(standin.Config{
		Log: log, StateDir: filepath.Join(state, "standin"),
		Fault: func(point, cluster string) bool { return world.Fault(point, cluster) != nil },
	})
	planes, err := kubernetes.New(kubernetes.Config{
		StateDir: filepath.Join(state, "kubernetes"), Binaries: programs, Network: kept.Network, Token: kept.Token,
		Nodes: o.nodes, Machines: machines, Compute: world, Backends: backends, Log: log,
	})
	if err != nil {
		return nil, err
	}
	server := gke.New(gke.Config{World: world, Planes: forgetting{planes, backends}, Token: kept.Token, Log: log})
	chat, err := openSlack(o, state, kept, l, world, log)
	if err != nil {
		return nil, err
	}
	campus, err := openLMS(o, state, l, log)
	if err != nil {
		return nil, err
	}
	services := services{world: world, gke: server, backends: backends, slack: chat, lms: campus}
	handler, err := services.routes(endpoints(state, kept, l, chat, campus), log)
	if err != nil {
		return nil, err
	}
	return &sandbox{listeners: l, planes: planes, gke: server, slack: chat, lms: campus, handler: handler, log: log}, nil
}

// openSlack opens the emulated Slack. Its faults are scripted like those of
// the clouds; a workspace's domain stands where a cloud has a project.
func openSlack(o options, state string, kept settings, l listeners, world *cloud.World, log *slog.Logger) (*slack.Emulator, error) {
	return slack.Open(slack.Config{
		StateDir: filepath.Join(state, "slack"), URL: "http://" + l.http.Addr().String() + "/slack",
		SigningSecret: kept.SlackSigningSecret, AppURL: o.slackApp, Patience: o.slackPatience, Log: log,
		Faults: func(kind, method, domain string) (slack.Fault, bool) {
			f := world.Take(kind, cloud.Occasion{Method: method, Project: domain})
			if f == nil {
				return slack.Fault{}, false
			}
			return slack.Fault{Delay: f.Wait(0)}, true
		},
	})
}

// openLMS opens the emulated LMS. On loopback its address is localhost, not
// the number that everything else has: then a browser takes it and a tool for
// different sites, as a real LMS and a tool are.
func openLMS(o options, state string, l listeners, log *slog.Logger) (*lms.Platform, error) {
	host, port, err := net.SplitHostPort(l.http.Addr().String())
	if err != nil {
		return nil, err
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		host = "localhost"
	}
	return lms.Open(lms.Config{
		StateDir: filepath.Join(state, "lms"), URL: "http://" + net.JoinHostPort(host, port) + "/lms",
		ToolURL: o.lmsTool, Mail: "sandbox-university.example", Log: log,
	})
}

// forgetting drops what a cluster's stand-ins remember when the cluster goes.
type forgetting struct {
	cloud.ControlPlanes
	backends *standin.Backends
}

// Stop ends the control plane, then forgets.
func (f forgetting) Stop(ctx context.Context, id string) error {
	if err := f.ControlPlanes.Stop(ctx, id); err != nil {
		return err
	}
	return f.backends.Forget(id)
}

// services are the parts that speak HTTP.
type services struct {
	world    *cloud.World
	gke      *gke.Server
	backends *standin.Backends
	slack    *slack.Emulator
	lms      *lms.Platform
}

// routes puts everything that speaks HTTP on one address.
func (s services) routes(e control.Endpoints, log *slog.Logger) (http.Handler, error) {
	containers, err := s.gke.REST()
	if err != nil {
		return nil, err
	}
	repository, err := charts.New()
	if err != nil {
		return nil, fmt.Errorf("package the charts: %w", err)
	}
	usage := serviceusage.New(s.world)
	machines := compute.New(s.world, e.Token)
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		// Kubernetes Engine and Service Usage share a host here, and the
		// shape of their paths.
		if isServiceUsage(r.URL.Path) {
			usage.ServeHTTP(w, r)
			return
		}
		containers.ServeHTTP(w, r)
	})
	mux.Handle("/compute/v1/", machines)
	mux.Handle("/batch/compute/v1", machines)
	mux.Handle("/slack/", s.slack)
	mux.Handle("/lms/", s.lms)
	mux.Handle("/charts/", http.StripPrefix("/charts", repository))
	mux.Handle("/", control.New(control.Config{World: s.world, Activity: scripted{s.backends}, Endpoints: e, Log: log}))
	return mux, nil
}

// isServiceUsage tells /v1/projects/P/services…, its :batchEnable and
// /v1/projects/P:testIamPermissions from the paths of Kubernetes Engine.
func isServiceUsage(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	return len(parts) >= 4 && (parts[3] == "services" || parts[3] == "services:batchEnable") || strings.HasSuffix(path, ":testIamPermissions")
}

// endpoints says where everything is.
func endpoints(state string, kept settings, l listeners, chat *slack.Emulator, campus *lms.Platform) control.Endpoints {
	base := "http://" + l.http.Addr().String()
	app, tool := chat.Credentials(), campus.Details()
	return control.Endpoints{
		GKE: l.grpc.Addr().String(), GKERest: base, Compute: base + "/compute/v1/", ServiceUsage: base, Charts: base + "/charts",
		Slack: control.Slack{
			URL: base + "/slack/", API: app.API, SigningSecret: app.SigningSecret, Team: app.Team,
			BotToken: app.BotToken, AppToken: app.AppToken, ClientID: app.ClientID, ClientSecret: app.ClientSecret,
		},
		LMS: control.LMS{
			URL: tool.Issuer + "/", Issuer: tool.Issuer, ClientID: tool.ClientID, Deployment: tool.Deployment,
			AuthURL: tool.AuthURL, TokenURL: tool.TokenURL, JWKSURL: tool.JWKSURL, EventsJWKS: tool.EventsJWKS,
			Secret: tool.Secrets.Standard, Bearer: tool.Secrets.Bearer, Moodle: tool.Secrets.Moodle,
			Inbox: tool.Inbox, Outgoing: tool.Secrets.Outgoing,
		},
		Token: kept.Token, Project: defaultProject, Control: base,
		Files: control.Files{
			Token: filepath.Join(state, "token"), GcloudConfig: filepath.Join(state, "gcloud"), Kubeconfig: filepath.Join(state, "kubeconfig"),
		},
	}
}
