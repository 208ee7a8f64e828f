#!/usr/bin/env bash
# Both walkthroughs on real pods: installs what nodes need, builds programs and
# images, starts the sandbox and the daemon on ports and state of their own,
# plays, stops, and looks for anything that was left on the machine.
# Further arguments go to go test: scripts/e2e.sh -run TestDaskHub.
source "$(dirname "$0")/lib.sh"

# The machine must allow what real nodes are made of.
reason=''
if [[ $(uname -s) != Linux || $(id -u) != 0 ]]; then
	reason="it needs root on Linux"
elif ! grep -q 'VERSION_ID="12"' /etc/os-release || ! grep -qx 'ID=debian' /etc/os-release; then
	reason="the images are made from the packages of Debian 12, and this is another system"
elif ! unshare --mount --net --pid --fork true 2>/dev/null; then
	reason="this machine does not allow namespaces (a container without privileges?)"
elif ! grep -qw overlay /proc/filesystems && ! modprobe overlay 2>/dev/null; then
	reason="this kernel has no overlayfs"
elif (($(awk '/MemAvailable/ {print int($2 / 1024)}' /proc/meminfo) < 6000)); then
	reason="it needs 6 GB of free memory"
fi
[[ -z $reason ]] || die "make e2e: not here: $reason"
[[ ${1:-} != --check ]] || exit 0

# need PROGRAM-OR-FILE PACKAGE...: what is missing is installed at once, below.
missing=()
need() { command -v "$1" >/dev/null || [[ -e $1 ]] || missing+=("${@:2}"); }
need containerd containerd
need runc runc
need /usr/lib/cni/ptp containernetworking-plugins
need iptables iptables
need nft nftables
need ip iproute2
need conntrack conntrack
need dpkg-deb dpkg
need /etc/ssl/certs/ca-certificates.crt ca-certificates
if ((${#missing[@]})); then
	say "installing ${missing[*]}"
	log=${TMPDIR:-/tmp}/daskbot-apt.log
	(apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}") \
		>"$log" 2>&1 || { tail -n 20 "$log" >&2; die "these packages could not be installed"; }
	# Ours are separate processes; the machine's own must not run beside them.
	[[ " ${missing[*]} " != *" containerd "* ]] || systemctl disable --now containerd >/dev/null 2>&1 || true
fi

scripts/build.sh daskbot daskbot-sandbox daskbot-controlplane daskbot-node daskbot-dns
bin/daskbot-sandbox images build --images .daskbot/images

export DASKBOT_STATE=${DASKBOT_STATE:-$root/.daskbot/e2e}
export DASKBOT_ADDR=${DASKBOT_ADDR:-127.0.0.1:8480} SANDBOX_ADDR=${SANDBOX_ADDR:-127.0.0.1:8490}
mkdir -p "$DASKBOT_STATE"
# Each run starts from nothing, also after one that was killed: its leftovers go
# with the state they belong to.
bin/daskbot-sandbox leaks --state "$DASKBOT_STATE/sandbox" --remove >/dev/null 2>&1 || true
rm -rf "${DASKBOT_STATE:?}"/*

set -m
NODES=real DASKBOT_CONFIG=internal/e2e/real/testdata/daskbot.yaml scripts/run.sh >"$DASKBOT_STATE/run.log" 2>&1 &
runner=$!
set +m
stop() {
	kill -TERM "$runner" 2>/dev/null || return 0
	wait "$runner" 2>/dev/null || true
}
trap stop EXIT
for ((i = 0; ; i++)); do
	[[ -s $DASKBOT_STATE/admin.token ]] && fetch "$DASKBOT_ADDR" /readyz >/dev/null 2>&1 && break
	kill -0 "$runner" 2>/dev/null || { tail -n 30 "$DASKBOT_STATE/run.log" >&2; die "daskbot did not start"; }
	((i < 600)) || die "daskbot is not ready after two minutes; see $DASKBOT_STATE/run.log"
	sleep 0.2
done

say "playing the walkthroughs (logs: $DASKBOT_STATE)"
failed=''
DASKBOT=$root/bin/daskbot DASKBOT_URL=http://$DASKBOT_ADDR SANDBOX_URL=http://$SANDBOX_ADDR \
	go test -tags e2e -count=1 -v -timeout 40m "$@" ./internal/e2e/real || failed=yes

stop
trap - EXIT
say "looking for what was left on this machine"
bin/daskbot-sandbox leaks --state "$DASKBOT_STATE/sandbox" || failed=yes
[[ -z $failed ]] || die "make e2e: failed; logs are under $DASKBOT_STATE"
say "make e2e: both walkthroughs ran to their last line, and nothing was left"
