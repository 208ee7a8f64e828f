// Package environment is daskbot's domain: the nouns (Environment, Cluster,
// Profile, Policy, Event), the commands (Service), the pure functions that
// decide what happens next (Next, NextCluster, Render), the errors, and the
// ports through which everything else is reached.
//
// It imports only the standard library, does no I/O of its own and reads no
// clock: time is an argument. Every other internal package may import it, and
// it imports none of them.
package environment
