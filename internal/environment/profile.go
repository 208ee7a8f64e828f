package environment

// Profile is a named recipe from configuration: where an environment runs,
// what is installed, how its owner gets in and how long it may live. It is
// plain data; Render turns it into Helm values for one environment.
type Profile struct {
	Name        string       `json:"name"`
	Title       string       `json:"title"`
	Description string       `json:"description"`
	Placement   Placement    `json:"placement"`
	Cluster     ClusterShape `json:"cluster"`
	// Given names a cluster under `clusters:` to run on instead of making one.
	Given string `json:"given"`
	// Namespace is the one of a dedicated cluster; on a shared one it is
	// "<namespace>-<id>".
	Namespace string    `json:"namespace"`
	Releases  []Release `json:"releases"`
	Access    Access    `json:"access"`
	Workers   Workers   `json:"workers"`
	// Packages says whether `packages` may be asked for.
	Packages bool   `json:"packages"`
	Tenancy  Tenant `json:"tenancy"`
	Policy   Policy `json:"policy"`
}

// Release is one Helm release of a profile. Its values and manifests may hold
// the placeholders that Render documents.
type Release struct {
	Name       string `json:"name"`
	Chart      string `json:"chart"`      // name in Repository, or an oci:// URL, or a path
	Repository string `json:"repository"` // URL of a Helm repository; "" for OCI and paths
	Version    string `json:"version"`    // exact or a range; "" for the newest
	// Namespace is where the release goes; "" for the environment's own.
	Namespace string         `json:"namespace"`
	Values    map[string]any `json:"values"`
	// TopLevel are the value keys the chart knows; others are refused, since
	// a chart without a schema ignores a misspelt key silently.
	TopLevel []string `json:"topLevel"`
	// Conditions adds `condition:` to dependencies whose chart forgot it:
	// dependency name to the value path that switches it.
	Conditions map[string]string `json:"conditions"`
	SkipCRDs   bool              `json:"skipCrds"`
	// ClusterWide releases are installed once a cluster and survive the
	// environments that stand on it.
	ClusterWide bool `json:"clusterWide"`
	// Manifests are further objects applied with the release, as YAML text
	// with the same placeholders.
	Manifests string `json:"manifests"`
}

// AccessKind says which protocol answers at the address.
type AccessKind string

// The kinds of front door.
const (
	AccessJupyterHub AccessKind = "jupyterhub"
	AccessJupyter    AccessKind = "jupyter"
)

// Access is how an owner, and daskbot, get in.
type Access struct {
	Kind AccessKind `json:"kind"`
	// Service and Port are the LoadBalancer Service that people open.
	Service string `json:"service"`
	Port    int    `json:"port"`
	// DashboardService is the Dask dashboard's, when it has an address of its own.
	DashboardService string `json:"dashboardService"`
	DashboardPort    int    `json:"dashboardPort"`
	// Username is what the owner types; "${owner}" by default.
	Username string `json:"username"`
	// Google binds the owner's Google account in Kubernetes: none, view, edit
	// or cluster-admin (what the first walkthrough does by hand).
	Google string `json:"google"`
}

// WorkersKind says what `scale` changes.
type WorkersKind string

// The ways to have workers.
const (
	// WorkersValues sets a number in the values of a release.
	WorkersValues WorkersKind = "values"
	// WorkersDaskCluster keeps a DaskCluster object of the operator.
	WorkersDaskCluster WorkersKind = "daskcluster"
	// WorkersNodes moves the node pool's ceiling; notebooks make the workers.
	WorkersNodes WorkersKind = "nodes"
)

// Workers describes a profile's Dask workers.
type Workers struct {
	Kind    WorkersKind `json:"kind"`
	Default int         `json:"default"`
	Max     int         `json:"max"`
	// Selector finds worker pods, as a Kubernetes label selector.
	Selector string `json:"selector"`
	// Manifest is the DaskCluster, as YAML text with placeholders, for
	// WorkersDaskCluster; it is absent while there are 0 workers.
	Manifest string `json:"manifest"`
}

// Tenant bounds one environment on a shared cluster. Empty quantities set no
// bound.
type Tenant struct {
	CPU         string `json:"cpu"`    // ResourceQuota requests.cpu
	Memory      string `json:"memory"` // ResourceQuota requests.memory
	Storage     string `json:"storage"`
	Pods        int    `json:"pods"`
	PodSecurity string `json:"podSecurity"` // privileged, baseline or restricted
}
