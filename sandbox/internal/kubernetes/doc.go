// Package kubernetes runs the control planes behind the sandbox's clusters:
// one real kube-apiserver, kube-controller-manager and kube-scheduler each, as
// child processes, over one shared etcd. Nodes and pods are played by KWOK;
// what a cloud adds to a cluster (node pools and their autoscaler, volumes,
// load balancers) is played by controllers in this process, which ask
// cloud.Compute for everything that would cost money.
//
// A control plane is described by a record on disk from the moment it is asked
// for until it is stopped, so it comes back after the sandbox was killed. The
// package speaks no cloud protocol and knows no price.
package kubernetes
