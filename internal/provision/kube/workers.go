package kube

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/daskbot/daskbot/internal/environment"
)

// workerSelector finds worker pods; without one there are none to be found.
func workerSelector(p environment.Plan) (labels.Selector, error) {
	if p.Workers.Selector == "" {
		return labels.Nothing(), nil
	}
	selector, err := labels.Parse(p.Workers.Selector)
	if err != nil {
		return nil, environment.Invalid("workers.selector", "%q is not a label selector; write for example component=worker.", p.Workers.Selector)
	}
	return selector, nil
}

// workers counts Dask worker pods in the environment's own namespace.
func workers(s survey, p environment.Plan, isWorker labels.Selector, full bool) environment.SeenWorkers {
	var seen environment.SeenWorkers
	noRoom := 0
	for _, pod := range s.pods {
		if pod.Namespace != p.Namespace || !isWorker.Matches(labels.Set(pod.Labels)) || over(pod) {
			continue
		}
		if podReady(pod) {
			seen.Running++
			continue
		}
		seen.Pending++
		if homeless(pod) {
			noRoom++
		}
	}
	seen.Wanted = p.WantWorkers
	if p.Workers.Kind == environment.WorkersNodes {
		// Notebooks make these as they like; there is no wish to compare with.
		seen.Wanted = seen.Running + seen.Pending
	}
	seen.Message = workersMessage(seen, noRoom, full, p.Ceiling)
	return seen
}

func over(pod corev1.Pod) bool {
	return pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// workersMessage tells a student how many workers there are and why not more.
func workersMessage(seen environment.SeenWorkers, noRoom int, full bool, ceiling int) string {
	total := max(seen.Wanted, seen.Running+seen.Pending)
	switch {
	case total == 0:
		return ""
	case noRoom > 0:
		return waitForNode(noRoom, total, full, ceiling)
	case seen.Pending > 0:
		return fmt.Sprintf("%s starting.", ofWorkers(seen.Pending, total))
	case seen.Running < total:
		return fmt.Sprintf("%s still to be made.", ofWorkers(total-seen.Running, total))
	case total == 1:
		return "The worker is running."
	default:
		return fmt.Sprintf("All %d workers are running.", total)
	}
}

func waitForNode(noRoom, total int, full bool, ceiling int) string {
	sentence := ofWorkers(noRoom, total) + " waiting for a node"
	switch {
	case full:
		return fmt.Sprintf("%s, but the cluster has reached its limit of %s; ask for fewer workers or for a larger cluster.",
			sentence, count(ceiling, "node"))
	case ceiling > 0:
		return fmt.Sprintf("%s; the cluster may grow to %d.", sentence, ceiling)
	default:
		return sentence + "."
	}
}

// ofWorkers gives "The worker is", "1 of 4 workers is" and "2 of 4 workers are".
func ofWorkers(n, total int) string {
	switch {
	case total == 1:
		return "The worker is"
	case n == 1:
		return fmt.Sprintf("1 of %d workers is", total)
	default:
		return fmt.Sprintf("%d of %d workers are", n, total)
	}
}
