package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// trouble is why a pod is not ready.
type trouble string

const (
	troubleNone     trouble = ""
	troubleNode     trouble = "waiting for a node"
	troubleVolume   trouble = "waiting for its disk"
	troubleStarting trouble = "starting"
	troublePull     trouble = "its image cannot be downloaded"
	troubleConfig   trouble = "its settings are incomplete"
	troubleCrash    trouble = "keeps crashing"
	troubleStopping trouble = "stopping"
	troubleDisk     trouble = "stopped, because it filled the disk it may use"
	troubleEvicted  trouble = "stopped, because its node ran out of memory or disk"
	troubleRefused  trouble = "stopped by its node"
	troubleFailed   trouble = "failed"
)

const (
	// Image downloads and scheduling have short bad spells; after this long
	// they are taken for lasting.
	patience = time.Minute
	// The first restarts of a hub that waits for its database are normal.
	crashes = 3
)

func pods(list []corev1.Pod, p environment.Plan) []environment.SeenPod {
	var out []environment.SeenPod
	for _, pod := range list {
		if pod.Namespace != p.Namespace && !slices.Contains(otherNamespaces(p), pod.Namespace) {
			continue
		}
		out = append(out, environment.SeenPod{
			Name: pod.Name, Component: component(pod.Labels, pod.Name), Phase: string(pod.Status.Phase),
			Ready: podReady(pod) && pod.DeletionTimestamp == nil, Message: podMessage(pod)})
	}
	slices.SortFunc(out, func(a, b environment.SeenPod) int { return compare(a.Name, b.Name) })
	return out
}

func podReady(pod corev1.Pod) bool { return condition(pod, corev1.PodReady) == corev1.ConditionTrue }

func condition(pod corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range pod.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}

// homeless reports whether no node has room for the pod.
func homeless(pod corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && pod.Spec.NodeName == "" && unschedulable(pod) != nil
}

func unschedulable(pod corev1.Pod) *corev1.PodCondition {
	for i, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// diagnose says why a pod is not ready and how often it crashed.
func diagnose(pod corev1.Pod) (why trouble, restarts int) {
	switch {
	case pod.DeletionTimestamp != nil:
		return troubleStopping, 0
	case pod.Status.Phase == corev1.PodSucceeded, podReady(pod):
		return troubleNone, 0
	case pod.Status.Phase == corev1.PodFailed && pod.Status.Reason == "Evicted":
		return evicted(pod), 0
	case pod.Status.Phase == corev1.PodFailed && pod.Spec.RestartPolicy == corev1.RestartPolicyAlways:
		return troubleRefused, 0 // its containers would have been restarted; another pod takes its place
	case pod.Status.Phase == corev1.PodFailed:
		return troubleFailed, 0
	}
	if c := unschedulable(pod); c != nil && pod.Spec.NodeName == "" {
		if strings.Contains(strings.ToLower(c.Message), "persistentvolumeclaim") {
			return troubleVolume, 0
		}
		return troubleNode, 0
	}
	return stuckAt(pod)
}

// stuckAt says what a container of a pod that has its node waits for.
func stuckAt(pod corev1.Pod) (why trouble, restarts int) {
	why = troubleStarting
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.State.Waiting == nil {
			if crashedAgain(s) {
				why, restarts = troubleCrash, int(s.RestartCount)
			}
			continue
		}
		switch s.State.Waiting.Reason {
		case "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull":
			return troublePull, 0
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError":
			why = troubleConfig
		case "CrashLoopBackOff":
			return troubleCrash, int(s.RestartCount)
		}
	}
	return why, restarts
}

// crashedAgain reports whether a container that runs, or has just ended, is
// between two of many crashes: that it was started once more is no news.
func crashedAgain(s corev1.ContainerStatus) bool {
	last := s.LastTerminationState.Terminated
	return s.RestartCount >= crashes && last != nil && last.ExitCode != 0
}

// evicted says which of its own limits a pod passed, or that it was its node's.
// The kubelet says so in words only: "Usage of EmptyDir volume … exceeds the
// limit", "Pod ephemeral local storage usage exceeds …", "The node was low on
// resource: …" (pkg/kubelet/eviction/helpers.go).
func evicted(pod corev1.Pod) trouble {
	if strings.Contains(pod.Status.Message, "exceeds") {
		return troubleDisk
	}
	return troubleEvicted
}

// outOfMemory reports whether a container's last end was for using more memory
// than it may.
func outOfMemory(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool {
		last := s.LastTerminationState.Terminated
		return last != nil && last.Reason == "OOMKilled"
	})
}

// podMessage is the diagnosis as words for `status`.
func podMessage(pod corev1.Pod) string {
	why, restarts := diagnose(pod)
	memory := outOfMemory(pod)
	switch {
	case memory && why == troubleCrash:
		return fmt.Sprintf("keeps using more memory than it may (%s so far)", count(restarts, "restart"))
	case memory && why == troubleNone && podReady(pod):
		return "running; it used more memory than it may and was started again"
	case pod.Status.Phase == corev1.PodSucceeded && pod.Spec.RestartPolicy == corev1.RestartPolicyAlways:
		// It would have been restarted: only its node ends such a pod, and an
		// eviction whose process went quietly looks like this.
		return "stopped by its node, as when it fills the disk it may use"
	case pod.Status.Phase == corev1.PodSucceeded:
		return "finished"
	case why == troubleCrash:
		return fmt.Sprintf("keeps crashing (%s so far)", count(restarts, "restart"))
	case why == troubleNone:
		return "running"
	default:
		return string(why)
	}
}

// lasting reports whether the trouble has been there long enough to say that
// it will not pass by itself.
func lasting(pod corev1.Pod, why trouble, restarts int, now time.Time) bool {
	switch why {
	case troubleCrash:
		return restarts >= crashes
	case troublePull, troubleConfig:
		start := pod.CreationTimestamp.Time
		if pod.Status.StartTime != nil {
			start = pod.Status.StartTime.Time
		}
		return now.Sub(start) >= patience
	case troubleNode:
		return now.Sub(unschedulable(pod).LastTransitionTime.Time) >= patience
	default:
		return false
	}
}

// count gives "1 restart" and "2 restarts".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
