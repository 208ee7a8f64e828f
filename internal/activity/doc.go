// Package activity asks hubs, notebooks and Dask schedulers what is going on
// in an environment.
//
// A Door asks once, over HTTP at the public address, whether the right hub
// answers and lets its owner in. A Prober looks again and again, from inside
// the cluster, at everything that can tell of use: the hub's users and servers,
// kernels, terminals, schedulers, pods. It decides nothing: what its signals
// mean is for environment.Assess, and what does not answer is a signal too. A
// look is never use: it comes in by port-forward, past the hub's public proxy,
// and asks servers not to count it.
//
// Everything it reads comes from a machine that a student controls: answers
// are bounded in size, number and time, redirects are never followed, and of
// what they say only checked names and times are repeated to people.
package activity
