// Package daemontest runs daskbot's REST API on the real service and a real
// store inside a test, for tests of what talks to it. There is no runner and no
// cloud: tests write what a runner would, and the few questions that go to a
// cloud or a cluster get fixed answers. Only tests import it.
package daemontest
