#!/usr/bin/env bash
# Rewrites the files that are generated from code; with --check it only says
# which are out of date.
source "$(dirname "$0")/lib.sh"

# The description of the REST interface is written by the test that compares
# it, so that there is one way to make it.
if [[ ${1:-} == --check ]]; then
	go test -count=1 -run 'OpenAPI' ./internal/api
else
	go test -count=1 -run 'OpenAPI' ./internal/api -update
fi
