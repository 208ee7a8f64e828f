#!/usr/bin/env bash
# Lints charts/daskbot and packages it.
source "$(dirname "$0")/lib.sh"

[[ -x bin/helm ]] || scripts/build.sh helm
bin/helm lint --strict charts/daskbot -f charts/daskbot/ci/values.yaml
mkdir -p "$state/dist"
bin/helm package charts/daskbot --destination "$state/dist"
