// Package notify reads the outbox (the events that commands and the runner
// commit together with the rows) and hands every environment that something
// happened to, as it is now, to the notifiers.
//
// It promises that each notifier gets the last word on every environment,
// however often the process is killed or the other side is down. Of several
// replicas the leader runs it. That a thing is told once is the notifier's part:
// it is given a durable memory for that, compared by version, so that two who
// tell at once by mistake do not both get through. It renders nothing and knows
// no vendor.
package notify
