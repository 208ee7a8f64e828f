package environment

import "time"

// Event is something that happened to an environment or a cluster. Events are
// append-only; Slack, SSE, hooks and the audit trail are fed from them.
type Event struct {
	Seq         int64 // given by the store, rising; the SSE id
	At          time.Time
	Environment string // "" for events of a cluster or an order alone
	Cluster     string
	Order       string // of a class; see CourseOrder
	Type        EventType
	State       State
	Phase       Phase
	Step, Steps int    // "step n of m", 0 when it does not apply
	Message     string // a sentence for the owner
	Actor       string // the subject whose command it was; "daskbot" otherwise
	// Detail is for staff and is not shown to owners.
	Detail string
}

// EventType names what happened.
type EventType string

// The types. Further ones may be added; readers skip what they do not know.
const (
	EventRequested  EventType = "requested"  // an environment was asked for
	EventPhase      EventType = "phase"      // another phase began
	EventReady      EventType = "ready"      // the owner can log in
	EventChanged    EventType = "changed"    // a change was asked for
	EventRolledBack EventType = "rolledback" // a change failed and was undone
	EventRetry      EventType = "retry"      // something failed and will be tried again
	EventFailed     EventType = "failed"     // gave up
	EventExtended   EventType = "extended"
	EventWarned     EventType = "warned"   // told that it ends soon
	EventKept       EventType = "kept"     // it does not end after all, or somebody asked to keep it
	EventStopping   EventType = "stopping" // deletion was asked for
	EventBudget     EventType = "budget"   // a part of a budget is spent
	EventDeleted    EventType = "deleted"  // confirmed gone
	EventLinked     EventType = "linked"   // a person's project was linked
	EventOrdered    EventType = "ordered"  // a command for a class was carried out
	EventMuted      EventType = "muted"    // an address could not be notified for long and is not any more
	EventPaused     EventType = "paused"   // somebody stopped the reaper, for the reason in Detail
	EventResumed    EventType = "resumed"  // somebody let it go on
	EventSwept      EventType = "swept"    // something left over in the cloud was found and is being deleted
)
