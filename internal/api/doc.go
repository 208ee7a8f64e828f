// Package api is daskbot's REST interface: it turns HTTP requests into
// commands on the domain's service, and the service's answers and errors into
// JSON, problem details, event streams and an OpenAPI 3.1 description.
//
// It decides nothing: who may do what, what is valid and what happens next is
// the service's business. It keeps no state and starts no goroutine that
// outlives a request. It is the only home of gin and huma. The wire types
// (Environment, Event, Problem, …) are exported for the client commands, which
// speak to this package over HTTP only.
package api

// The checked-in description is what `go test -update` writes; a test fails
// when it is not what the code serves.
//go:generate go test -run TestOpenAPIIsCurrent -update .
