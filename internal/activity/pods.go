package activity

import (
	"fmt"

	"github.com/daskbot/daskbot/internal/environment"
)

// The ports of what is asked, which charts and operator do not let one change.
const (
	hubPort       = 8081
	notebookPort  = 8888
	schedulerPort = 8787
)

// pods are an environment's pods by what they are.
type pods struct {
	hubs       []environment.Pod // one, or two while it is being replaced
	notebooks  []environment.Pod // that a hub started
	jupyters   []environment.Pod // of the dask chart
	schedulers []environment.Pod
	workers    []environment.Pod
}

// sortPods tells pods apart by the labels that their makers give them.
func sortPods(all []environment.Pod) pods {
	var p pods
	for _, pod := range all {
		if into := p.place(pod.Labels); into != nil {
			*into = append(*into, pod)
		}
	}
	return p
}

func (p *pods) place(label map[string]string) *[]environment.Pod {
	component := label["component"]
	switch {
	case component == "hub":
		return &p.hubs
	case component == "singleuser-server":
		return &p.notebooks
	case label["app"] == "dask" && component == "jupyter":
		return &p.jupyters
	case label["app"] == "dask" && component == "scheduler",
		label["dask.org/component"] == "scheduler",               // the operator's
		label["app.kubernetes.io/component"] == "dask-scheduler": // the gateway's
		return &p.schedulers
	case label["app"] == "dask" && component == "worker",
		label["dask.org/component"] == "worker",
		label["app.kubernetes.io/component"] == "dask-worker":
		return &p.workers
	default:
		return nil
	}
}

// one picks the pod to ask of those that should be one.
func one(list []environment.Pod) (environment.Pod, bool) {
	for _, pod := range list {
		if pod.Ready {
			return pod, true
		}
	}
	for _, pod := range list {
		if !pod.Pending {
			return pod, true // perhaps it answers all the same
		}
	}
	return environment.Pod{}, false
}

// workers says how many workers there are. That they run is no use: only the
// scheduler knows whether they do anything.
func (l *look) workers() {
	total, waiting := len(l.pods.workers), 0
	for _, pod := range l.pods.workers {
		if pod.Pending {
			waiting++
		}
	}
	switch {
	case total == 0:
	case waiting == 0 && total == 1:
		l.quiet("workers", "1 Dask worker is running")
	case waiting == 0:
		l.quiet("workers", fmt.Sprintf("%d Dask workers are running", total))
	default:
		l.quiet("workers", fmt.Sprintf("%d of %d Dask workers have not started", waiting, total))
	}
}
