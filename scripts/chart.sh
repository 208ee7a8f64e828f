#!/usr/bin/env bash
# Lints charts/daskbot with every set of values it is tested with, and packages it.
source "$(dirname "$0")/lib.sh"

[[ -x bin/helm ]] || scripts/build.sh helm
for values in charts/daskbot/ci/*-values.yaml; do
	say "linting with $values"
	bin/helm lint --strict --quiet charts/daskbot -f "$values"
done
mkdir -p "$state/dist"
bin/helm package charts/daskbot --destination "$state/dist"
