// Package compute asks Compute Engine two things: whether a region's quota
// has room for a cluster, and which resources outlived the cluster they were
// made for; and it deletes the latter. It implements environment.Compute.
//
// It never searches for things to delete by name or age: a leftover is either
// named exactly by an inventory that was recorded while its cluster lived, or
// a disk with this installation's and the cluster's label. Whatever cannot be
// looked at is an error, never "there is nothing". It does not wait for
// Compute's operations; the caller looks again.
//
// It uses one client library for all collections, the one generated from
// Compute's REST description, because the legacy HTTP health checks of load
// balancers exist in no other.
package compute
