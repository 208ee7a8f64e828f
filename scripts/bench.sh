#!/usr/bin/env bash
# Runs the benchmarks, or those that are named (a benchmark, a metric, or the
# first part of its name), prints a table and leaves the numbers in
# .daskbot/bench/bench.json. Most of the time it waits for a cloud that is as
# slow as the real one. The soak takes an hour and runs only when it is named.
source "$(dirname "$0")/lib.sh"

scripts/build.sh daskbot daskbot-sandbox daskbot-controlplane helm
go build -o bin/daskbot-term ./internal/term
go build -o bin/daskbot-bench ./internal/bench
go test -c -o bin/daskbot-activity.test ./internal/activity
go test -c -o bin/daskbot-chaos.test ./internal/chaos
exec bin/daskbot-bench --out "$state/bench/bench.json" "$@"
