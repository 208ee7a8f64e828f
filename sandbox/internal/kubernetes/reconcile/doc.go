// Package reconcile is the loop under every controller of a cluster: a queue
// of keys, a few workers, and back-off when a key fails. It knows no object.
package reconcile
