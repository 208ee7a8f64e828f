// Package e2e tells stories over the whole daemon: real programs, real
// protocols, the sandbox's clouds. It holds tests only.
//
// One sandbox serves a run of the tests. Each story has a daemon of its own
// with its own store, installation and cloud project, so stories run side by
// side and a fault scripted by one does not strike another. Every answer of a
// daemon passes a proxy that holds it against the daemon's own description.
//
// The stories under testdata are scripts: the documentation of testscript lists
// what every script may use, commands_test.go what is added here. Tests in Go
// are those that repeat one story many times. -slow adds those that take
// minutes, -seed repeats the moments at which the daemon was killed.
//
// They need bin/daskbot-sandbox and bin/daskbot-controlplane, which `make
// build` makes, and are skipped without them.
package e2e
