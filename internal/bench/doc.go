// Command bench measures daskbot from outside: it starts the sandbox and the
// daemon as the programs they are, speaks HTTP to both, and prints what it
// found beside what was aimed at. `make bench` runs it.
//
// It knows nothing of daskbot's code and imports none of it. Everything it
// starts listens on loopback, keeps its state in a directory of its own, and
// is stopped and removed in the end; clusters that are still being made then
// go with their sandbox.
//
// It does not judge: a value beyond its target is printed as such and is no
// failure, since a shared machine is no fair judge of milliseconds.
package main
