#!/usr/bin/env bash
# Builds everything, starts the sandbox and the daemon in the foreground, says
# where they are, and stops both when it is told to stop.
source "$(dirname "$0")/lib.sh"

addr=${DASKBOT_ADDR:-127.0.0.1:8080}
sandbox_addr=${SANDBOX_ADDR:-127.0.0.1:8090}
mkdir -p "$state"
state=$(cd "$state" && pwd)

scripts/build.sh daskbot daskbot-sandbox daskbot-controlplane
if [[ ${NODES:-} == real ]]; then
	scripts/build.sh daskbot-node daskbot-dns
	bin/daskbot-sandbox images build --images .daskbot/images
fi

sandbox_pid='' daemon_pid='' stopping=''
# The daemon goes first: it still talks to the sandbox. Both are process groups
# of their own, so that Ctrl-C reaches this script alone and the order holds.
stop() {
	[[ -z $stopping ]] || return 0
	stopping=yes
	for pid in "$daemon_pid" "$sandbox_pid"; do
		[[ -n $pid ]] && kill -TERM "$pid" 2>/dev/null && { wait "$pid" 2>/dev/null || true; }
	done
	return 0
}
trap 'stop; exit 0' INT
trap 'stop; exit 0' TERM HUP
trap stop EXIT

set -m
bin/daskbot-sandbox serve --addr "$sandbox_addr" --state "$state/sandbox" --nodes "${NODES:-simulated}" \
	--slack-app "http://$addr" \
	>"$state/sandbox.log" 2>&1 &
sandbox_pid=$!
set +m

say "starting the sandbox on $sandbox_addr (log: $state/sandbox.log)"
for ((i = 0; ; i++)); do
	endpoints=$(fetch "$sandbox_addr" /endpoints 2>/dev/null) && break
	kill -0 "$sandbox_pid" 2>/dev/null || { tail -n 20 "$state/sandbox.log" >&2; die "the sandbox stopped"; }
	((i < 300)) || die "the sandbox does not answer after 60 seconds; see $state/sandbox.log"
	sleep 0.2
done

export DASKBOT_ADDR=$addr
export DASKBOT_ADMIN_TOKEN_FILE=$state/admin.token
export DASKBOT_STORE_URL=${DASKBOT_STORE_URL:-sqlite:$state/daskbot.db}
DASKBOT_GKE_ENDPOINT=$(field gke <<<"$endpoints")
DASKBOT_COMPUTE_ENDPOINT=$(field compute <<<"$endpoints")
DASKBOT_CHARTS=$(field charts <<<"$endpoints")
DASKBOT_SANDBOX_TOKEN=$(field token <<<"$endpoints")
DASKBOT_PROJECT=$(field project <<<"$endpoints")
SLACK_BOT_TOKEN=$(field botToken <<<"$endpoints")
SLACK_SIGNING_SECRET=$(field signingSecret <<<"$endpoints")
SLACK_API_URL=$(field api <<<"$endpoints")
export SLACK_BOT_TOKEN SLACK_SIGNING_SECRET SLACK_API_URL
export DASKBOT_GKE_ENDPOINT DASKBOT_COMPUTE_ENDPOINT DASKBOT_CHARTS DASKBOT_SANDBOX_TOKEN DASKBOT_PROJECT

set -m
bin/daskbot serve --config "${DASKBOT_CONFIG:-configs/sandbox.yaml}" &
daemon_pid=$!
set +m

for ((i = 0; ; i++)); do
	fetch "$addr" /healthz >/dev/null 2>&1 && break
	kill -0 "$daemon_pid" 2>/dev/null || { wait "$daemon_pid" || true; die "the daemon stopped; its reason stands above"; }
	((i < 300)) || die "the daemon does not answer on $addr after 60 seconds"
	sleep 0.2
done

prefix=''
[[ $addr == 127.0.0.1:8080 ]] || prefix="DASKBOT_URL=http://$addr "
[[ $state == "$root/.daskbot" ]] || prefix+="DASKBOT_STATE=$state "
cat <<TEXT

daskbot   http://$addr        (docs: http://$addr/docs)
sandbox   http://$sandbox_addr
slack     http://$sandbox_addr/slack/   (type /dask up as any of several people)
token     $state/admin.token

In a second terminal:
  ${prefix}bin/daskbot up --profile daskhub --owner s1 --wait

Ctrl-C stops both; what they hold stays under $state.

TEXT

# Whichever ends first takes the other with it.
wait -n "$daemon_pid" "$sandbox_pid" || code=$?
[[ -n $stopping ]] || say "one of the two stopped; stopping the other" >&2
exit "${code:-1}"
