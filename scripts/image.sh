#!/usr/bin/env bash
# Builds the container image for amd64 and arm64 as an OCI layout, without a
# container engine, with a bill of materials beside it.
#
#   scripts/image.sh                     into .daskbot/dist
#   scripts/image.sh --push REPOSITORY   and publishes it there
#   ENGINE=docker scripts/image.sh       with the Dockerfile instead
source "$(dirname "$0")/lib.sh"

version=${VERSION:-dev}
if [[ -n ${ENGINE:-} ]]; then
	say "building daskbot:$version with $ENGINE"
	exec "$ENGINE" build --build-arg "VERSION=$version" -t "daskbot:$version" .
fi
mkdir -p "$state/dist"
out=$(cd "$state/dist" && pwd)
cd tools/image
exec go run . --source "$root" --version "$version" --out "$out" \
	--revision "$(git rev-parse HEAD 2>/dev/null || true)" --created "$(git log -1 --format=%ct 2>/dev/null || echo 0)" "$@"
