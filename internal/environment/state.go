package environment

import "time"

// State is where an environment or a cluster is in its life, as seen from
// outside. Idle is not a state: it is a judgement on activity.
type State string

// The states. Pending, creating, ready, updating and deleting are live;
// deleted and failed are terminal.
const (
	StatePending  State = "pending"  // recorded; nothing was asked of the cloud yet
	StateCreating State = "creating" // the cloud, Kubernetes or Helm is at work
	StateReady    State = "ready"    // the owner can log in
	StateUpdating State = "updating" // ready, and a change is being carried out
	StateDeleting State = "deleting" // being taken away
	StateDeleted  State = "deleted"  // confirmed gone: nothing of it costs money
	StateFailed   State = "failed"   // gave up; what it held is being, or was, released
)

// States lists every state in the order of a life.
func States() []State {
	return []State{StatePending, StateCreating, StateReady, StateUpdating, StateDeleting, StateDeleted, StateFailed}
}

// Terminal reports whether nothing more will happen by itself that its owner
// cares about.
func (s State) Terminal() bool { return s == StateDeleted || s == StateFailed }

// Live reports whether an environment in this state is its owner's current one.
func (s State) Live() bool {
	return s == StatePending || s == StateCreating || s == StateReady || s == StateUpdating
}

// transitions is the whole life: every change of state that Advance allows.
var transitions = map[State][]State{
	StatePending:  {StateCreating, StateDeleting, StateFailed},
	StateCreating: {StateReady, StateDeleting, StateFailed},
	StateReady:    {StateUpdating, StateDeleting, StateFailed},
	StateUpdating: {StateReady, StateDeleting, StateFailed},
	StateDeleting: {StateDeleted},
	StateFailed:   {StateDeleting, StateDeleted},
	StateDeleted:  {},
}

// CanBecome reports whether the transition table allows the change. Staying
// is always allowed.
func (s State) CanBecome(to State) bool {
	if s == to {
		return true
	}
	for _, t := range transitions[s] {
		if t == to {
			return true
		}
	}
	return false
}

// Desired is what the owner, or the reaper, wants of a row.
type Desired string

// The two wishes.
const (
	Present Desired = "present"
	Absent  Desired = "absent"
)

// Phase names what is being waited for. A phase has a deadline, a place in
// the order and a sentence for the owner.
type Phase string

// The phases of an environment going up, in order, then those of going down.
const (
	PhaseQueued    Phase = "queued"    // waiting for a worker or a limit
	PhaseCluster   Phase = "cluster"   // the Kubernetes cluster is being made
	PhaseAccess    Phase = "access"    // namespace, permissions, storage class
	PhaseInstall   Phase = "install"   // Helm releases
	PhaseWorkloads Phase = "workloads" // pods becoming ready
	PhaseAddress   Phase = "address"   // the load balancer's address
	PhaseVerify    Phase = "verify"    // the hub answers with the credentials
	PhaseReady     Phase = "ready"

	PhaseStopping  Phase = "stopping"  // inventory, servers, releases
	PhaseExposed   Phase = "exposed"   // load balancers and volumes
	PhaseTeardown  Phase = "teardown"  // the cluster or the namespace
	PhaseLeftovers Phase = "leftovers" // what outlived the cluster
	PhaseGone      Phase = "gone"
)

// UpPhases lists the phases between the request and ready, in order.
func UpPhases() []Phase {
	return []Phase{PhaseQueued, PhaseCluster, PhaseAccess, PhaseInstall, PhaseWorkloads, PhaseAddress, PhaseVerify}
}

// phaseLimits bounds how long each phase may last. Up phases that pass it
// fail the environment; down phases that pass it are given up for the next
// one, because the sweep at the end finds what they leave.
var phaseLimits = map[Phase]time.Duration{
	PhaseQueued:    30 * time.Minute,
	PhaseCluster:   40 * time.Minute, // Terraform waits 30 minutes; a failing create runs that long
	PhaseAccess:    10 * time.Minute,
	PhaseInstall:   15 * time.Minute,
	PhaseWorkloads: 20 * time.Minute,
	PhaseAddress:   10 * time.Minute,
	PhaseVerify:    10 * time.Minute,
	PhaseStopping:  5 * time.Minute,
	PhaseExposed:   3 * time.Minute,
	PhaseTeardown:  time.Hour,
	PhaseLeftovers: time.Hour,
}

// Limit is how long the phase may last; 0 for the two that end a life.
func (p Phase) Limit() time.Duration { return phaseLimits[p] }
