// Package kube is daskbot's hands and eyes inside one Kubernetes cluster: it
// implements environment.Workloads with client-go.
//
// It prepares a namespace (permissions, bounds, storage class), applies the
// manifests that go with a release, says in words how far the pods are, lists
// what would outlive the cluster, takes exposed things away, copies logs and
// makes the owner's kubeconfig. Every write is a server-side apply under the
// field manager "daskbot" or a delete with a precondition, so each call can be
// repeated after a crash.
//
// It installs no charts (package helm does), creates no clusters (package gke
// does) and never waits: whoever calls it looks again. Errors leave it as
// *environment.Error, translated once in errors.go.
package kube
