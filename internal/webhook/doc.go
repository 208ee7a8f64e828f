// Package webhook is the way out for other programs: signed notifications of
// what becomes of a course's environments, sent to the addresses that the
// course registered.
//
// A Sender is an environment.Notifier and has an outbox of its own, so that a
// receiver that is down holds up nobody. A notification says how the
// environment is, never how to get in, and is signed by Standard Webhooks. What
// was not taken is sent again, with the same id, for three days; an address
// that took nothing in all that time, or that answers 410, is given up, and the
// course's staff find that among the events.
//
// Addresses are typed in by people, so they lead nowhere but to public hosts:
// the check is made on the address that is connected to, not on the name, and
// redirects are not followed.
//
// It sends the state of now: what came and went while a receiver was down is
// not told. It keeps no order among environments.
package webhook
