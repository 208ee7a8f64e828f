package environment

import "context"

// NoCloud stands for Clusters where an installation only has clusters that it was
// given. What comes as far as this is refused in a sentence: commands ask before.
type NoCloud struct{}

// NoCompute stands for Compute there.
type NoCompute struct{}

var (
	_ Clusters = NoCloud{}
	_ Compute  = NoCompute{}
)

func withoutCloud() error {
	return Errorf(CodeInvalid, "This installation has no cloud: it only uses clusters that it was given.")
}

// Create makes nothing.
func (NoCloud) Create(context.Context, Cluster) (string, error) { return "", withoutCloud() }

// Observe knows nothing.
func (NoCloud) Observe(context.Context, string, ClusterAttempt, string) (SeenCluster, error) {
	return SeenCluster{}, withoutCloud()
}

// Delete deletes nothing.
func (NoCloud) Delete(context.Context, string, ClusterAttempt) (string, error) {
	return "", withoutCloud()
}

// Resize changes nothing.
func (NoCloud) Resize(context.Context, Cluster) (string, error) { return "", withoutCloud() }

// Check refuses every shape.
func (NoCloud) Check(context.Context, string, ClusterShape) error { return withoutCloud() }

// Allowed refuses every project.
func (NoCloud) Allowed(context.Context, string) error { return withoutCloud() }

// Owned knows nothing.
func (NoCloud) Owned(context.Context, string) ([]OwnedCluster, bool, error) {
	return nil, false, withoutCloud()
}

// Target reaches nothing.
func (NoCloud) Target(context.Context, Cluster) (Target, error) { return Target{}, withoutCloud() }

// Shortfall knows no quota.
func (NoCompute) Shortfall(context.Context, string, string, ClusterShape) (string, error) {
	return "", withoutCloud()
}

// Leftovers knows nothing.
func (NoCompute) Leftovers(context.Context, string, string, []Resource) ([]Resource, error) {
	return nil, withoutCloud()
}

// Delete deletes nothing.
func (NoCompute) Delete(context.Context, Resource) error { return withoutCloud() }
