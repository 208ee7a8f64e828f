#!/usr/bin/env bash
# What can be said about the code without running it.
source "$(dirname "$0")/lib.sh"

say "gofmt"
unformatted=$(gofmt -l cmd internal sandbox tools/image)
[[ -z $unformatted ]] || die "not formatted (run gofmt -w): $unformatted"

say "go vet"
go vet ./...
(cd sandbox && go vet ./...)
(cd tools/image && go vet ./...)
# What is behind a tag, and so in no other command here.
go vet -tags e2e ./internal/e2e/real
(cd sandbox && go vet -tags e2e,node ./cmd/daskbot-node ./internal/kubernetes)

say "golangci-lint"
scripts/build.sh golangci-lint
bin/golangci-lint run ./...
(cd sandbox && "$root/bin/golangci-lint" run --config "$root/.golangci.yml" ./...)

say "generated files"
scripts/generate.sh --check
