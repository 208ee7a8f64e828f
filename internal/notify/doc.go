// Package notify reads the outbox (the events that commands and the runner
// commit together with the rows) and hands every environment that something
// happened to, as it is now, to the notifiers.
//
// It promises that each notifier gets the last word on every environment,
// however often the process is killed or the other side is down, and that one
// replica does so at a time. That a thing is told once is the notifier's part:
// it is given a durable memory for that. It renders nothing and knows no vendor.
package notify
