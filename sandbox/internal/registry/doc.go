// Package registry serves the built images to the sandbox's nodes under the
// names that charts use: it answers for any tag of a name in its table with the
// image built here. It speaks the pulling half of the OCI distribution
// protocol; nothing can be pushed.
//
// Beside the images it serves the Python packages that EXTRA_PIP_PACKAGES may
// name, since pods reach no other index. The images it hands out point pip at
// the address they were pulled from, so that address has to be one that pods
// reach too: the host's on the cluster's bridge, say, and not 127.0.0.1.
package registry
