// Package images holds what the sandbox's container images are made from: lock
// files of the packages, and the few scripts that are our own. internal/images
// builds them.
package images
