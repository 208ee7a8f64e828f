// Package helm is daskbot's Helm: it implements environment.Charts with the
// Helm v3 SDK, and Helm's own storage in the cluster stays the only record of
// what is installed, so `helm list` sees what daskbot sees.
//
// It finds charts in repositories, OCI registries and on disk, checks values
// before any money is spent, and installs, upgrades and uninstalls releases.
//
// Three rules follow from what the SDK really does. It never waits for
// workloads (Wait and Atomic stay off): readiness is package kube's. It never
// hands Helm a context that can end, since Helm then goes on behind its own
// back: an action runs to its end on its own goroutine and whoever asks again
// joins it. And it believes Helm's storage rather than its return values: a
// "pending" release that nobody works on was left by a crash and is unlocked.
package helm
