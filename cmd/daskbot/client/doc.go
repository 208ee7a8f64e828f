// Package client is daskbot's command line for people: it turns commands into
// REST requests and the answers into tables, JSON or YAML, and shows the
// progress of what it waits for.
//
// It knows the daemon only through HTTP and the wire types of internal/api.
// It keeps no state, decides no policy and prints no secret that was not asked
// for by name. The only process it ever starts is a browser, for `open`.
package client
