package environment

import (
	"context"
	"time"
)

// KindCluster is a whole cluster. It is no kind of leftover that Compute could
// delete, and so not among ResourceKinds.
const KindCluster ResourceKind = "clusters"

// LabelKeep exempts what carries it from the orphan sweep, whatever its value.
const LabelKeep = "daskbot-keep"

// Leavings is the port to what can outlive a cluster, looked for in a whole
// project rather than by a record.
type Leavings interface {
	// Standing lists the disks that carry this installation's label, and every
	// snapshot and part of a load balancer in the project, whoever made it:
	// those need carry no label. An error means that some place did not answer; nothing may then be
	// concluded from what is not listed.
	Standing(ctx context.Context, project string) ([]Standing, error)
	// Delete asks for deletion; absent is success.
	Delete(ctx context.Context, r Resource) error
}

// Standing is a Compute resource that is there, with what tells whose it is.
type Standing struct {
	Resource
	// Ours: it carries this installation's label. Load balancers never do.
	Ours bool
	Keep bool // it carries LabelKeep
	// Cluster is the name of the cluster on the label of a disk or snapshot.
	Cluster string
	// Disk is what a snapshot was taken of; it may be gone.
	Disk Resource
	// InUse: a machine has the disk attached, or a rule uses the address.
	InUse bool
	GB    int    // of a disk, or what a snapshot holds
	Type  string // of a disk, such as pd-balanced
	// Service is the Kubernetes Service it was made for, "" when it was not.
	Service string
	// Instances are the names of the machines behind a target pool, or in a
	// network endpoint group; Parts are the names of a pool's health checks.
	Instances, Parts []string
	// Target is the name of the target pool of a forwarding rule.
	Target string
}

// OrphanAction is what the sweep does about an orphan.
type OrphanAction string

// The actions.
const (
	OrphanReport OrphanAction = "report" // only told; Reason says why
	OrphanWait   OrphanAction = "wait"   // goes when its grace is over, at DeleteAt
	OrphanAdopt  OrphanAction = "adopt"  // its row is opened again, and the runner takes it away
	OrphanDelete OrphanAction = "delete" // is deleted now
)

// OrphanDone is what became of the action.
type OrphanDone string

// What became of it; "" when nothing was tried.
const (
	OrphanAsked  OrphanDone = "asked"  // its deletion is under way; the next sweep says whether it is gone
	OrphanFailed OrphanDone = "failed" // it is tried again in the next sweep
	OrphanSpared OrphanDone = "spared" // another look, just before, said that it is no orphan
)

// Orphan is something of this installation that costs money, or uses up quota,
// and that no row looks after.
type Orphan struct {
	Resource
	Cluster     string       `json:"cluster"`     // the name of the cluster it was made for, "" when nothing says
	ClusterID   string       `json:"clusterId"`   // that cluster's row, "" when there is none
	Environment string       `json:"environment"` // the environment it was made for, "" when nothing says
	Reason      string       `json:"reason"`      // a sentence
	USDPerHour  float64      `json:"usdPerHour"`
	FirstSeen   time.Time    `json:"firstSeen"`
	DeleteAt    time.Time    `json:"deleteAt"` // zero: never by itself
	Action      OrphanAction `json:"action"`
	Done        OrphanDone   `json:"done,omitempty"`
	// Err is why it failed; it is for the log and is not kept.
	Err error `json:"-"`
	// final is what is done once the grace is over.
	final OrphanAction
}

// Unsure is a project in which nothing could be concluded.
type Unsure struct {
	Project string `json:"project"`
	Reason  string `json:"reason"`
}

// Orphans is what one comparison of cloud and store found.
type Orphans struct {
	At         time.Time `json:"at"`
	Items      []Orphan  `json:"items"` // in the order in which they can be deleted
	Lost       []string  `json:"lost"`  // rows of clusters that are not in the cloud any more
	Unsure     []Unsure  `json:"unsure"`
	Projects   int       `json:"projects"` // how many were compared
	USDPerHour float64   `json:"usdPerHour"`
	PricesAsOf string    `json:"pricesAsOf"`
	// Held says why nothing is deleted without a person, "" when it is.
	Held string `json:"held,omitempty"`
	// Pools remembers of which cluster a target pool or a network endpoint group
	// is, by its machines' names: when the cluster is gone, so are they.
	Pools map[string]string `json:"pools,omitempty"`
	// Volumes is what the disks of each cluster's volumes cost an hour, by
	// project and cluster name: only a list of the disks tells. See volumesOf.
	Volumes map[string]float64 `json:"volumes,omitempty"`
}

// Survey is what the cloud said about one project.
type Survey struct {
	Project  string
	Clusters []OwnedCluster
	Standing []Standing
	// Unsure says why nothing can be concluded from it, "" when it can.
	Unsure string
}

// Census is everything that is compared.
type Census struct {
	Now          time.Time
	Grace        time.Duration
	Clusters     []Cluster     // every row there is or was
	Environments []Environment // likewise
	Surveys      []Survey      // made before the rows were read
	Before       Orphans       // what the last comparison found
	Prices       Prices
}

func (r Resource) key() string {
	return string(r.Kind) + "/" + r.Project + "/" + r.Location + "/" + r.Name
}
