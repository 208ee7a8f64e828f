package environment

import (
	"context"
	"io"
	"net"
	"time"
)

// Store keeps rows, events and the queue. There is one way to write: Commit.
//
// Every implementation passes the conformance suite in internal/store. Errors
// are *Error: CodeNotFound, CodeConflict (the row changed since it was read:
// read again, decide again) or CodeUnavailable.
type Store interface {
	// Commit writes everything in the change, or nothing, in one transaction.
	Commit(ctx context.Context, change Change) error

	Environment(ctx context.Context, id string) (Environment, error)
	// LiveEnvironment finds the one an owner already has.
	LiveEnvironment(ctx context.Context, owner, course, profile string) (Environment, error)
	// Environments lists, newest first; cursor "" starts, next "" ends.
	Environments(ctx context.Context, filter Filter) (items []Environment, next string, err error)
	// CountLive counts live environments that match owner and course; an
	// empty string matches all.
	CountLive(ctx context.Context, owner, course string) (int, error)

	Cluster(ctx context.Context, id string) (Cluster, error)
	// LiveCluster finds the live cluster with this key.
	LiveCluster(ctx context.Context, key string) (Cluster, error)
	// Clusters lists those that are not deleted, or all.
	Clusters(ctx context.Context, all bool) ([]Cluster, error)
	// Tenants lists the environments that stand on a cluster and may still
	// hold something there.
	Tenants(ctx context.Context, clusterID string) ([]Environment, error)

	// Events lists what happened to an environment after a sequence number,
	// oldest first, at most limit.
	Events(ctx context.Context, environmentID string, after int64, limit int) ([]Event, error)

	// EventsSince is Events over everything there is: what the outbox is read
	// with. An event is never seen after one with a higher number was.
	EventsSince(ctx context.Context, after int64, limit int) ([]Event, error)

	// Replay finds what an idempotency key already made; CodeNotFound if nothing.
	Replay(ctx context.Context, caller, key string) (Replay, error)

	Token(ctx context.Context, hash string) (Token, error)
	Tokens(ctx context.Context) ([]Token, error)
	Person(ctx context.Context, subject string) (Person, error)
	// PersonBySlack and PersonByEmail find one by another identity; CodeConflict
	// when two people have the same e-mail address.
	PersonBySlack(ctx context.Context, slackID string) (Person, error)
	// PeopleBySlack finds everybody whose account is that one, or may be; see
	// SameSlack.
	PeopleBySlack(ctx context.Context, slackID string) ([]Person, error)
	PersonByEmail(ctx context.Context, email string) (Person, error)
	// PersonByLMS is PersonBySlack for a learning platform.
	PersonByLMS(ctx context.Context, lmsID string) (Person, error)

	// Note reads what was noted under a key; CodeNotFound if nothing.
	Note(ctx context.Context, key string) (Note, error)

	// Course reads one, also when it is deleted; Courses reads all that are not,
	// or all, by id. CourseByLMS finds the one that is bound to a course of a
	// learning platform; its id alone is read. A course's lists may be shared
	// with other readers: whoever changes them copies them first.
	Course(ctx context.Context, id string) (Course, error)
	Courses(ctx context.Context, deleted bool) ([]Course, error)
	CourseByLMS(ctx context.Context, b LMSBinding) (id string, err error)

	// Uses reads what is remembered of the use of environments; those of which
	// nothing is are left out.
	Uses(ctx context.Context, ids []string) (map[string]Use, error)

	// Took lists the durations last recorded for a key, newest first.
	Took(ctx context.Context, key string) ([]time.Duration, error)
}

// Change is one transaction. Rows are compared by Version and stored with
// Version+1 (Version 0 inserts); a mismatch, or a second live environment of
// the same owner, course and profile, or a second live cluster with the same
// Key, is CodeConflict and writes nothing.
type Change struct {
	Environment *Environment
	Cluster     *Cluster
	Events      []Event
	// Wake makes jobs due now, also when they were waiting for a later time.
	Wake   []Job
	Replay *Replay
	Token  *Token
	Person *Person
	// Released are those whose accounts go over to Person, without them.
	Released []Person
	// Course is written whole, with its members. A second course that is bound
	// to the same course of a learning platform is CodeConflict; a deleted one
	// is bound to none.
	Course   *Course
	Note     *Note
	Duration *Duration
	// Uses are written over what was remembered: only the reaper writes them.
	Uses []Use
	// Audited is written into the audit log together with the rest.
	Audited *Audited
	// Within are limits that must hold once the change is written, or nothing
	// is, with the bound's own Refusal. A change with limits carries an event.
	Within []Bound
}

// Bound limits how many environments may be live at once; an empty owner or
// course counts all.
type Bound struct {
	Owner, Course string
	Max           int
	Refusal       *Error
}

// Job is a wake-up for one row. The queue holds no truth: a lost or doubled
// job costs a look, never a cluster.
type Job struct {
	Kind JobKind
	ID   string
	// Urgency orders waiting jobs: deletes before creates, people before schedules.
	Urgency Urgency
}

// JobKind says which row a job looks at.
type JobKind string

// The kinds of job.
const (
	JobEnvironment JobKind = "environment"
	JobCluster     JobKind = "cluster"
	JobDelivery    JobKind = "delivery" // its ID is a source: one at a time keeps the order of receipt
	JobCourse      JobKind = "course"   // a CourseOrder
)

// Urgency orders jobs; lower is sooner.
type Urgency int

// The urgencies.
const (
	UrgencyDelete   Urgency = 1
	UrgencyPerson   Urgency = 2
	UrgencySchedule Urgency = 3
)

// Work carries out one job. It returns after how long the row wants to be
// looked at again; 0 means not until somebody wakes it. An error is retried
// with back-off.
type Work func(ctx context.Context, job Job) (again time.Duration, err error)

// Queue hands due jobs to Work until ctx ends, at most one at a time per row,
// and wakes what a crash left unfinished when it starts.
type Queue interface {
	Run(ctx context.Context, work Work) error
}

// Filter selects environments; empty fields match all.
type Filter struct {
	Owner, Course string
	// Courses limits to these, and to what Self owns, when not nil: what a
	// caller may see.
	Courses []string
	Self    string
	States  []State
	Limit   int
	Cursor  string
}

// Replay remembers the answer to a request that carried an idempotency key.
type Replay struct {
	Caller, Key string
	// Fingerprint of the request; the same key with another is CodeConflict.
	Fingerprint string
	Environment string
	At          time.Time
}

// Note is a small fact that a part of daskbot must remember across restarts,
// such as how far the outbox was read. It is compared by Version like a row.
type Note struct {
	Key, Value string
	// Secret is kept sealed at rest, as the secrets of environments are.
	Secret  Secret
	Version int64
}

// Duration is a sample of how long something took.
type Duration struct {
	Key  string // e.g. "daskhub/dedicated/cluster"
	Took time.Duration
}

// Clusters is the port to a managed Kubernetes service. Deletion follows
// Karpenter's protocol: Delete returning nil means asked; only Observe saying
// ClusterAbsent means gone.
type Clusters interface {
	// Create asks for the cluster under its Name and Location, with the labels
	// of the installation and of c. ErrExists-like answers are not errors: if
	// a cluster of that name exists, Create returns "" and Observe tells whose.
	Create(ctx context.Context, c Cluster) (operation string, err error)
	// Observe looks at the cluster by name and at operation, if not "".
	// Absence is an observation, not an error; an error means unknown.
	Observe(ctx context.Context, project string, at ClusterAttempt, operation string) (SeenCluster, error)
	// Delete asks for deletion; absent is success.
	Delete(ctx context.Context, project string, at ClusterAttempt) (operation string, err error)
	// Resize sets the ceiling of the node pool (or its size, when fixed).
	Resize(ctx context.Context, c Cluster) (operation string, err error)
	// Check refuses a shape the service will not accept (versions, locations)
	// with CodeInvalid and what would be valid, before anything is created.
	Check(ctx context.Context, project string, shape ClusterShape) error
	// Allowed reports whether daskbot may make clusters in the project; the
	// error's message for CodeForbidden is for the person who links it.
	Allowed(ctx context.Context, project string) error
	// Owned lists the clusters that carry this installation's label. When
	// complete is false some places did not answer: absence proves nothing.
	Owned(ctx context.Context, project string) (items []OwnedCluster, complete bool, err error)
	// Target says how to reach the API server of a running cluster.
	Target(ctx context.Context, c Cluster) (Target, error)
}

// OwnedCluster is a cluster in the cloud that carries our label.
type OwnedCluster struct {
	ClusterAttempt
	Project     string
	Labels      map[string]string
	State       CloudState
	DeleteAfter time.Time
	// Shape is what it costs by: machines, disks and how many nodes it has now.
	Shape ClusterShape
}

// Target is how to reach one Kubernetes API server, without any vendor type.
type Target struct {
	Host string // https://…
	CA   []byte // PEM; nil means the system's roots
	// Token returns a bearer token that is valid now; it refreshes itself.
	Token func(ctx context.Context) (string, error)
	// Kubeconfig is set for given clusters instead of the fields above.
	Kubeconfig []byte
	// InCluster says to use the pod's own service account.
	InCluster bool
	// Key is stable per cluster, for caching clients.
	Key string
}

// Workloads is the port to the Kubernetes API of one cluster.
type Workloads interface {
	// Prepare makes what releases need: storage class with our labels,
	// namespace with its bounds, permissions. Idempotent.
	Prepare(ctx context.Context, t Target, p Plan) error
	// Apply applies YAML manifests to the plan's namespace under daskbot's
	// field manager; Remove deletes the same objects.
	Apply(ctx context.Context, t Target, namespace, manifests string) error
	Remove(ctx context.Context, t Target, namespace, manifests string) error
	// Observe says how far the plan's workloads are. An error means unknown.
	Observe(ctx context.Context, t Target, p Plan) (SeenWorkloads, error)
	// Inventory lists what in the plan's namespace (or in the whole cluster,
	// when it is dedicated) would outlive the cluster.
	Inventory(ctx context.Context, t Target, p Plan) ([]Resource, error)
	// Unexpose asks for the deletion of LoadBalancer Services, claims and, on
	// a shared cluster, of the namespace. Observe says when they are gone.
	Unexpose(ctx context.Context, t Target, p Plan) error
	// Exposed counts what Unexpose waits for.
	Exposed(ctx context.Context, t Target, p Plan) (int, error)
	// Logs copies the last lines of a component's pods to w.
	Logs(ctx context.Context, t Target, p Plan, component string, tail int, w io.Writer) error
	// Kubeconfig makes a kubeconfig for the owner, bound to the namespace.
	Kubeconfig(ctx context.Context, t Target, p Plan) ([]byte, error)
}

// Inside reaches what runs in a cluster through its API server: no public
// address, no proxy that would take a look for use. Its errors mean unknown.
type Inside interface {
	// Pods lists the pods of a namespace that match a Kubernetes label selector.
	Pods(ctx context.Context, t Target, namespace, selector string) ([]Pod, error)
	// Dial connects to a TCP port of a pod. Whoever dials closes.
	Dial(ctx context.Context, t Target, namespace, pod string, port int) (net.Conn, error)
}

// Pod is a pod as far as use can be told from it.
type Pod struct {
	Name    string
	Labels  map[string]string
	Ready   bool
	Pending bool // not running yet: no node, or pulling its image
	Started time.Time
}

// Charts is the port to Helm. It never waits for workloads.
type Charts interface {
	// Resolve turns a wish ("", a range) into the exact version in the repository.
	Resolve(ctx context.Context, r Release) (version string, err error)
	// Check renders the release without installing it: unknown top-level keys
	// and values against the chart's schema are CodeInvalid.
	Check(ctx context.Context, r Release) error
	// Observe reads Helm's own storage, which is the truth.
	Observe(ctx context.Context, t Target, namespace, name string) (SeenRelease, error)
	// Converge installs or upgrades so that the stored release carries hash.
	// A pending release left by a crash is unlocked first.
	Converge(ctx context.Context, t Target, namespace string, r Release, hash string) error
	// Uninstall removes the release; absent is success.
	Uninstall(ctx context.Context, t Target, namespace, name string) error
}

// Compute is the port to the Compute Engine API: quota and leftovers.
type Compute interface {
	// Shortfall says in a sentence what of the region's quota the shape does
	// not fit in, "" when it fits.
	Shortfall(ctx context.Context, project, location string, shape ClusterShape) (string, error)
	// Leftovers returns which of the recorded resources still exist, and the
	// disks that carry the cluster's label. An error means unknown.
	Leftovers(ctx context.Context, project, clusterName string, recorded []Resource) ([]Resource, error)
	// Delete asks for deletion; absent is success.
	Delete(ctx context.Context, r Resource) error
}

// Door asks what answers at an environment's address whether it is the right
// hub and lets the owner in. A nil error means yes; CodeUnavailable means not
// yet; anything else will not mend itself.
type Door interface {
	Open(ctx context.Context, kind AccessKind, c Credentials) error
}

// Given finds the clusters under `clusters:` in the configuration.
type Given interface {
	Target(name string) (Target, error)
}

// Catalogue finds profiles and policy in the configuration.
type Catalogue interface {
	Profile(name string) (Profile, bool)
	Profiles() []Profile
	DefaultProfile() string
	// Project is who pays when neither a person nor a course has a project.
	Project() string
	// Policy is the default policy; a profile's own goes over it.
	Policy() Policy
}

// Notifier tells people outside how an environment is. It is handed the state
// of now, not each event: what came and went in between needs no telling.
type Notifier interface {
	// Name keeps apart what different notifiers remember.
	Name() string
	// Tell makes what the owner was told agree with the environment. memory is
	// what keep was last given for it, "" at first; keep stores durably, and
	// Tell calls it before and after everything that must not happen twice.
	//
	// again is when there is more to tell although nothing changes; 0 means all
	// is told. CodeUnavailable is tried again, not before RetryAfter; after any
	// other error the environment is left until it changes.
	Tell(ctx context.Context, e Environment, memory string, keep func(context.Context, string) error) (again time.Duration, err error)
	// Report tells whoever gave a command for a class how it came out, once.
	// memory, keep and errors are as with Tell.
	Report(ctx context.Context, o CourseOrder, memory string, keep func(context.Context, string) error) error
}
