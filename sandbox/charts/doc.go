// Package charts carries the sandbox's own Helm charts. They have the names,
// values, labels and traps of the charts people know, so that what is proved
// against them holds for those, and they are written here: nothing is copied.
//
// The package does not render, package or serve them; internal/charts does.
package charts
