// Package provision carries out what environment.Next and
// environment.NextCluster decide: observe the real world, decide, do one
// idempotent step, record it, look again. It knows ports and no vendor; its
// subpackages gke, kube, helm and compute implement the ports.
//
// Nothing in it remembers anything between two passes. A process that is
// killed at any instruction loses a look, never a cluster.
package provision
