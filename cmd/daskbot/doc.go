// Command daskbot is the daemon and its client in one program: `daskbot serve`
// runs the daemon, every other command asks it for something over REST.
//
// It is the only place that wires packages to each other. It decides nothing
// itself: the daemon's rules are internal/environment's, the client commands
// are cmd/daskbot/client's.
package main
