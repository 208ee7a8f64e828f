#!/usr/bin/env bash
# Runs the benchmarks, or the one that is named, and leaves the numbers in
# .daskbot/bench/bench.json.
source "$(dirname "$0")/lib.sh"

scripts/build.sh daskbot daskbot-sandbox daskbot-controlplane helm
mkdir -p "$state/bench"
exec go run ./internal/bench --out "$state/bench/bench.json" "$@"
