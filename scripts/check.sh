#!/usr/bin/env bash
# What can be said about the code without running it.
source "$(dirname "$0")/lib.sh"

say "gofmt"
unformatted=$(gofmt -l cmd internal sandbox)
[[ -z $unformatted ]] || die "not formatted (run gofmt -w): $unformatted"

say "go vet"
go vet ./...
(cd sandbox && go vet ./...)

say "golangci-lint"
scripts/build.sh golangci-lint
bin/golangci-lint run ./...
(cd sandbox && "$root/bin/golangci-lint" run --config "$root/.golangci.yml" ./...)

say "generated files"
scripts/generate.sh --check
