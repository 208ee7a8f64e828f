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
// from a crash. PostgreSQL takes several replicas: each holds a lock while it
// lives, one of them leads, and what a dead one was working on is handed over
// within seconds (lead.go, present.go). Two versions may write the same rows:
// what this one does not know of a document stays (newer.go).
//
// What is read often is parsed once: the text of SQLite's statements
// (statements.go), the recipes that environments have in common (recipes.go)
// and courses, while their version stands (courses.go). What was read of these
// two is shared by all who read it, and changed by nobody.
//
// The package does not decide anything about environments and does not notify
// followers.
package store
