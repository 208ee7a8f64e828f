package environment

import (
	"fmt"
	"strings"
	"time"
)

// StepKind is one idempotent thing the runner can do for an environment.
type StepKind string

// The steps. Each is done, recorded, and then everything is observed again.
const (
	StepRest      StepKind = "rest"      // nothing to do until somebody changes something
	StepWait      StepKind = "wait"      // look again soon
	StepResolve   StepKind = "resolve"   // pin chart versions and lint values, before any money is spent
	StepPlace     StepKind = "place"     // find or record the cluster
	StepPrepare   StepKind = "prepare"   // namespace, permissions, storage class
	StepConverge  StepKind = "converge"  // install or upgrade one release
	StepDrop      StepKind = "drop"      // take away a release that the recipe has no more
	StepWorkers   StepKind = "workers"   // apply the DaskCluster
	StepReady     StepKind = "ready"     // tell the owner
	StepFail      StepKind = "fail"      // give up and release everything
	StepRollBack  StepKind = "rollback"  // go back to the last spec that worked
	StepSettle    StepKind = "settle"    // keep what runs although it is not perfect
	StepInventory StepKind = "inventory" // record what could outlive the cluster
	StepUninstall StepKind = "uninstall" // remove the releases
	StepUnexpose  StepKind = "unexpose"  // delete load balancers, volumes, namespace
	StepSkip      StepKind = "skip"      // this phase took too long; the sweep finds the rest
	StepRelease   StepKind = "release"   // ask for the deletion of the dedicated cluster
	StepSweep     StepKind = "sweep"     // delete leftovers by recorded identity
	StepGone      StepKind = "gone"      // confirmed: nothing is left
)

// Step is what Next decided: what to do, the phase it belongs to, and a
// sentence for the owner.
type Step struct {
	Kind    StepKind
	Phase   Phase
	Message string
	Release int    // which release StepConverge is about
	Failure *Error // why, for StepFail and StepRollBack
}

// Observed is the real world as far as one pass has looked. What was not
// looked at, or did not answer, is not known, and what is not known never
// counts as absent.
type Observed struct {
	// Cluster is the row the environment stands on; nil before it is placed.
	Cluster *Cluster
	// Known is set when the cluster's API server answered in this pass; then
	// Workloads and Releases (one per rendered release) hold what it said.
	Known     bool
	Workloads SeenWorkloads
	Releases  []SeenRelease
	Rendered  []Release
	// DoorOpen is set when the right hub let the owner in; DoorError says why
	// not, nil when it was not asked.
	DoorOpen  bool
	DoorError *Error
	// Exposed counts load balancers, claims and terminating namespaces left,
	// when ExposedKnown.
	Exposed      int
	ExposedKnown bool
	// Leftovers are recorded resources that still exist, when LeftoversKnown.
	Leftovers      []Resource
	LeftoversKnown bool
}

// Next decides the next step for an environment. It is pure: the same row,
// observation and time give the same step.
func Next(e Environment, seen Observed, now time.Time) Step {
	switch {
	case e.Phase == PhaseGone:
		return Step{Kind: StepRest, Phase: PhaseGone}
	case e.Desired == Absent:
		return nextDown(e, seen, now)
	default:
		return nextUp(e, seen, now)
	}
}

func nextUp(e Environment, seen Observed, now time.Time) Step {
	step := wayUp(e, seen)
	if step.Kind != StepWait && step.Kind != StepFail {
		return step
	}
	if step.Kind == StepWait && (step.Phase == PhaseCluster || !late(e, step.Phase, now) || onlyJustSilent(e, seen, step.Phase, now)) {
		return step // of the cluster, its own row says when it takes too long
	}
	if step.Kind == StepFail && step.Phase == PhaseCluster {
		step.Message = step.Failure.Message
		return step // without a cluster there is nothing to keep
	}
	if step.Failure == nil {
		step.Failure = tooLong(e, step, now)
	}
	return GiveUp(e, step)
}

// late reports whether the environment has been in phase for longer than its
// limit. A phase that only begins now is not late.
func late(e Environment, phase Phase, now time.Time) bool {
	return e.Phase == phase && phase.Limit() > 0 && now.Sub(e.PhaseSince) > phase.Limit()
}

// onlyJustSilent reports whether the Kubernetes API does not answer, but not for
// long: the first look after an outage of daskbot's fails easily, and what was
// waited for may long be there.
func onlyJustSilent(e Environment, seen Observed, phase Phase, now time.Time) bool {
	return !seen.Known && now.Sub(first(e.SilentSince, now)) <= phase.Limit()
}

func tooLong(e Environment, step Step, now time.Time) *Error {
	why := step.Message
	if e.Failure != nil && e.Failure.Phase == step.Phase {
		why = e.Failure.Message
	}
	return Errorf(CodeUnavailable, "It did not get any further for %s: %s", now.Sub(e.PhaseSince).Round(time.Second), why)
}

// GiveUp turns a failure into what may be done about it: an environment that
// was ready once is never taken from its owner because a change failed.
func GiveUp(e Environment, step Step) Step {
	switch {
	case e.Good == nil:
		return Step{Kind: StepFail, Phase: step.Phase, Message: step.Failure.Message, Failure: step.Failure}
	case !sameSpec(*e.Good, e.Spec), e.former() != nil:
		return Step{Kind: StepRollBack, Phase: step.Phase, Failure: step.Failure,
			Message: "The change did not work and was taken back. " + step.Failure.Message}
	default:
		return Step{Kind: StepSettle, Phase: PhaseReady, Failure: step.Failure, Message: step.Failure.Message}
	}
}

func sameSpec(a, b Spec) bool {
	a.TTL, a.Until, b.TTL, b.Until = 0, time.Time{}, 0, time.Time{} // deadlines install nothing
	return Fingerprint(a) == Fingerprint(b)
}

// wayUp is the order of the way up, without deadlines.
func wayUp(e Environment, seen Observed) Step {
	if !resolved(e) {
		return Step{Kind: StepResolve, Phase: PhaseQueued, Message: "Checking the request."}
	}
	c := seen.Cluster
	switch {
	case c == nil:
		return Step{Kind: StepPlace, Phase: PhaseQueued, Message: "Finding a place for it."}
	case c.Desired == Absent || c.State == StateFailed || c.State == StateDeleted:
		return Step{Kind: StepFail, Phase: PhaseCluster, Failure: clusterFailure(*c)}
	case c.State != StateReady:
		return Step{Kind: StepWait, Phase: PhaseCluster, Message: clusterMessage(*c)}
	case !seen.Known:
		return Step{Kind: StepWait, Phase: after(e, PhaseAccess), Message: "Waiting for the cluster's Kubernetes API to answer."}
	case !seen.Workloads.Prepared:
		return Step{Kind: StepPrepare, Phase: PhaseAccess, Message: "Preparing namespace and permissions."}
	}
	if _, some := e.Droppable(); some {
		return Step{Kind: StepDrop, Phase: e.Phase} // it changes nothing about what is waited for
	}
	if i, stale := firstStale(seen); stale {
		return Step{Kind: StepConverge, Phase: PhaseInstall, Release: i,
			Message: fmt.Sprintf("Installing %s (%d of %d).", seen.Rendered[i].Name, i+1, len(seen.Rendered))}
	}
	return wayIn(e, seen)
}

// wayIn is the rest of the way up, once every release is installed.
func wayIn(e Environment, seen Observed) Step {
	w := seen.Workloads
	switch {
	case e.Recipe.Workers.Kind != WorkersValues && e.WorkersHash != WorkersHash(e):
		return Step{Kind: StepWorkers, Phase: PhaseInstall, Message: "Asking for the Dask workers."}
	case w.Ready < w.Wanted || w.Wanted == 0:
		return Step{Kind: StepWait, Phase: PhaseWorkloads, Message: waiting(w)}
	case w.Address == "":
		return Step{Kind: StepWait, Phase: PhaseAddress, Message: "Waiting for the load balancer's address."}
	case !seen.DoorOpen && permanent(seen.DoorError):
		return Step{Kind: StepFail, Phase: PhaseVerify, Failure: seen.DoorError}
	case !seen.DoorOpen:
		return Step{Kind: StepWait, Phase: PhaseVerify, Message: "Checking that the address lets the owner in."}
	case knownReady(e, w.Address) && e.Phase != PhaseReady:
		// What was waited for while it was ready has come back.
		return Step{Kind: StepRest, Phase: PhaseReady, Message: "Ready: open " + w.Address}
	case knownReady(e, w.Address):
		return Step{Kind: StepRest, Phase: PhaseReady, Message: resting(e, *seen.Cluster)}
	default:
		return Step{Kind: StepReady, Phase: PhaseReady, Message: "Ready: open " + w.Address}
	}
}

// knownReady reports whether its owner knows already that it is ready, as it is now
// and at this address.
func knownReady(e Environment, address string) bool {
	return e.State == StateReady && e.ObservedGeneration == e.Generation && e.URL == address
}

// resting is what is said of one that is ready: also that its cluster cannot
// become as large as was asked for, as long as that is so.
func resting(e Environment, c Cluster) string {
	ready := "Ready: open " + e.URL
	switch {
	case strings.HasPrefix(c.Message, notResized):
		return ready + " " + c.Message
	case strings.Contains(e.Message, notResized):
		return ready
	default:
		return e.Message
	}
}

func permanent(err *Error) bool { return err != nil && !Retryable(err) }

// after keeps a later phase when the environment has already passed p: an API
// server that stops answering during the wait for pods restarts no clock.
func after(e Environment, p Phase) Phase {
	n, _ := StepOf(e.Phase)
	if m, _ := StepOf(p); n > m {
		return e.Phase
	}
	return p
}

func waiting(w SeenWorkloads) string {
	switch {
	case w.Broken != "":
		return w.Broken
	case w.Waiting != "":
		return w.Waiting
	default:
		return fmt.Sprintf("%d of %d pods are ready.", w.Ready, w.Wanted)
	}
}

func resolved(e Environment) bool {
	for _, r := range e.Recipe.Releases {
		if e.Spec.Versions[r.Name] == "" {
			return false
		}
	}
	return true
}

func firstStale(seen Observed) (int, bool) {
	for i, r := range seen.Rendered {
		s := seen.Releases[i]
		if r.ClusterWide && s.Status == ReleaseDeployed && s.Hash != "" {
			continue // another tenant's installation serves as well
		}
		if s.Status != ReleaseDeployed || s.Hash != ReleaseHash(r) {
			return i, true
		}
	}
	return 0, false
}

// WorkersHash identifies the DaskCluster that the environment should have.
func WorkersHash(e Environment) string {
	return Fingerprint([]any{e.values().Text(e.Recipe.Workers.Manifest), e.Spec.Workers})
}

func clusterMessage(c Cluster) string {
	if c.Message != "" {
		return c.Message
	}
	return "The Kubernetes cluster is being made."
}

func clusterFailure(c Cluster) *Error {
	if c.Failure != nil {
		return &Error{Code: c.Failure.Code, Message: c.Failure.Message}
	}
	return Errorf(CodeUnavailable, "The Kubernetes cluster it stood on is gone.")
}

// nextDown is the order of the way down. Kubernetes is asked only while the
// cluster is known to be up; whatever cannot be asked is found by the sweep.
func nextDown(e Environment, seen Observed, now time.Time) Step {
	c := seen.Cluster
	if c == nil {
		return Step{Kind: StepGone, Phase: PhaseGone}
	}
	// A cluster that is going, or never came, has no API server to ask.
	asked := c.State == StateReady && c.Desired == Present
	if asked && !e.Unexposed {
		return inside(e, seen, now)
	}
	dedicated := c.Placement == Dedicated && c.Given == ""
	switch {
	case dedicated && c.Desired == Present:
		return Step{Kind: StepRelease, Phase: PhaseTeardown, Message: "Deleting the Kubernetes cluster."}
	case dedicated && c.DeletedAt.IsZero():
		return Step{Kind: StepWait, Phase: PhaseTeardown, Message: goingMessage(*c)}
	case c.Given != "":
		return Step{Kind: StepGone, Phase: PhaseGone}
	case !seen.LeftoversKnown:
		return Step{Kind: StepWait, Phase: PhaseLeftovers, Message: "Looking for anything that would still cost money."}
	case len(seen.Leftovers) > 0:
		return Step{Kind: StepSweep, Phase: PhaseLeftovers,
			Message: fmt.Sprintf("Removing what outlived the cluster: %s.", count(len(seen.Leftovers), "resource", "resources"))}
	default:
		return Step{Kind: StepGone, Phase: PhaseGone}
	}
}

func goingMessage(c Cluster) string {
	if c.Message == unlabelled {
		return unlabelled
	}
	return "Waiting until the Kubernetes cluster is confirmed gone."
}

// inside is the part of the way down that happens in Kubernetes. On a
// dedicated cluster every wait is bounded, since deleting the cluster and the
// sweep finish what is left; on a shared one there is nothing else to finish it.
func inside(e Environment, seen Observed, now time.Time) Step {
	bounded := seen.Cluster.Placement == Dedicated && seen.Cluster.Given == ""
	step := insideOrder(e, seen)
	if bounded && late(e, step.Phase, now) {
		return Step{Kind: StepSkip, Phase: step.Phase, Message: step.Message}
	}
	return step
}

func insideOrder(e Environment, seen Observed) Step {
	switch {
	case !e.InventoryDone && seen.Known:
		return Step{Kind: StepInventory, Phase: PhaseStopping, Message: "Writing down what has to go."}
	case !e.InventoryDone:
		return Step{Kind: StepWait, Phase: PhaseStopping, Message: "Waiting for the cluster's Kubernetes API to answer."}
	case !e.Uninstalled:
		return Step{Kind: StepUninstall, Phase: PhaseStopping, Message: "Uninstalling."}
	case seen.ExposedKnown && seen.Exposed == 0:
		return Step{Kind: StepSkip, Phase: PhaseExposed, Message: "Addresses and volumes are gone."}
	case !seen.ExposedKnown:
		return Step{Kind: StepWait, Phase: PhaseExposed, Message: "Waiting for the cluster's Kubernetes API to answer."}
	default:
		// Asked for again at every look: what appeared since goes too.
		return Step{Kind: StepUnexpose, Phase: PhaseExposed,
			Message: fmt.Sprintf("Releasing %s.", count(seen.Exposed, "address or volume", "addresses and volumes"))}
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
