#!/usr/bin/env bash
# Every test that needs no root, with everything it needs installed first.
# Further arguments go to go test: scripts/test.sh -run TestX.
source "$(dirname "$0")/lib.sh"

# The store's tests run on PostgreSQL too, when its server programs are there:
# as root on a Debian or Ubuntu machine they are installed.
if [[ -z $(compgen -G '/usr/lib/postgresql/*/bin/initdb') ]] && ! command -v initdb >/dev/null; then
	if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
		say "installing PostgreSQL for the tests of the store"
		(apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql) \
			>"${TMPDIR:-/tmp}/daskbot-apt.log" 2>&1 || say "PostgreSQL could not be installed; the store is tested on SQLite only"
	else
		say "PostgreSQL is not installed and cannot be from here; the store is tested on SQLite only"
	fi
fi

scripts/build.sh daskbot-controlplane daskbot-sandbox daskbot helm

say "sandbox module"
(cd sandbox && go test -p 2 -timeout 20m ./...)

# The race detector needs cgo, and so a C compiler; without one the same tests
# run below all the same. It is kept to the packages that are cheap to rebuild.
race=(./internal/environment ./internal/config ./internal/activity ./internal/provision)
if command -v gcc >/dev/null || command -v clang >/dev/null; then
	say "race detector"
	CGO_ENABLED=1 go test -race -shuffle=on -timeout 15m "${race[@]}"
else
	say "no C compiler: the race detector is left out"
fi

say "daskbot"
go test -p 2 -shuffle=on -timeout 45m "$@" ./...
