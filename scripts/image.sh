#!/usr/bin/env bash
# Builds the container image with whichever engine this machine has.
source "$(dirname "$0")/lib.sh"

for engine in docker podman buildah; do
	command -v "$engine" >/dev/null || continue
	say "building daskbot:${VERSION:-dev} with $engine"
	exec "$engine" build --build-arg "VERSION=${VERSION:-dev}" -t "daskbot:${VERSION:-dev}" .
done
die "make image: no container engine here; install docker, podman or buildah"
