#!/usr/bin/env bash
# Every test that needs no root, with everything it needs installed first.
# Further arguments go to go test: scripts/test.sh -run TestX.
source "$(dirname "$0")/lib.sh"

# The store's tests run on PostgreSQL too, and some stories in a browser, when
# the machine has them: as root on Debian or Ubuntu they are installed.
missing=()
[[ -n $(compgen -G '/usr/lib/postgresql/*/bin/initdb') ]] || command -v initdb >/dev/null || missing+=(postgresql)
browser=''
for name in google-chrome chromium-browser chromium; do
	if command -v "$name" >/dev/null; then browser=$name; fi
done
[[ -n $browser ]] || missing+=(chromium)
if ((${#missing[@]})); then
	if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
		say "installing ${missing[*]} for the tests"
		(apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}") \
			>"${TMPDIR:-/tmp}/daskbot-apt.log" 2>&1 || say "could not be installed: ${missing[*]}; tests that need them are left out"
	else
		say "not installed, and cannot be from here: ${missing[*]}; tests that need them are left out"
	fi
fi

# Real hubs and schedulers are installed from package registries by their tests,
# which are left out where that fails; not where nobody would read that they were.
if [[ ${CI:-} == true ]]; then export DASKBOT_NEED_SERVERS=1; fi

# tested runs go test in the module at $1. Where nobody looks on, one or two
# packages that fail are tried once more: a defect fails again, and what failed
# for a busy machine is told apart from it and still printed.
tested() {
	local log failed
	log=$(mktemp)
	(cd "$1" && go test "${@:2}" 2>&1) | tee "$log" && return
	[[ ${CI:-} == true ]] || return 1
	mapfile -t failed < <(awk '$1 == "FAIL" && $2 ~ "/" && $3 !~ /build|setup/ {print $2}' "$log")
	((${#failed[@]} > 0 && ${#failed[@]} <= 2)) || return 1
	say "FAILED, and tried once more: ${failed[*]}"
	(cd "$1" && go test -p 1 -timeout 40m "${failed[@]}")
}

scripts/build.sh daskbot-controlplane daskbot-sandbox daskbot helm

say "sandbox module"
tested sandbox -p 2 -timeout 40m ./...

say "image"
tested tools/image ./...

# The race detector needs cgo, and so a C compiler; without one the same tests
# run below all the same. It is kept to the packages that are cheap to rebuild.
race=(./internal/environment ./internal/config ./internal/activity ./internal/provision ./internal/reaper)
if command -v gcc >/dev/null || command -v clang >/dev/null; then
	say "race detector"
	CGO_ENABLED=1 tested . -race -shuffle=on -timeout 30m "${race[@]}"
else
	say "no C compiler: the race detector is left out"
fi

say "daskbot"
tested . -p 2 -shuffle=on -timeout 60m "$@" ./...
