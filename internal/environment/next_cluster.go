package environment

import (
	"fmt"
	"strings"
	"time"
)

// ClusterStepKind is one idempotent thing the runner can do for a cluster.
type ClusterStepKind string

// The cluster steps.
const (
	ClusterRest    ClusterStepKind = "rest"
	ClusterWait    ClusterStepKind = "wait"
	ClusterQuota   ClusterStepKind = "quota"   // read the region's quota before spending
	ClusterCreate  ClusterStepKind = "create"  // record the intent, then ask
	ClusterElse    ClusterStepKind = "else"    // abandon this name; try the next location or name
	ClusterResize  ClusterStepKind = "resize"  // move the node pool's ceiling
	ClusterReady   ClusterStepKind = "ready"   // tell the tenants
	ClusterFail    ClusterStepKind = "fail"    // give up; delete what there is
	ClusterIdle    ClusterStepKind = "idle"    // note that a shared cluster has no tenant now
	ClusterRetire  ClusterStepKind = "retire"  // a shared cluster nobody uses
	ClusterDelete  ClusterStepKind = "delete"  // ask for deletion of Attempt
	ClusterForget  ClusterStepKind = "forget"  // an abandoned attempt is confirmed gone
	ClusterDeleted ClusterStepKind = "deleted" // all attempts are confirmed gone
)

// ClusterStep is what NextCluster decided.
type ClusterStep struct {
	Kind    ClusterStepKind
	Attempt ClusterAttempt // which name Delete and Forget are about
	Message string
	Failure *Error
}

// ObservedCluster is what the cloud says of a cluster row's names.
type ObservedCluster struct {
	// Known is set when the cloud answered about the current name.
	Known   bool
	Current SeenCluster
	// Abandoned are observations of c.Abandoned, in order; a State of
	// CloudUnknown means that it did not answer.
	Abandoned []SeenCluster
	// Tenants counts environments that may still hold something on it, Staying
	// those of them that are not on their way out.
	Tenants, Staying int
}

// At is the cluster's current attempt.
func (c Cluster) At() ClusterAttempt { return ClusterAttempt{Name: c.Name, Location: c.Location} }

// NextCluster decides the next step for a cluster. It is pure.
func NextCluster(c Cluster, seen ObservedCluster, now time.Time) ClusterStep {
	switch {
	case !c.DeletedAt.IsZero():
		return ClusterStep{Kind: ClusterRest}
	case c.Given != "":
		return nextGiven(c)
	case c.Desired == Absent:
		return clusterDown(c, seen, now)
	default:
		return clusterUp(c, seen, now)
	}
}

// nextGiven: a given cluster is there because somebody else made it.
func nextGiven(c Cluster) ClusterStep {
	switch {
	case c.Desired == Absent:
		return ClusterStep{Kind: ClusterDeleted}
	case c.State != StateReady:
		return ClusterStep{Kind: ClusterReady}
	default:
		return ClusterStep{Kind: ClusterRest}
	}
}

func clusterUp(c Cluster, seen ObservedCluster, now time.Time) ClusterStep {
	if c.State != StateReady && overdue(c, seen, now) {
		return ClusterStep{Kind: ClusterFail, Failure: Errorf(CodeUnavailable,
			"The cloud did not finish making the Kubernetes cluster within %s.", PhaseCluster.Limit())}
	}
	switch {
	case !seen.Known:
		return ClusterStep{Kind: ClusterWait, Message: "Waiting for the cloud to answer."}
	case c.AskedAt.IsZero() && seen.Current.State == CloudAbsent && c.QuotaChecked.IsZero():
		return ClusterStep{Kind: ClusterQuota, Message: "Checking the project's quota."}
	case c.AskedAt.IsZero() && seen.Current.State == CloudAbsent:
		return ClusterStep{Kind: ClusterCreate, Message: "Asking for the Kubernetes cluster."}
	case c.State == StateReady:
		return clusterKept(c, seen, now)
	default:
		return clusterAsked(c, seen.Current)
	}
}

// overdue reports whether making it takes too long. What is there in the end is
// not too late; and whether it is there nobody knows while the cloud is silent,
// which a single look that fails, as right after a start, does not say.
func overdue(c Cluster, seen ObservedCluster, now time.Time) bool {
	limit := PhaseCluster.Limit()
	switch {
	case seen.Known && seen.Current.Mine && seen.Current.State.Usable():
		return false
	case !seen.Known && (c.SilentSince.IsZero() || now.Sub(c.SilentSince) <= limit):
		return false
	default:
		return now.Sub(attemptedSince(c)) > limit
	}
}

// attemptedSince is since when the present attempt lasts: each is given the
// whole time.
func attemptedSince(c Cluster) time.Time {
	if c.AskedAt.IsZero() {
		return latest(c.CreatedAt, c.PhaseSince) // waiting to be asked for, first or again
	}
	return c.AskedAt
}

// unlabelled is what only people can mend.
const unlabelled = "The Kubernetes cluster lost the labels that tell that daskbot made it; whoever runs daskbot must put them back."

// clusterKept decides about one that was ready: somebody's work is on it, so it
// is never left for another one, and what people must mend is waited for.
func clusterKept(c Cluster, seen ObservedCluster, now time.Time) ClusterStep {
	s := seen.Current
	switch {
	case s.State == CloudAbsent:
		return ClusterStep{Kind: ClusterFail, Failure: Errorf(CodeUnavailable, "The Kubernetes cluster is gone; somebody deleted it.")}
	case !s.Mine:
		return ClusterStep{Kind: ClusterWait, Message: unlabelled}
	case s.State.Usable():
		return clusterUsable(c, seen, now)
	case s.State == CloudStopping:
		return ClusterStep{Kind: ClusterWait, Message: "The Kubernetes cluster is being deleted, and not by daskbot."}
	default:
		return clusterBroken(c, seen, now)
	}
}

// clusterBroken decides about one that was ready and works no longer. A shared
// one goes as soon as nobody is to stay on it: who is on the way out may wait for
// its API server for ever.
func clusterBroken(c Cluster, seen ObservedCluster, now time.Time) ClusterStep {
	if c.Placement == Shared && seen.Staying == 0 {
		if step, ok := unused(c, now); ok {
			return step
		}
	}
	return ClusterStep{Kind: ClusterWait, Message: "Google Cloud says that the Kubernetes cluster does not work; whoever runs daskbot must look at it there, or have it deleted with `down`."}
}

// unused is what becomes of a shared cluster that nobody needs.
func unused(c Cluster, now time.Time) (ClusterStep, bool) {
	idle := time.Duration(c.Shape.IdleMinutes) * time.Minute
	switch {
	case c.IdleSince.IsZero():
		return ClusterStep{Kind: ClusterIdle}, true
	case now.Sub(c.IdleSince) >= idle:
		return ClusterStep{Kind: ClusterRetire}, true
	default:
		return ClusterStep{}, false
	}
}

// clusterAsked decides once a create was, or may have been, asked for.
func clusterAsked(c Cluster, s SeenCluster) ClusterStep {
	switch {
	case s.State != CloudAbsent && !s.Mine:
		return ClusterStep{Kind: ClusterElse, Message: "That name is taken; trying another."}
	case s.Failure != nil:
		return failedAttempt(c, s.Failure)
	case s.State == CloudAbsent && s.Operation == OperationRunning:
		return ClusterStep{Kind: ClusterWait, Message: "Waiting for the Kubernetes cluster to appear."}
	case s.State == CloudAbsent: // also while it may yet appear: asking by the same name again meets it
		return ClusterStep{Kind: ClusterCreate, Message: "Asking for the Kubernetes cluster."}
	case s.State == CloudError:
		return failedAttempt(c, Errorf(CodeUnavailable, "The cloud could not make the Kubernetes cluster."))
	case s.State == CloudStopping:
		return ClusterStep{Kind: ClusterFail, Failure: Errorf(CodeUnavailable, "The Kubernetes cluster is being deleted, and not by daskbot.")}
	case s.State.Usable():
		return ClusterStep{Kind: ClusterReady}
	default:
		return ClusterStep{Kind: ClusterWait, Message: progressMessage(s.Progress)}
	}
}

func progressMessage(p Progress) string {
	if p.Total == 0 {
		return "The Kubernetes cluster is being made."
	}
	return fmt.Sprintf("The Kubernetes cluster is being made (%d of %d parts).", min(p.Done, p.Total), p.Total)
}

// failedAttempt: out of machines means another place, a fault of the cloud's one
// more try, anything else means no.
func failedAttempt(c Cluster, why *Error) ClusterStep {
	switch {
	case why.Stockout && c.Attempt+1 < len(c.Shape.Locations):
		return ClusterStep{Kind: ClusterElse, Failure: why,
			Message: fmt.Sprintf("%s has no machines left; trying %s.", c.Location, c.Shape.Locations[c.Attempt+1])}
	case !why.Stockout && why.Code == CodeUnavailable && c.Attempt == 0:
		return ClusterStep{Kind: ClusterElse, Failure: why, Message: why.Message + " Trying once more."}
	default:
		return ClusterStep{Kind: ClusterFail, Failure: why}
	}
}

func clusterUsable(c Cluster, seen ObservedCluster, now time.Time) ClusterStep {
	if step, ok := tidyAbandoned(c, seen); ok {
		return step
	}
	switch {
	case seen.Current.Operation == OperationRunning:
		return ClusterStep{Kind: ClusterWait, Message: resizing(c)}
	case resized(c, seen.Current):
		return ClusterStep{Kind: ClusterResize, Message: resizing(c)}
	}
	if c.Placement == Shared && seen.Tenants == 0 {
		if step, ok := unused(c, now); ok {
			return step
		}
	}
	if len(c.Abandoned) > 0 {
		return ClusterStep{Kind: ClusterWait}
	}
	return ClusterStep{Kind: ClusterRest, Message: clusterReady}
}

// resized reports whether the pool is to become another size.
func resized(c Cluster, s SeenCluster) bool {
	switch {
	case c.Shape.Autoscaled():
		return s.MaxNodes != c.MaxNodes
	case c.Sized == 0:
		return c.MaxNodes != c.Shape.Nodes
	default:
		return c.MaxNodes != c.Sized || s.Operation == OperationFailed
	}
}

// notResized begins what is said while a cluster cannot become another size.
const notResized = "Its cluster cannot have "

// NotResized is what is said while the size that a cluster is to have is refused.
func NotResized(c Cluster, why string) string {
	return cannotHave(c) + why
}

func cannotHave(c Cluster) string {
	return notResized + count(c.MaxNodes, "node", "nodes") + " yet, and daskbot keeps asking: "
}

// resizing keeps the reason of a refusal while the same is asked for again.
func resizing(c Cluster) string {
	if strings.HasPrefix(c.Message, cannotHave(c)) {
		return c.Message
	}
	return "Changing how far the cluster may grow."
}

// clusterReady is what is said of a cluster with which all is well.
const clusterReady = "The Kubernetes cluster is ready."

func clusterDown(c Cluster, seen ObservedCluster, now time.Time) ClusterStep {
	if step, ok := tidyAbandoned(c, seen); ok {
		return step
	}
	if !seen.Known {
		return ClusterStep{Kind: ClusterWait, Message: "Waiting for the cloud to answer."}
	}
	s := seen.Current
	switch {
	case s.State == CloudAbsent || !s.Mine:
		return nothingOfOurs(c, s, now)
	case s.State == CloudStopping:
		return ClusterStep{Kind: ClusterWait, Message: "The Kubernetes cluster is being deleted."}
	case s.State == CloudProvisioning && s.underWay():
		// A create cannot be cancelled and holds the cluster's lock.
		return ClusterStep{Kind: ClusterWait, Message: "The cloud must finish making the Kubernetes cluster before it can be deleted."}
	default:
		return ClusterStep{Kind: ClusterDelete, Attempt: c.At(), Message: "Deleting the Kubernetes cluster."}
	}
}

// nothingOfOurs decides on the way down where the cloud shows no cluster of ours
// under the name: whether that is the end of it.
func nothingOfOurs(c Cluster, s SeenCluster, now time.Time) ClusterStep {
	switch {
	case s.State == CloudAbsent && (s.Operation == OperationRunning || now.Before(c.UnsureUntil)):
		return ClusterStep{Kind: ClusterWait, Message: "Making sure that nothing appears late."}
	case s.State != CloudAbsent && !c.ReadyAt.IsZero():
		return ClusterStep{Kind: ClusterWait, Message: unlabelled} // it was ours, and costs
	case len(c.Abandoned) > 0:
		return ClusterStep{Kind: ClusterWait, Message: "Waiting until earlier attempts are gone."}
	default:
		return ClusterStep{Kind: ClusterDeleted}
	}
}

// tidyAbandoned handles attempts under earlier names.
func tidyAbandoned(c Cluster, seen ObservedCluster) (ClusterStep, bool) {
	for i, at := range c.Abandoned {
		if i >= len(seen.Abandoned) {
			break
		}
		switch s := seen.Abandoned[i]; {
		case s.State == CloudUnknown || s.State == CloudStopping || s.State == CloudProvisioning && s.underWay():
			continue // nothing can be done about it now
		case s.State == CloudAbsent && s.Operation != OperationRunning, s.State != CloudAbsent && !s.Mine:
			return ClusterStep{Kind: ClusterForget, Attempt: at}, true
		case s.State != CloudAbsent:
			return ClusterStep{Kind: ClusterDelete, Attempt: at}, true
		}
	}
	return ClusterStep{}, false
}
