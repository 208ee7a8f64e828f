package cloud

import "time"

// Latency is a duration with a spread: the sandbox waits a time drawn evenly
// from [Min, Max].
type Latency struct {
	Min time.Duration `json:"min"`
	Max time.Duration `json:"max"`
}

// Fault is one scripted misbehaviour, as POST /faults takes it.
type Fault struct {
	ID      string `json:"id,omitempty"`
	Kind    string `json:"kind"`              // stockout, quota, quota-late, rate-limit, unavailable, lost-reply, spontaneous-upgrade, no-address, never-ready, slow-api, missing-zones, delete-fails, …
	Cluster string `json:"cluster,omitempty"` // cluster name; empty: any
	Method  string `json:"method,omitempty"`  // RPC method or point; empty: any that the kind fits
	Zone    string `json:"zone,omitempty"`    // zone or region; empty: any
	Project string `json:"project,omitempty"` // empty: any
	Times   int    `json:"times,omitempty"`   // how often; 0: until deleted
	Delay   string `json:"delay,omitempty"`   // Go duration, for slow-api and the like
	Value   string `json:"value,omitempty"`   // quota metric, resource, release name, …
}
