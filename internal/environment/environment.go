package environment

import (
	"strings"
	"time"
)

// Environment is what `up` gives one owner in one course: releases on a
// cluster, an address, credentials and a deadline. The row is the truth; the
// queue only remembers to look at it.
type Environment struct {
	ID      string // short, lower-case, safe in a DNS label
	Owner   string // the subject the credentials belong to
	Course  string // "" when it belongs to none
	Project string // the cloud project that pays; "" on a given cluster
	// Profile names the recipe; Recipe is the copy taken when it was asked
	// for, so that a change of configuration changes nothing under a class.
	Profile string
	Recipe  Profile
	Spec    Spec
	// Good is the last Spec that reached ready; what a failed change falls
	// back to. Nil before the first ready.
	Good *Spec
	// Former is the recipe that Good is of, while an upgrade is carried out;
	// nil when that is Recipe. See Renew.
	Former *Former `json:",omitempty"`
	// Dropped are releases that may still run although the recipe has none of the
	// name any more: an upgrade left them out, or added them and was taken back.
	Dropped []Dropped `json:",omitempty"`
	Desired Desired

	State   State
	Phase   Phase
	Message string // a sentence for the owner about now
	// PhaseSince is when Phase began; its limit counts from here.
	PhaseSince time.Time
	// SilentSince is since when the Kubernetes API of its cluster has not answered
	// while it is made or changed; zero while it does.
	SilentSince time.Time `json:",omitzero"`
	// Failure is why the last attempt did not work; nil while all is well.
	Failure *Failure

	ClusterID    string // "" until placed
	Namespace    string
	URL          string // where the owner logs in; "" until known
	DashboardURL string
	Secrets      Secrets
	// WorkersHash is the DaskCluster last applied; see WorkersHash.
	WorkersHash string
	// Inventory is what would cost money after the cluster is gone, recorded
	// before anything is deleted.
	Inventory     []Resource
	InventoryDone bool
	// Releases are gone, or were given up, once Uninstalled is set; the same
	// holds for load balancers and volumes and Unexposed.
	Uninstalled bool
	Unexposed   bool

	CreatedAt      time.Time
	ReadyAt        time.Time // zero until first ready
	ExpiresAt      time.Time // zero until ready, unless asked for as a clock time
	LastActivityAt time.Time
	DeletedAt      time.Time
	// Terms are the limits that were promised when it was asked for; a change of
	// configuration never takes them back. Empty on rows from before they were
	// kept: then what is configured now holds.
	Terms Terms
	// Ending is the end its owner was told of; nil while none is near.
	Ending *Ending
	// EndedBecause is the limit that ended it; "" when a person did.
	EndedBecause EndCause
	// KeepUntil is a lease: it counts as in use until then.
	KeepUntil time.Time
	// ClassOver is when a schedule ended its class: from then on it goes as soon
	// as nobody uses it. Zero while there is none, once a person keeps it, and once
	// the next class has begun.
	ClassOver time.Time
	// CourseEnd is the end that its course sets: its owner left, or the course
	// is over. Nil while there is none. Use does not put it off.
	CourseEnd *CourseEnd
	// Extensions counts how often its owner moved the deadline.
	Extensions int
	// Protected keeps the reaper away; nil while it is not.
	Protected *Protection
	// RequestedBy is the subject whose command made it (a person or "schedule:…").
	RequestedBy string
	// Home is daskbot's own address when it was asked for.
	Home string

	Generation         int64 // counts commands
	ObservedGeneration int64 // the last one carried out
	Version            int64 // counts writes; compare-and-set uses it
}

// Scheduled reports whether a schedule asked for it, and no person.
func (e Environment) Scheduled() bool { return strings.HasPrefix(e.RequestedBy, "schedule:") }

// Protection is a person's word that the reaper leaves an environment alone.
type Protection struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Spec is what the owner can ask for and change.
type Spec struct {
	TTL      time.Duration `json:"ttl"`            // lifetime from ready; 0 when Until is set
	Until    time.Time     `json:"until,omitzero"` // an absolute deadline, when asked for as one
	Workers  int           `json:"workers"`        // Dask workers, or with WorkersAsNodes the node limit
	Packages []string      `json:"packages"`       // extra pip requirements, equal on every side
	// Versions is the exact chart version per release; empty entries are
	// resolved when next looked at ("newest" becomes a number once, not daily).
	Versions map[string]string `json:"versions,omitempty"`
}

// Failure is a reason kept on the row.
type Failure struct {
	Code    Code      `json:"code"`
	Message string    `json:"message"` // for the owner
	Detail  string    `json:"detail"`  // for staff; never leaves the log and staff views
	Phase   Phase     `json:"phase"`
	At      time.Time `json:"at"`
	// Tries counts how often in a row the same phase failed with a retryable
	// error; back-off grows with it.
	Tries int `json:"tries"`
}

// Secrets are what daskbot generated for one environment. They are stored
// beside the row and shown only to the owner and admins.
type Secrets map[string]Secret

// The secrets that built-in profiles ask for.
const (
	SecretPassword = "password" // what the owner types to log in
	SecretToken    = "token"    // daskbot's own API credential at the hub or notebook
	SecretProxy    = "proxy"    // the hub's proxy token, as in the first walkthrough
	SecretKeep     = "keep"     // what a notebook keeps its environment with
)

// Credentials are how the owner gets in.
type Credentials struct {
	URL      string
	Username string
	Password Secret
	// Token is set where the notebook takes one instead of a user name.
	Token Secret
}

// Resource is something in the cloud that can outlive the cluster it was made
// for, by its exact identity.
type Resource struct {
	Kind     ResourceKind `json:"kind"`
	Project  string       `json:"project"`
	Location string       `json:"location"` // zone, region or "global"
	Name     string       `json:"name"`
}

// ResourceKind is a kind of leftover. The order of ResourceKinds is the order
// in which they can be deleted.
type ResourceKind string

// The kinds, named as the Compute API names its collections.
const (
	KindForwardingRule  ResourceKind = "forwardingRules"
	KindTargetPool      ResourceKind = "targetPools"
	KindBackendService  ResourceKind = "backendServices"
	KindHealthCheck     ResourceKind = "healthChecks"
	KindHTTPHealthCheck ResourceKind = "httpHealthChecks"
	KindEndpointGroup   ResourceKind = "networkEndpointGroups"
	KindFirewall        ResourceKind = "firewalls"
	KindAddress         ResourceKind = "addresses"
	KindDisk            ResourceKind = "disks"
	KindSnapshot        ResourceKind = "snapshots"
)

// ResourceKinds lists the kinds in deletion order: a forwarding rule holds
// its target pool, a target pool its health check.
func ResourceKinds() []ResourceKind {
	return []ResourceKind{KindForwardingRule, KindTargetPool, KindBackendService, KindHealthCheck,
		KindHTTPHealthCheck, KindEndpointGroup, KindFirewall, KindAddress, KindDisk, KindSnapshot}
}
