// Package telemetry is daskbot's traces, and what joins log lines to them. It
// is the sole home of OpenTelemetry.
//
// A request gets a span and a request id; both go with the wake-up over the
// queue as an environment.Trail, and the steps of the runner are spans of the
// same trace, with the calls to GKE, Kubernetes and Helm under them. Calls
// that belong to no request or step, such as the looks at what is being waited
// for, are not traced. Spans leave the process only when an OTLP endpoint is
// configured; log lines carry trace ids either way.
//
// It holds no metrics and decides nothing.
package telemetry
