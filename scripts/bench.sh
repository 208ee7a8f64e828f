#!/usr/bin/env bash
# Runs the benchmarks, or those that are named (a benchmark, a metric, or the
# first part of its name), prints a table and leaves the numbers in
# .daskbot/bench/bench.json. It takes about ten minutes, most of it waiting for
# a cloud that is as slow as the real one.
source "$(dirname "$0")/lib.sh"

scripts/build.sh daskbot daskbot-sandbox daskbot-controlplane helm
go build -o bin/daskbot-term ./internal/term
go build -o bin/daskbot-bench ./internal/bench
go test -c -o bin/daskbot-activity.test ./internal/activity
exec bin/daskbot-bench --out "$state/bench/bench.json" "$@"
