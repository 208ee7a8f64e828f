package kube

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// waiting says what is not ready yet, "" when all is.
func waiting(parts []controller, pods []corev1.Pod) string {
	var names []string
	ready, wanted := 0, 0
	for _, c := range parts {
		ready, wanted = ready+c.ready, wanted+c.wanted
		if c.ready >= c.wanted {
			continue
		}
		name := "the " + c.component
		if why := c.why(pods); why != "" {
			name += " (" + string(why) + ")"
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return ""
	}
	verb := "are"
	if ready == 1 || wanted == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %s %s running; still to come: %s.", ready, count(wanted, "pod"), verb, join(names))
}

// why is the first trouble among a controller's pods.
func (c controller) why(pods []corev1.Pod) trouble {
	for _, pod := range pods {
		if !c.owns(pod) {
			continue
		}
		if why, _ := diagnose(pod); why != troubleNone && why != troubleStopping {
			return why
		}
	}
	return troubleNone
}

// broken says what will not become ready by itself, "" when nothing is known.
func broken(parts []controller, s survey, full bool, ceiling int, now time.Time) string {
	for _, c := range parts {
		if c.ready >= c.wanted {
			continue
		}
		for _, pod := range s.pods {
			if !c.owns(pod) {
				continue
			}
			why, restarts := diagnose(pod)
			if !lasting(pod, why, restarts, now) {
				continue
			}
			if text := brokenPod(c, why, restarts, full, ceiling); text != "" {
				return text
			}
		}
	}
	if quotaExceeded(parts, s.warnings, now) {
		return sayQuota
	}
	return ""
}

func brokenPod(c controller, why trouble, restarts int, full bool, ceiling int) string {
	switch {
	case why == troublePull:
		return fmt.Sprintf("The image of the %s cannot be downloaded: its name is wrong or it is not public.", c.component)
	case why == troubleConfig:
		return fmt.Sprintf("The %s cannot start because its settings refer to something that does not exist.", c.component)
	case why == troubleCrash:
		return fmt.Sprintf("The %s keeps crashing (%s so far); its log says why. If packages were added, check their names.",
			c.component, count(restarts, "restart"))
	case why == troubleNode && full:
		return fmt.Sprintf("The %s does not fit: the cluster has reached its limit of %s and all of them are full.",
			c.component, count(ceiling, "node"))
	default:
		return ""
	}
}

// quotaExceeded looks for a controller that lacks pods because the namespace's
// ResourceQuota refused them.
func quotaExceeded(parts []controller, warnings []corev1.Event, now time.Time) bool {
	for _, c := range parts {
		if c.ready >= c.wanted {
			continue
		}
		if strings.Contains(c.failure, "exceeded quota") {
			return true
		}
		for _, e := range warnings {
			if e.InvolvedObject.Namespace == c.namespace && strings.HasPrefix(e.InvolvedObject.Name, c.name) &&
				strings.Contains(e.Message, "exceeded quota") && now.Sub(lastSeen(e)) < 10*patience {
				return true
			}
		}
	}
	return false
}

// lastSeen reads an event's time from whichever field its author filled.
func lastSeen(e corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	default:
		return e.CreationTimestamp.Time
	}
}

// join lists names as a sentence does.
func join(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
