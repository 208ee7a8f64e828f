#!/usr/bin/env bash
# Both walkthroughs on real pods: installs what nodes need, builds programs and
# images, starts the sandbox and the daemon on ports and state of their own,
# plays, stops, and looks for anything that was left on the machine.
#   scripts/e2e.sh --check      only says whether this machine can do it
#   scripts/e2e.sh --nodes      has nodes by themselves killed and doubled, and nothing else
#   scripts/e2e.sh --killed     kills everything once something is ready, then plays
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
elif for tool in iptables iptables-legacy; do "$tool" -S FORWARD 2>/dev/null || true; done | grep -qx -- '-P FORWARD DROP'; then
	reason="this machine drops what it would pass on from one node to another, as Docker has it: iptables -P FORWARD ACCEPT allows that"
fi
[[ -z $reason ]] || die "make e2e: not here: $reason"
[[ ${1:-} != --check ]] || exit 0
nodes=''
if [[ ${1:-} == --nodes ]]; then
	nodes=yes
	shift
fi
killed=''
if [[ ${1:-} == --killed ]]; then
	killed=yes
	shift
fi

# stage says how long the part that ends here took.
times=() since=0
stage() {
	times+=("$1 $((SECONDS - since)) s")
	say "${times[-1]}"
	since=$SECONDS
}

export DASKBOT_STATE=${DASKBOT_STATE:-$root/.daskbot/e2e}
export DASKBOT_ADDR=${DASKBOT_ADDR:-127.0.0.1:8480} SANDBOX_ADDR=${SANDBOX_ADDR:-127.0.0.1:8490}
mkdir -p "$DASKBOT_STATE"
# What an earlier run has left ends first, if that run was killed and they were
# not: they hold the addresses, and the state that is removed below.
ours=$DASKBOT_STATE/e2e.pids theirs=$DASKBOT_STATE/run.pids
if pid=$(alive "$ours" e2e) && [[ $pid != "$$" ]]; then
	die "make e2e runs already, as process $pid: wait for it, or end it with kill $pid"
fi
end "$ours" play -
for what in run daskbot sandbox; do end "$theirs" "$what"; done
: >"$ours"
remember "$ours" e2e $$

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

stage "preparing the machine:"
scripts/build.sh daskbot daskbot-sandbox daskbot-controlplane daskbot-node daskbot-dns
stage "building the programs:"
bin/daskbot-sandbox images build --images .daskbot/images
stage "building the images:"

# Each run starts from nothing, also after one that was killed: its leftovers go
# with the state they belong to. What was killed a moment ago may take another.
for ((i = 0; ; i++)); do
	left=$(bin/daskbot-sandbox leaks --state "$DASKBOT_STATE/sandbox" --remove 2>&1) && break
	((i < 20)) || die "what an earlier run has left cannot be removed: $left"
	sleep 0.5
done
find "$DASKBOT_STATE" -mindepth 1 -maxdepth 1 ! -name e2e.pids -exec rm -rf {} +

# What only the nodes themselves can show, without a daskbot: a second node, a
# second cluster, a sandbox that is killed.
if [[ -n $nodes ]]; then
	log=$DASKBOT_STATE/nodes.log
	(cd sandbox && go test -tags e2e -count=1 -v -run '^TestRealNodes$' -timeout 20m ./internal/kubernetes) 2>&1 | tee "$log" || die "nodes by themselves: failed"
	grep -q '^--- PASS: TestRealNodes' "$log" || die "nodes by themselves: were not run"
	stage "nodes by themselves:"
	exit 0
fi

player='' runner=''
# The players go first, as a group: nobody waits for them any more.
stop() {
	[[ -z $player ]] || kill -TERM -- "-$player" 2>/dev/null || true
	[[ -z $runner ]] || { kill -TERM "$runner" 2>/dev/null && wait "$runner" 2>/dev/null; } || true
	player='' runner=''
}
trap stop EXIT

set -m
NODES=real DASKBOT_CONFIG=internal/e2e/real/testdata/daskbot.yaml scripts/run.sh >"$DASKBOT_STATE/run.log" 2>&1 &
runner=$!
set +m
for ((i = 0; ; i++)); do
	[[ -s $DASKBOT_STATE/admin.token ]] && fetch "$DASKBOT_ADDR" /readyz >/dev/null 2>&1 && break
	kill -0 "$runner" 2>/dev/null || { tail -n 30 "$DASKBOT_STATE/run.log" >&2; die "daskbot did not start"; }
	((i < 600)) || die "daskbot is not ready after two minutes; see $DASKBOT_STATE/run.log"
	sleep 0.2
done

# Side by side the stories take less time and more memory.
side=2
(($(awk '/MemAvailable/ {print int($2 / 1024)}' /proc/meminfo) < 12000)) || side=3

say "playing the walkthroughs (logs: $DASKBOT_STATE)"
failed='' log=$DASKBOT_STATE/play.log
: >"$log"
set -m
(DASKBOT=$root/bin/daskbot DASKBOT_URL=http://$DASKBOT_ADDR SANDBOX_URL=http://$SANDBOX_ADDR SANDBOX=$root/bin/daskbot-sandbox \
	go test -tags e2e -count=1 -v -parallel "$side" -timeout 40m "$@" ./internal/e2e/real 2>&1 | tee "$log") &
player=$!
set +m
remember "$ours" play "$player"

if [[ -n $killed ]]; then
	until grep -q ' is ready at ' "$log"; do
		kill -0 "$player" 2>/dev/null || die "the players ended before anything was ready"
		sleep 0.2
	done
	say "killing everything"
	kill -KILL -- "-$player"
	for what in run daskbot sandbox; do
		pid=$(alive "$theirs" "$what") && kill -KILL "$pid"
	done
	stage "until everything was killed:"
	exec scripts/e2e.sh "$@"
fi
wait "$player" || failed=yes
player=''
stage "playing the walkthroughs:"

stop
trap - EXIT
say "looking for what was left on this machine"
bin/daskbot-sandbox leaks --state "$DASKBOT_STATE/sandbox" || failed=yes
stage "stopping, and looking for what was left:"

printf '  %s\n' "${times[@]}" "in all: $SECONDS s"
[[ -z $failed ]] || die "make e2e: failed; logs are under $DASKBOT_STATE"
rm -rf "$DASKBOT_STATE/sandbox" # gigabytes of nodes; the logs of daskbot stay
say "make e2e: both walkthroughs ran to their last line, and nothing was left"
