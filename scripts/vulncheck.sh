#!/usr/bin/env bash
# Asks the Go vulnerability database about every function that is called. It
# needs that database (vuln.go.dev), and so is not part of `make check`; where
# the database is not reachable it says so and fails.
source "$(dirname "$0")/lib.sh"

say "govulncheck"
go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./... || die "vulnerable, or the vulnerability database is not reachable from here: run this in continuous integration"
