package environment

import "time"

// Placement says who shares a cluster.
type Placement string

// The placements.
const (
	Dedicated Placement = "dedicated" // one environment, one cluster, as the walkthroughs do
	Shared    Placement = "shared"    // a course's environments, a namespace each
)

// Cluster is a Kubernetes cluster that daskbot made, or was given. It is a row
// of its own with its own reconcile, so that several environments can stand
// on it.
type Cluster struct {
	ID        string
	Placement Placement
	// Given names the entry under `clusters:` when the cluster was given by
	// kubeconfig; such a cluster is never created, resized or deleted.
	Given string
	// Key is unique among live clusters: what a shared cluster is shared by.
	Key         string
	Environment string // the one tenant of a dedicated cluster
	Course      string
	Project     string
	Shape       ClusterShape
	// Attempt counts the names tried; Name and Location are those of now.
	Attempt  int
	Name     string
	Location string
	// Abandoned are earlier attempts that must still be confirmed gone.
	Abandoned []ClusterAttempt

	Desired  Desired
	State    State
	Message  string
	Progress Progress
	Failure  *Failure
	// PhaseSince is when State last changed.
	PhaseSince time.Time
	// AskedAt is when the create request was recorded, which is before it is
	// sent. Zero: nothing was ever asked of the cloud under this name.
	AskedAt time.Time
	// UnsureUntil is written before a create is sent and taken back by a clear
	// reply: until then a cluster may appear that nobody sees yet.
	UnsureUntil time.Time
	// SilentSince is since when the cloud has not answered looks at a cluster that
	// is being made; zero while it does.
	SilentSince time.Time `json:",omitzero"`
	// Operation is the cloud operation being waited for, by its bare id.
	Operation string
	// QuotaChecked is when the region's quota was last found sufficient.
	QuotaChecked time.Time
	// MaxNodes is what the autoscaler may grow the worker pool to; for a fixed
	// pool, its size.
	MaxNodes int
	// Room is how many nodes its pod addresses must do for, beyond the shape's:
	// what `scale` may ask for later. They are given out once, when it is made.
	Room int `json:",omitempty"`
	// Sized is the size that was last asked for of a fixed pool; 0 for the
	// shape's, SizeUnknown after a refusal. How many nodes run says less: in a
	// region it is rounded up to the zones, and a node that is repaired is missing
	// from it.
	Sized       int       `json:",omitempty"`
	DeleteAfter time.Time // carried as a label, far beyond the expected life
	CreatedAt   time.Time
	ReadyAt     time.Time
	DeletedAt   time.Time
	IdleSince   time.Time // since when a shared cluster has had no tenant
	Nodes       int       // as last observed

	Version int64
}

// SizeUnknown is the size of a pool that was refused another one, and may have
// grown a part of the way: whatever it is to be has to be asked for again.
const SizeUnknown = -1

// ClusterAttempt is one name under which a create was asked for.
type ClusterAttempt struct {
	Name     string `json:"name"`
	Location string `json:"location"`
}

// ClusterShape is the part of a profile that a cluster is made from.
type ClusterShape struct {
	MachineType string `json:"machineType"`
	// Nodes is how many nodes the pool starts with.
	Nodes int `json:"nodes"`
	// MinNodes and MaxNodes bound the autoscaler. Equal bounds mean a fixed
	// pool without autoscaling, as in the second walkthrough.
	MinNodes int    `json:"minNodes"`
	MaxNodes int    `json:"maxNodes"`
	DiskGB   int    `json:"diskGb"`
	DiskType string `json:"diskType"`
	Spot     bool   `json:"spot"`
	// Locations are zones (or regions), tried in order when one has no machines left.
	Locations []string `json:"locations"`
	// Channel is a GKE release channel; Version is a wish within it, "" for
	// the channel's default.
	Channel string `json:"channel"`
	Version string `json:"version"`
	// DNSEndpoint asks for the control plane's DNS endpoint to be open.
	DNSEndpoint bool `json:"dnsEndpoint"`
	// IdleMinutes is how long a shared cluster without tenants is kept.
	IdleMinutes int `json:"idleMinutes"`
}

// Autoscaled reports whether the pool may change size by itself.
func (s ClusterShape) Autoscaled() bool { return s.MaxNodes > s.MinNodes }

// Progress is how far a long operation is.
type Progress struct {
	Done  int `json:"done"`
	Total int `json:"total"`
}

// The labels on everything daskbot makes in the cloud. Values obey GKE's label
// rules: lower-case letters, digits, '-' and '_', so no e-mail fits.
const (
	LabelInstallation = "daskbot-installation"
	LabelEnvironment  = "daskbot-environment"
	LabelCourse       = "daskbot-course"
	LabelClusterID    = "daskbot-cluster-id"
	LabelCluster      = "daskbot-cluster"
	LabelDeleteAfter  = "daskbot-delete-after"
)
