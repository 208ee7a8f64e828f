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

# An answer of somebody else's would be taken for ours.
for other in "$addr" "$sandbox_addr"; do
	taken "$other" || continue
	left=$(for what in run daskbot sandbox; do alive "$state/run.pids" "$what" || true; done | tr '\n' ' ')
	[[ -z $left ]] || die "an earlier run still holds $other: kill ${left% } ends it"
	die "something listens on $other already: stop it, or set DASKBOT_ADDR and SANDBOX_ADDR to other addresses"
done
: >"$state/run.pids"
remember "$state/run.pids" run $$

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
: >"$state/sandbox.log"
bin/daskbot-sandbox serve --addr "$sandbox_addr" --state "$state/sandbox" --nodes "${NODES:-simulated}" \
	--slack-app "http://$addr" --lms-tool "http://$addr" \
	>>"$state/sandbox.log" 2>&1 &
sandbox_pid=$!
set +m
remember "$state/run.pids" sandbox "$sandbox_pid"

say "starting the sandbox on $sandbox_addr (log: $state/sandbox.log)"
for ((i = 0; ; i++)); do
	# Its own word that it listens comes first: then the answer is its own too.
	grep -q '^ready ' "$state/sandbox.log" && endpoints=$(fetch "$sandbox_addr" /endpoints 2>/dev/null) && break
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
SLACK_CLIENT_ID=$(field clientId <<<"${endpoints#*\"signingSecret\":}")
SLACK_CLIENT_SECRET=$(field clientSecret <<<"${endpoints#*\"signingSecret\":}")
export SLACK_BOT_TOKEN SLACK_SIGNING_SECRET SLACK_API_URL SLACK_CLIENT_ID SLACK_CLIENT_SECRET
# Tokens of other workspaces are kept encrypted.
[[ -s $state/store.key ]] || (umask 077 && od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$state/store.key")
DASKBOT_STORE_KEY=${DASKBOT_STORE_KEY:-$(<"$state/store.key")}
export DASKBOT_STORE_KEY
campus=${endpoints#*\"lms\":}
LMS_URL=$(field url <<<"$campus")
LMS_ISSUER=$(field issuer <<<"$campus")
LMS_CLIENT_ID=$(field clientId <<<"$campus")
LMS_DEPLOYMENT=$(field deployment <<<"$campus")
LMS_AUTH_URL=$(field authUrl <<<"$campus")
LMS_TOKEN_URL=$(field tokenUrl <<<"$campus")
LMS_JWKS_URL=$(field jwksUrl <<<"$campus")
LMS_EVENTS_JWKS_URL=$(field eventsJwksUrl <<<"$campus")
LMS_HOOK_SECRET=$(field secret <<<"$campus")
LMS_BEARER_TOKEN=$(field bearer <<<"$campus")
LMS_MOODLE_TOKEN=$(field moodleToken <<<"$campus")
LMS_INBOX=$(field inbox <<<"$campus")
export LMS_ISSUER LMS_CLIENT_ID LMS_DEPLOYMENT LMS_AUTH_URL LMS_TOKEN_URL LMS_JWKS_URL LMS_EVENTS_JWKS_URL LMS_HOOK_SECRET LMS_BEARER_TOKEN LMS_MOODLE_TOKEN
export DASKBOT_GKE_ENDPOINT DASKBOT_COMPUTE_ENDPOINT DASKBOT_CHARTS DASKBOT_SANDBOX_TOKEN DASKBOT_PROJECT

set -m
bin/daskbot serve --config "${DASKBOT_CONFIG:-configs/sandbox.yaml}" &
daemon_pid=$!
set +m
remember "$state/run.pids" daskbot "$daemon_pid"

for ((i = 0; ; i++)); do
	fetch "$addr" /healthz >/dev/null 2>&1 && kill -0 "$daemon_pid" 2>/dev/null && break
	kill -0 "$daemon_pid" 2>/dev/null || { wait "$daemon_pid" || true; die "the daemon stopped; its reason stands above"; }
	((i < 300)) || die "the daemon does not answer on $addr after 60 seconds"
	sleep 0.2
done

# The emulated LMS has a course; here it is made once, and then it is yours.
# What daskbot tells of it comes back to the LMS, which knows the secret.
client() { DASKBOT_URL=http://$addr DASKBOT_STATE=$state bin/daskbot "$@"; }
if ! client course status dask-101 >/dev/null 2>&1; then
	course=$(<configs/course.sandbox.yaml)
	client course apply --yes - <<<"${course//http:\/\/localhost:8090\/lms\/inbox\/10000000000001/$LMS_INBOX}" >/dev/null 2>&1 ||
		say "the LMS's course could not be made; bin/daskbot course apply configs/course.sandbox.yaml says why" >&2
fi
secret=$(client course notifications dask-101 -o json 2>/dev/null | field secret) || secret=''
[[ -z $secret ]] || put "$sandbox_addr" "/lms/received/$LMS_CLIENT_ID" "{\"secret\": \"$secret\"}" || say "the LMS does not take the secret of its course's notifications" >&2

prefix=''
[[ $addr == 127.0.0.1:8080 ]] || prefix="DASKBOT_URL=http://$addr "
[[ $state == "$root/.daskbot" ]] || prefix+="DASKBOT_STATE=$state "
cat <<TEXT

daskbot   http://$addr        (docs: http://$addr/docs)
sandbox   http://$sandbox_addr
slack     http://$sandbox_addr/slack/   (type /dask up as any of several people)
lms       $LMS_URL   (open a hub from a course page; edit the roster as its teacher)
token     $state/admin.token

In a second terminal:
  ${prefix}bin/daskbot up --profile daskhub --owner s1 --wait

Ctrl-C stops both; what they hold stays under $state.

TEXT

# Whichever ends first takes the other with it.
wait -n "$daemon_pid" "$sandbox_pid" || code=$?
[[ -n $stopping ]] || say "one of the two stopped; stopping the other" >&2
exit "${code:-1}"
