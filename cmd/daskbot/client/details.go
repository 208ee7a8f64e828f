package client

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
)

// summary draws an environment after a command: what it is, and what next.
func (w World) summary(e api.Environment) func(io.Writer) error {
	return func(o io.Writer) error {
		if err := facts(o, w.facts(e)); err != nil {
			return err
		}
		next := ""
		switch environment.State(e.State) {
		case environment.StateReady:
			next = "Log in with what `daskbot credentials " + e.ID + "` shows."
		case environment.StatePending, environment.StateCreating, environment.StateUpdating, environment.StateDeleting:
			next = "See how far it is with `daskbot events " + e.ID + " --follow`."
		default: // it has ended: there is nothing to do next
		}
		if next == "" {
			return nil
		}
		_, err := fmt.Fprintln(o, "\n"+next)
		return err
	}
}

func (w World) facts(e api.Environment) []pair {
	where := e.Cluster.Name
	if where != "" {
		where = fmt.Sprintf("%s in %s, %s, %s", e.Cluster.Name, e.Cluster.Location, e.Cluster.Placement, count(e.Cluster.Nodes, "node"))
	}
	failure := ""
	if e.Failure != nil {
		failure = e.Failure.Message
		if e.Failure.Detail != "" {
			failure += " (" + e.Failure.Detail + ")"
		}
	}
	ready := ""
	if e.Estimate.ReadyAt != nil {
		ready = "expected at " + w.clockAndDistance(e.Estimate.ReadyAt)
		if e.Estimate.Steps > 0 {
			ready += fmt.Sprintf(", step %d of %d", e.Estimate.Step, e.Estimate.Steps)
		}
	}
	return append([]pair{
		{"ID", e.ID}, {"Owner", e.Owner}, {"Course", e.Course}, {"Profile", e.Profile}, {"State", e.State},
		{"Message", e.Message}, {"Problem", failure}, {"Ready", ready}, {"URL", e.URL}, {"Dashboard", e.DashboardURL},
		{"Workers", strconv.Itoa(e.Workers)}, {"Packages", strings.Join(e.Packages, ", ")}, {"Cluster", where}, {"Project", e.Project},
		{"Created", w.clock(&e.CreatedAt)}, {"Ends", w.clockAndDistance(e.ExpiresAt)}, {"Cost", cost(e.Cost)},
	}, w.useFacts(e)...)
}

func cost(c api.Cost) string {
	if c.PricesAsOf == "" {
		return ""
	}
	if c.USDPerHour == 0 {
		return fmt.Sprintf("about $%.2f in all (list prices of %s)", c.USDTotal, c.PricesAsOf)
	}
	return fmt.Sprintf("about $%.2f an hour, $%.2f so far (list prices of %s)", c.USDPerHour, c.USDTotal, c.PricesAsOf)
}

// details draws an environment with what runs in it.
func (w World) details(e api.Environment) func(io.Writer) error {
	return func(o io.Writer) error {
		if err := facts(o, w.facts(e)); err != nil {
			return err
		}
		if e.Workloads == nil {
			return nil
		}
		return drawWorkloads(o, *e.Workloads)
	}
}

func drawWorkloads(o io.Writer, l api.Workloads) error {
	for _, sentence := range []string{l.Message, l.Workers.Message} {
		if sentence != "" {
			_, _ = fmt.Fprintln(o, "\n"+oneLine(sentence)) // the tables report it
		}
	}
	var nodes, pods, services, releases [][]string
	for _, n := range l.Nodes {
		nodes = append(nodes, []string{n.Name, n.MachineType, readiness(n.Ready, "")})
	}
	for _, p := range l.Pods {
		pods = append(pods, []string{p.Name, p.Component, p.Phase, readiness(p.Ready, p.Message)})
	}
	for _, s := range l.Services {
		var ports []string
		for _, p := range s.Ports {
			ports = append(ports, strconv.Itoa(p))
		}
		services = append(services, []string{s.Name, s.Type, s.Address, strings.Join(ports, ",")})
	}
	for _, r := range l.Releases {
		releases = append(releases, []string{r.Name, r.Chart, r.Version})
	}
	for _, t := range []struct {
		header []string
		lines  [][]string
	}{
		{[]string{"RELEASE", "CHART", "VERSION"}, releases},
		{[]string{"NODE", "MACHINE", "READY"}, nodes},
		{[]string{"POD", "COMPONENT", "PHASE", "READY"}, pods},
		{[]string{"SERVICE", "TYPE", "ADDRESS", "PORTS"}, services},
	} {
		if len(t.lines) == 0 {
			continue
		}
		_, _ = fmt.Fprintln(o)
		if err := rows(o, t.header, t.lines); err != nil {
			return err
		}
	}
	return nil
}

func readiness(ready bool, why string) string {
	switch {
	case ready:
		// "running", and what happened to it before.
		if _, before, ok := strings.Cut(why, "; "); ok {
			return "yes; " + before
		}
		return "yes"
	case why != "":
		return "no: " + why
	default:
		return "no"
	}
}
