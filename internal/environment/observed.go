package environment

// Unknown observations are kept apart from absent ones everywhere: a timeout,
// a failed or a partial list never deletes anything.

// CloudState is what the managed Kubernetes service says of a cluster.
type CloudState string

// The cloud's states, with "absent" for a NotFound answer.
const (
	CloudAbsent       CloudState = "absent"
	CloudProvisioning CloudState = "provisioning"
	CloudRunning      CloudState = "running"
	CloudReconciling  CloudState = "reconciling" // usable
	CloudDegraded     CloudState = "degraded"    // usable, needs attention
	CloudStopping     CloudState = "stopping"
	CloudError        CloudState = "error" // unusable; delete it ourselves
	CloudUnknown      CloudState = ""      // not observed; proves nothing
)

// Usable reports whether the API server of a cluster in this state answers.
func (s CloudState) Usable() bool {
	return s == CloudRunning || s == CloudReconciling || s == CloudDegraded
}

// SeenCluster is an observation of one cluster name.
type SeenCluster struct {
	State CloudState
	// Mine: it carries this installation's label and ClusterID is ours.
	Mine      bool
	ClusterID string
	// Busy is an operation that holds the cluster's lock, "" when none does.
	Busy string
	// Operation is what became of the operation asked about.
	Operation OperationState
	Progress  Progress
	// Failure is why the operation, or the cluster, failed; nil if it did not.
	Failure  *Error
	Nodes    int
	MaxNodes int
}

// underWay reports whether the cloud is at work on the cluster. One that is
// "provisioning" without that was left so by a create that failed.
func (s SeenCluster) underWay() bool { return s.Busy != "" || s.Operation == OperationRunning }

// OperationState is what became of a cloud operation.
type OperationState string

// The operation states; OperationNone when none was asked about or it is forgotten.
const (
	OperationNone    OperationState = ""
	OperationRunning OperationState = "running"
	OperationDone    OperationState = "done"
	OperationFailed  OperationState = "failed"
)

// Plan is everything about one environment that its workloads need, rendered.
type Plan struct {
	Environment  string
	Owner        string
	Course       string
	Installation string
	ClusterName  string
	ClusterID    string
	// Project and Location are where its cluster is; "" for a given one.
	Project     string
	Location    string
	Namespace   string
	Dedicated   bool
	Given       bool
	Tenancy     Tenant
	Releases    []Release
	Access      Access
	Credentials Credentials
	Workers     Workers
	WantWorkers int
	// Google is the owner's Google account to bind, "" for none.
	Google string
	// Ceiling is how many nodes the cluster may grow to, 0 if unknown.
	Ceiling int
}

// SeenWorkloads is an observation of one environment's objects.
type SeenWorkloads struct {
	// Prepared is set once namespace and permissions are as planned.
	Prepared bool
	// Terminating: the namespace is being deleted.
	Terminating bool
	// Ready and Wanted count pods of the releases' controllers.
	Ready, Wanted int
	// Waiting says in a sentence what is not ready yet, "" when all is.
	Waiting string
	// Broken says in a sentence what will not become ready by itself (an
	// image that cannot be pulled, a crash loop); "" when nothing is known.
	Broken string
	// Address and DashboardAddress are URLs, "" until the cloud gave them.
	Address, DashboardAddress string
	Workers                   SeenWorkers
	Nodes                     []SeenNode
	Pods                      []SeenPod
	Services                  []SeenService
}

// SeenWorkers counts Dask worker pods and says why some wait.
type SeenWorkers struct {
	Wanted  int    `json:"wanted"`
	Running int    `json:"running"`
	Pending int    `json:"pending"`
	Message string `json:"message"` // "2 of 4 workers are waiting for a node; the cluster may grow to 10."
}

// SeenNode is a node, in words.
type SeenNode struct {
	Name        string `json:"name"`
	MachineType string `json:"machineType"`
	Ready       bool   `json:"ready"`
}

// SeenPod is a pod, in words.
type SeenPod struct {
	Name      string `json:"name"`
	Component string `json:"component"`
	Phase     string `json:"phase"`
	Ready     bool   `json:"ready"`
	Message   string `json:"message"`
}

// SeenService is a Service with its address.
type SeenService struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Address string `json:"address"`
	Ports   []int  `json:"ports"`
}

// SeenRelease is an observation of Helm's storage.
type SeenRelease struct {
	Status   ReleaseStatus
	Revision int
	Chart    string // name-version
	// Hash is what Converge was last given, "" on releases of others.
	Hash string
	// Message is Helm's own words about a failure, for staff.
	Message string
}

// ReleaseStatus is the state of a Helm release, reduced to what changes the
// next step.
type ReleaseStatus string

// The release states.
const (
	ReleaseAbsent   ReleaseStatus = "absent"
	ReleaseDeployed ReleaseStatus = "deployed"
	ReleasePending  ReleaseStatus = "pending" // left by a crash, or at work elsewhere
	ReleaseFailed   ReleaseStatus = "failed"
)
