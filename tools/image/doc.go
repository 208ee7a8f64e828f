// Command image makes daskbot's container image without a container engine, for
// several platforms at once, with a bill of materials beside it.
//
// The image is what the Dockerfile describes (a test compares the two): one
// static program with the world's time zones in it, root certificates, a user
// without rights, and two folders that may be written to. The same source, Go
// release and version give the same digest: nothing of the machine and no
// clock goes in, only the time of the commit.
//
// It does not sign, and it publishes only when told where.
package main
