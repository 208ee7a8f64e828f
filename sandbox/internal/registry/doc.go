// Package registry serves the built images to the sandbox's nodes under the
// names that charts use: it answers for any tag of a name in its table with the
// image built here. It speaks the pulling half of the OCI distribution
// protocol; nothing can be pushed.
package registry
