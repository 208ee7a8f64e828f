// Package autoscaler grows a cluster's node pools for pods that do not fit and
// shrinks them when nodes stay empty, with the limits, the pace and the events
// of GKE's cluster autoscaler. Its estimate is first fit, largest pod first.
// It does not move pods to empty a node that is only little used.
package autoscaler
