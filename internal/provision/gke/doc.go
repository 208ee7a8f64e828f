// Package gke makes, watches, resizes and deletes Google Kubernetes Engine
// clusters, and says how to reach their API servers. It implements
// environment.Clusters over the gRPC protocol of google.container.v1.
//
// It does not decide anything: it carries out one request and reports one
// observation. It does not wait for operations, does not retry (the runner
// looks again anyway, and a hidden retry would hide why), keeps no state
// between calls, and touches no cluster without this installation's label.
// What Kubernetes and Compute Engine hold is the business of its neighbours
// kube and compute.
//
// Every error it returns is an *environment.Error; errors.go is the only place
// that knows the texts of GKE.
package gke
