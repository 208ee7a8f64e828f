// Package chaos holds one property test: whatever crashes and fails, nothing
// that was asked for is lost, nothing is doubled, orphaned, ended early or told
// twice. It holds tests only.
//
// Several replicas (the real runner, the real service with the reaper's rules,
// the real store) share a cloud that is a double, in virtual time. Every call
// of a port is a point at which the replica that makes it may be killed, may
// lose its answer, may be overtaken by another or may be taken for dead while
// it goes on; which of these happens is drawn. What failed is shrunk, and its
// seed printed, by rapid; DASKBOT_CHAOS_RUNS says how many runs there are.
//
// Of the queue only its promise is used here, one pass a row unless a replica
// is taken for dead; internal/store tests that it keeps it. The same with real
// processes, a real PostgreSQL and the sandbox is `make bench BENCH=chaos`.
package chaos
