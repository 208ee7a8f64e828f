package api

import (
	"context"

	"github.com/daskbot/daskbot/internal/environment"
)

// Workloads is what runs in an environment now, in words.
type Workloads struct {
	Message  string    `json:"message" doc:"A sentence about what is waited for or broken; empty when all is well." example:"1 of 3 pods is not ready yet."`
	Ready    int       `json:"ready" doc:"Pods that are ready." example:"2"`
	Wanted   int       `json:"wanted" doc:"Pods there should be." example:"3"`
	Workers  Workers   `json:"workers"`
	Nodes    []Node    `json:"nodes" nullable:"false"`
	Pods     []Pod     `json:"pods" nullable:"false"`
	Services []Port    `json:"services" nullable:"false"`
	Releases []Release `json:"releases" nullable:"false"`
}

// Workers counts Dask workers.
type Workers struct {
	Wanted  int    `json:"wanted" example:"4"`
	Running int    `json:"running" example:"2"`
	Pending int    `json:"pending" example:"2"`
	Message string `json:"message" example:"2 of 4 workers are waiting for a node; the cluster may grow to 10."`
}

// Node is a machine of the cluster.
type Node struct {
	Name        string `json:"name" example:"gke-daskbot-kq7wm2xd-default-pool-1"`
	MachineType string `json:"machineType" example:"e2-standard-2"`
	Ready       bool   `json:"ready"`
}

// Pod is one pod.
type Pod struct {
	Name      string `json:"name" example:"hub-5d4f8"`
	Component string `json:"component" example:"hub"`
	Phase     string `json:"phase" example:"Running"`
	Ready     bool   `json:"ready"`
	Message   string `json:"message" doc:"Why it is not ready." example:""`
}

// Port is a Kubernetes Service with its address.
type Port struct {
	Name    string `json:"name" example:"proxy-public"`
	Type    string `json:"type" example:"LoadBalancer"`
	Address string `json:"address" example:"203.0.113.7"`
	Ports   []int  `json:"ports" nullable:"false"`
}

// Release is a Helm release and the version it is held at.
type Release struct {
	Name    string `json:"name" example:"dhub"`
	Chart   string `json:"chart" example:"daskhub"`
	Version string `json:"version" doc:"Empty until it was resolved." example:"2026.1.1"`
}

// workloads asks the cluster. That there is none, or that it does not answer,
// is worth a sentence, not an error: the rest of the body is still true.
func (s *Server) workloads(ctx context.Context, who environment.Caller, e environment.Environment) (*Workloads, error) {
	seen, err := s.service.Describe(ctx, who, e.ID)
	switch environment.CodeOf(err) {
	case "":
		w := wireWorkloads(seen)
		w.Releases = releases(e)
		return w, nil
	case environment.CodeConflict, environment.CodeUnavailable, environment.CodeNotFound:
		w := wireWorkloads(environment.SeenWorkloads{Waiting: environment.MessageOf(err)})
		w.Releases = releases(e)
		return w, nil
	default:
		return nil, err
	}
}

func releases(e environment.Environment) []Release {
	out := []Release{}
	for _, r := range e.Recipe.Releases {
		version := e.Spec.Versions[r.Name]
		if version == "" {
			version = r.Version
		}
		out = append(out, Release{Name: r.Name, Chart: r.Chart, Version: version})
	}
	return out
}

func wireWorkloads(seen environment.SeenWorkloads) *Workloads {
	w := &Workloads{Message: seen.Broken, Ready: seen.Ready, Wanted: seen.Wanted, Workers: Workers(seen.Workers),
		Nodes: []Node{}, Pods: []Pod{}, Services: []Port{}}
	if w.Message == "" {
		w.Message = seen.Waiting
	}
	for _, n := range seen.Nodes {
		w.Nodes = append(w.Nodes, Node(n))
	}
	for _, p := range seen.Pods {
		w.Pods = append(w.Pods, Pod(p))
	}
	for _, p := range seen.Services {
		w.Services = append(w.Services, Port{Name: p.Name, Type: p.Type, Address: p.Address, Ports: append([]int{}, p.Ports...)})
	}
	return w
}
