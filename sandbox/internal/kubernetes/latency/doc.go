// Package latency makes things inside a cluster take the time the cloud says
// they take, and tells the cloud's timeline what was waited for. It decides no
// duration itself.
package latency
