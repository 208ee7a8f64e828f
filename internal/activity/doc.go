// Package activity asks hubs and notebooks, over HTTP at their public address,
// what is going on there. So far it is the Door: whether the right hub answers
// and lets its owner in.
//
// Everything it reads comes from a machine that a student controls: answers
// are bounded in size and time, redirects are never followed to another host,
// and nothing of them is repeated to people.
package activity
