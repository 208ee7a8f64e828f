// Package fit answers whether a pod has room on a node: requests against what
// is free, node selector and affinity, taints. It is the small part of the
// scheduler that the autoscaler's estimate and the binder share; it does not
// know spreading, pod affinity or volumes.
package fit
