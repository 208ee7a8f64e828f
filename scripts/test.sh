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

scripts/build.sh daskbot-controlplane daskbot-sandbox daskbot helm

say "sandbox module"
(cd sandbox && go test -p 2 -timeout 40m ./...)

say "image"
(cd tools/image && go test ./...)

# The race detector needs cgo, and so a C compiler; without one the same tests
# run below all the same. It is kept to the packages that are cheap to rebuild.
race=(./internal/environment ./internal/config ./internal/activity ./internal/provision ./internal/reaper)
if command -v gcc >/dev/null || command -v clang >/dev/null; then
	say "race detector"
	CGO_ENABLED=1 go test -race -shuffle=on -timeout 30m "${race[@]}"
else
	say "no C compiler: the race detector is left out"
fi

say "daskbot"
go test -p 2 -shuffle=on -timeout 60m "$@" ./...
