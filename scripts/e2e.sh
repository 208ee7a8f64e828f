#!/usr/bin/env bash
# Both walkthroughs on real pods. The sandbox plays nodes and pods so far, so
# there is nothing to run, and saying so is better than passing.
source "$(dirname "$0")/lib.sh"

die "make e2e: the sandbox has no real nodes yet (--nodes real), so the walkthroughs cannot run on real pods.
The same walkthroughs on simulated pods are part of: make test"
