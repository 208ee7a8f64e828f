// Package nodepool keeps the nodes of a cluster: it asks the cloud for
// instances, lets them boot, registers them as Kubernetes nodes shaped as GKE
// shapes them, and takes them away again. Which size a pool should have is
// decided elsewhere, by the GKE API or by the autoscaler.
package nodepool
