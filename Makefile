# Everything there is to do with this repository. `make help` lists it.
# The work is in scripts/, so that it can be read and run on its own.
SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
export VERSION

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## build, start the sandbox and the daemon, print the URL; Ctrl-C stops both
	@scripts/run.sh

.PHONY: build
build: ## bin/daskbot, bin/daskbot-sandbox and the control plane it runs
	@scripts/build.sh daskbot daskbot-sandbox daskbot-controlplane

.PHONY: test
test: ## every test that needs no root; installs what it needs
	@scripts/test.sh

.PHONY: check
check: ## format, vet, lint, generated files: fast
	@scripts/check.sh

.PHONY: vulncheck
vulncheck: ## known vulnerabilities in what is called; needs vuln.go.dev, for CI
	@scripts/vulncheck.sh

.PHONY: bench
bench: ## the benchmarks, or one: make bench BENCH=name
	@scripts/bench.sh $(BENCH)

.PHONY: e2e
e2e: ## both walkthroughs on real pods (root, Linux)
	@scripts/e2e.sh

.PHONY: generate
generate: ## rewrite the generated files (openapi)
	@scripts/generate.sh

.PHONY: helm
helm: ## bin/helm, the real command-line tool, for the walkthroughs
	@scripts/build.sh helm

.PHONY: image
image: ## the container image, for amd64 and arm64, into .daskbot/dist; PUSH=REPOSITORY publishes it
	@scripts/image.sh $(if $(PUSH),--push $(PUSH))

.PHONY: chart
chart: ## lint and package charts/daskbot into .daskbot/dist
	@scripts/chart.sh

.PHONY: clean
clean: ## remove what was built; state under .daskbot stays
	rm -rf bin .daskbot/dist
