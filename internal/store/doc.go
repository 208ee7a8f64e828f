// Package store keeps daskbot's rows, events and queue, on SQLite or
// PostgreSQL: it implements environment.Store and environment.Queue.
//
// Both databases are reached through database/sql and run the same SQL; what
// differs (opening, locking, River's driver) is in backend.go, sqlite.go and
// postgres.go. Every row is one JSON document beside the few columns that
// queries and uniqueness need, so a new field of a noun needs no migration.
//
// River is the durable queue. One River job is one pass over one row: a pass
// ends in a transaction that removes its job and, when there is a next one,
// inserts that. A wake-up that arrives during a pass is counted in the wakeups
// table and seen by that transaction, so that it is never lost and a row is
// never worked on twice at once. A bell within the process starts due jobs
// without polling. The queue holds no truth: Run starts by giving a job to
// every row that is not gone.
//
// SQLite is for one process, enforced by a file lock, and recovers at once
// from a crash. PostgreSQL takes several replicas; what a crashed one held is
// picked up by another after RescueAfter.
//
// The package does not decide anything about environments, does not notify
// followers, and does not delete old events.
package store
