// Package control is the part of the sandbox that the real clouds do not
// have: what people and tests use to see what there is and what it costs, to
// script faults and latencies, and to play the users of a hub.
//
// It does not serve the emulated APIs and decides nothing: it translates HTTP
// to calls of cloud.World and of the stand-ins.
package control
