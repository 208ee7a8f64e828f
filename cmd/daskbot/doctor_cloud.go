package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
	"github.com/daskbot/daskbot/internal/provision/compute"
	"github.com/daskbot/daskbot/internal/provision/gke"
	"github.com/daskbot/daskbot/internal/provision/helm"
	"github.com/daskbot/daskbot/internal/provision/kube"
)

const (
	maxSkew   = 30 * time.Second
	mendClock = "Let the machine keep time: timedatectl set-ntp true."
	// googleAPI is asked for the time where nothing replaces it.
	googleAPI = "https://compute.googleapis.com/"
)

// gke is the client as the daemon makes it.
func (x examined) gke(ctx context.Context) (*gke.Client, error) {
	return gke.New(ctx, gkeConfig(x.cfg))
}

const mendCredentials = "Run daskbot on GKE with Workload Identity, or run `gcloud auth application-default login`; see docs/INSTALL.md."

// cloud asks with the daemon's credentials for each project's clusters, which
// needs them to be good, the API to be enabled, and a role.
func (x examined) cloud(ctx context.Context) []finding {
	if len(x.cfg.Projects()) == 0 {
		return only(well("There is no cloud project: only given clusters are used."))
	}
	client, err := x.gke(ctx)
	if err != nil {
		return only(ill(mendCredentials, "There are no credentials: %s", because(err)))
	}
	defer func() { _ = client.Close() }() // nothing is under way
	var findings []finding
	for _, project := range x.cfg.Projects() {
		err := client.Allowed(ctx, project)
		switch environment.CodeOf(err) {
		case "":
			findings = append(findings, well("GKE answers for the project %s.", project))
		case environment.CodeForbidden:
			says, mend, grants := strings.Cut(environment.MessageOf(err), " Its owner can allow it with these commands:\n")
			if !grants {
				mend = mendCredentials
			}
			findings = append(findings, ill(mend, "%s", says))
		default:
			findings = append(findings, ill("Check gke.endpoint, and that this machine's network reaches Google Cloud; else try again in a few minutes.",
				"GKE does not answer for the project %s: %s", project, because(err)))
		}
	}
	return findings
}

// permissions asks which of those that daskbot needs are missing.
func (x examined) permissions(ctx context.Context) []finding {
	if len(x.cfg.Projects()) == 0 {
		return nil
	}
	client, err := x.gke(ctx)
	if err != nil {
		return nil // told under credentials
	}
	defer func() { _ = client.Close() }() // nothing is under way
	var findings []finding
	for _, project := range x.cfg.Projects() {
		missing, err := client.Missing(ctx, x.base(), project)
		grants := "Its owner can allow it with these commands:\n" + strings.Join(client.Grants(project), "\n")
		switch {
		case err != nil:
			findings = append(findings, odd("", "%s", because(err)))
		case len(missing) > 0:
			findings = append(findings, ill(grants, "In the project %s daskbot lacks %s.", project, strings.Join(missing, ", ")))
		default:
			findings = append(findings, well("daskbot has every permission it needs in %s.", project))
		}
	}
	return findings
}

// base is where an emulator serves Google's REST APIs; "" for Google's own.
func (x examined) base() string {
	u, err := url.Parse(x.cfg.GKE.ComputeEndpoint)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host + "/"
}

// quota asks whether one environment of the default profile fits.
func (x examined) quota(ctx context.Context) []finding {
	p, _ := x.cfg.Profile(x.cfg.DefaultProfile())
	if x.cfg.GKE.Project == "" || p.Given != "" || len(p.Cluster.Locations) == 0 {
		return nil
	}
	client, err := compute.New(ctx, computeConfig(x.cfg))
	if err != nil {
		return nil // told under credentials
	}
	short, err := client.Shortfall(ctx, x.cfg.GKE.Project, p.Cluster.Locations[0], p.Cluster)
	switch {
	case err != nil:
		return only(ill("Enable the API with: gcloud services enable compute.googleapis.com --project="+x.cfg.GKE.Project+"; else check gke.computeEndpoint and the network.",
			"Compute Engine does not tell the quota: %s", because(err)))
	case short != "":
		return only(ill("Ask for more at https://console.cloud.google.com/iam-admin/quotas?project="+x.cfg.GKE.Project+", or use a smaller machine type.",
			"Not even one %s fits: %s", p.Name, short))
	default:
		return only(well("There is quota for an environment of %s in %s.", p.Name, p.Cluster.Locations[0]))
	}
}

// clock compares this machine's time with that of an answer.
func (x examined) clock(ctx context.Context) []finding {
	address := x.base()
	if address == "" {
		address = googleAPI
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return only(odd("", "The time could not be compared: %v.", err))
	}
	answer, err := x.http.Do(r)
	if err != nil {
		return only(odd("Let this machine reach "+address+".", "The time could not be compared: %v.", err))
	}
	_ = answer.Body.Close() // the header is all that counts
	theirs, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return only(odd("", "%s does not say what time it is.", address))
	}
	// The header counts whole seconds.
	if skew := x.now().Sub(theirs); skew.Abs() > maxSkew {
		return only(ill(mendClock, "This machine's clock is %s off: tokens are refused, and environments end at the wrong time.", skew.Round(time.Second)))
	}
	return only(well("The clock is right."))
}

// charts asks each profile's repository for its charts, and whether they take
// what the profile gives them.
func (x examined) charts(ctx context.Context) []finding {
	client := helm.New(helm.Config{CacheDir: cacheDir(), HTTP: x.http})
	var findings []finding
	for _, p := range x.cfg.Profiles() {
		e := environment.Environment{ID: "doctor", Owner: "doctor", Recipe: p, Profile: p.Name, Namespace: p.Namespace,
			Spec: environment.Spec{Workers: p.Workers.Default}}
		for _, release := range environment.Render(e) {
			findings = append(findings, x.chart(ctx, client, p.Name, release))
		}
	}
	return findings
}

func (x examined) chart(ctx context.Context, client *helm.Client, profile string, r environment.Release) finding {
	version, err := client.Resolve(ctx, r)
	if err == nil {
		r.Version = version
		err = client.Check(ctx, r)
	}
	switch environment.CodeOf(err) {
	case "":
		return well("%s: the chart %s %s takes the profile's values.", profile, r.Chart, version)
	case environment.CodeUnavailable:
		return ill("Let daskbot's network reach "+r.Repository+", or give a mirror under profiles.repositories.",
			"%s: the chart %s cannot be fetched: %s", profile, r.Chart, because(err))
	default:
		return ill("Correct chart, version or values of the profile "+profile+".", "%s: %s", profile, because(err))
	}
}

// clusters asks whether each given cluster's API server answers.
func (x examined) clusters(ctx context.Context) []finding {
	if len(x.cfg.Clusters) == 0 {
		return only(well("No clusters are given."))
	}
	client := kube.New(kube.Config{})
	var findings []finding
	for name, given := range x.cfg.Clusters {
		target, err := x.cfg.Target(name)
		if err == nil {
			_, err = client.Pods(ctx, target, "default", "app=none")
		}
		if err != nil {
			findings = append(findings, ill("Check clusters."+name+": that "+given.Kubeconfig+" is a kubeconfig that this account may read, and that its server can be reached.",
				"The cluster %s cannot be used: %s", name, because(err)))
			continue
		}
		findings = append(findings, well("The cluster %s answers.", name))
	}
	return findings
}
