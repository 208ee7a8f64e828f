// Package cgroup makes, joins and removes the control groups that belong to
// one node, in every hierarchy that the machine has mounted: version 1, version
// 2, or both. What is accounted and limited inside them is the kubelet's
// business.
package cgroup
