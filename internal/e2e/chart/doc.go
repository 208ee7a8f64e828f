// Package chart tests charts/daskbot: that every set of values under its ci
// folder renders to objects that Kubernetes knows, with a configuration that
// the daemon accepts, and that a real API server installs, upgrades, tests and
// uninstalls it under the restricted Pod Security level. It holds tests only.
//
// Nodes are not part of it: where a pod would have to run, its status is
// written by the test, which says so. The daemon, and the pod of `helm test`,
// are run as processes, with the arguments and environment of their pods. That the image runs is tested where it is
// built, in tools/image.
package chart
