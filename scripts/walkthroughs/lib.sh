# shellcheck shell=bash
# What both walkthroughs share. It is sourced.
#
# They run against whatever gcloud, kubectl and helm are pointed at: in tests
# and benchmarks the sandbox, after `eval "$(bin/daskbot-sandbox env)"`.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$here/../../bin:$PATH # make helm puts it there
charts=${SANDBOX_CHARTS:-https://helm.dask.org/}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The person's own Helm repositories stay as they are.
export HELM_CONFIG_HOME=$work/helm/config HELM_CACHE_HOME=$work/helm/cache HELM_DATA_HOME=$work/helm/data
export USE_GKE_GCLOUD_AUTH_PLUGIN=True

say() { printf '\n# %s\n' "$*"; }
die() { printf '\n%s\n' "$*" >&2; exit 1; }

for tool in gcloud kubectl gke-gcloud-auth-plugin helm openssl curl; do
	command -v "$tool" >/dev/null || die "$tool is not installed (make helm builds helm)"
done

# type_ echoes a command as a person would type it, and runs it. The echo has
# a way out of its own, so that $(type_ …) holds what the command printed.
exec 3>&1
type_() {
	printf '\n$ %s\n' "$*" >&3
	"$@"
}

# refused is for a command that must fail, with the words that say why.
refused() {
	local words=$1 said
	shift
	printf '\n$ %s\n' "$*"
	if said=$("$@" 2>&1); then die "that was to be refused: $words"; fi
	printf '%s\n' "$said"
	[[ $said == *"$words"* ]] || die "it was refused for another reason than: $words"
}

# until_ok SECONDS COMMAND… is a person pressing arrow-up and enter.
until_ok() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < deadline)) || die "gave up waiting for: $*"
		sleep 0.5
	done
}

# address prints the address of a Service once it has one.
address() { kubectl --namespace="$1" get service "$2" -o 'jsonpath={.status.loadBalancer.ingress[0].ip}'; }

has_address() { [[ -n $(address "$1" "$2") ]]; }

# login URL FIELD=VALUE… fills in the form a browser would show and prints the
# status of the answer: 302 for who is let in.
login() {
	local url=$1 jar=$work/cookies field form=()
	shift
	rm -f "$jar"
	curl -sS --max-time 20 -c "$jar" -o "$work/form.html" "$url"
	for field in "$@"; do form+=(--data-urlencode "$field"); done
	local xsrf
	xsrf=$(sed -n 's/.*name="_xsrf"[^>]*value="\([^"]*\)".*/\1/p' "$work/form.html" | head -n 1)
	[[ -z $xsrf ]] || form+=(--data-urlencode "_xsrf=$xsrf")
	curl -sS --max-time 20 -b "$jar" -c "$jar" -o /dev/null -w '%{http_code}' "${form[@]}" "$url"
}

lets_in() { [[ $(login "$@") == 302 ]]; }

# ready_after says how long it took since the clock was started. The bench
# reads this line.
clock() { started=$(date +%s%N); }
ready_after() {
	local ms=$((($(date +%s%N) - started) / 1000000))
	printf '\nready after %d.%03d seconds\n' $((ms / 1000)) $((ms % 1000))
}

# delete_each COLLECTION FLAGS NAME… deletes one by one, as the console would.
delete_each() {
	local collection=$1 place=$2 name
	shift 2
	for name in "$@"; do
		# shellcheck disable=SC2086 # place is a flag and its value, or nothing
		type_ gcloud compute "$collection" delete "$name" $place --quiet
	done
}

# names_of COLLECTION [FLAG…] lists names, for the person and for $(…).
names_of() {
	local collection=$1 names
	shift
	names=$(type_ gcloud compute "$collection" list "$@" --format 'value(name)')
	printf '%s\n' "${names:-(none)}" >&3
	printf '%s\n' "$names"
}

# delete_leftovers removes what outlives a deleted cluster and still costs.
# Only Google knows which is whose: names say a…, k8s-…, pvc-…; it assumes that
# the project holds nothing else.
delete_leftovers() {
	local region=$1 zone=$2
	say "What is left, and costs?"
	# shellcheck disable=SC2046 # names have no blanks
	{
		delete_each forwarding-rules "--region $region" $(names_of forwarding-rules)
		delete_each target-pools "--region $region" $(names_of target-pools)
		delete_each addresses "--region $region" $(names_of addresses)
		delete_each firewall-rules "" $(names_of firewall-rules --filter 'name~^k8s-')
		delete_each http-health-checks "" $(names_of http-health-checks --filter 'name~^k8s-')
		delete_each disks "--zone $zone" $(names_of disks --filter 'name~^pvc-')
	}
}

# nothing_left asks the sandbox, which knows everything that would cost.
nothing_left() {
	local left
	[[ -n ${SANDBOX_URL:-} ]] || return 0
	say "And the sandbox's word for it:"
	left=$(type_ curl -fsS "$SANDBOX_URL/resources?project=$(gcloud config get-value project 2>/dev/null)")
	printf '%s\n' "$left"
	[[ $left == "[]" ]] || die "something is left that costs"
}
