// Package images builds the container images that pods on the sandbox's real
// nodes run, without a container engine: from Debian, PyPI and npm packages
// that their ordinary clients fetch.
//
// A layer is what one script changes in the file system of the layer below,
// found with an overlay mount and kept under the hash of everything it was made
// from. Images are lists of layers with a configuration, so they share what
// they have in common, and a build that was stopped goes on where it was.
//
// Building needs root, Linux with overlayfs, and Debian 12's apt-get and
// dpkg-deb. Nothing it mounts outlives it: mounts are in a namespace of the
// build's own.
package images
