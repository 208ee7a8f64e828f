// Package volume provisions persistent volumes as the Compute Engine
// persistent disk driver does on GKE: a disk in the cloud for each claim of
// one of its storage classes, named, labelled and described as the driver
// names, labels and describes it, and removed when the claim's volume is
// released with policy Delete. It also keeps the cloud's record of which node
// uses a disk. It takes no snapshots and does not resize.
package volume
