#!/usr/bin/env bash
# Prepares Google Cloud for daskbot. It prints the commands; --apply runs them.
# Each may be given again: what is there stays, and what differs is brought up
# to date. It deletes nothing. docs/INSTALL.md explains each step.
#
#   scripts/gcp-setup.sh --project my-class-2026 [--apply]
#       the bot's project: APIs, accounts, roles, a registry
#       --location europe-west1    region of the registry and the database
#       --namespace daskbot        where the chart is installed, for Workload Identity
#       --host-cluster daskbot     also make a small cluster for daskbot itself
#       --postgres daskbot         also make a Cloud SQL instance of that name
#
#   scripts/gcp-setup.sh --student-project alice-credits --bot DASKBOT_ACCOUNT [--apply]
#       a student's own project: APIs, roles, and that this daskbot may use it;
#       the student runs it, for instance in the Cloud Shell
#       --default-nodes            when the configuration has no gke.nodeServiceAccount
set -euo pipefail
cd "$(dirname "$0")/.."

project='' student='' bot='' location=europe-west1 namespace=daskbot host='' postgres='' apply='' nodes=nodes

usage() { sed -n '2,/^set /p' "$0" | sed '$d; s/^# \{0,1\}//'; }
die() { printf 'gcp-setup.sh: %s\n' "$*" >&2; exit 2; }

while (($#)); do
	case $1 in
	--project) project=${2:?} ;;
	--student-project) student=${2:?} ;;
	--bot) bot=${2:?} ;;
	--location) location=${2:?} ;;
	--namespace) namespace=${2:?} ;;
	--host-cluster) host=${2:?} ;;
	--postgres) postgres=${2:?} ;;
	--apply) apply=yes; shift; continue ;;
	--default-nodes) nodes=default_nodes; shift; continue ;;
	--dry-run) apply=''; shift; continue ;;
	-h | --help) usage; exit 0 ;;
	*) die "what is $1? See --help." ;;
	esac
	shift 2
done
[[ -n $project || -n $student ]] || { usage >&2; exit 2; }
[[ -z $project || -z $student ]] || die "--project or --student-project, not both: different people own them."
[[ -z $student || $bot == *@*.iam.gserviceaccount.com ]] || die "--student-project needs --bot, daskbot's account: ask whoever runs daskbot."
[[ $location =~ ^[a-z]+-[a-z]+[0-9]+$ ]] || die "--location is a region, such as europe-west1."

step() { printf '\n# %s\n' "$*"; }

# run prints a command and, with --apply, carries it out.
run() {
	printf '%s' "$1"
	printf ' %q' "${@:2}"
	printf '\n'
	[[ -z $apply ]] || "$@"
}

# there says whether something exists already; a dry run does not ask.
there() { [[ -n $apply ]] && "$@" >/dev/null 2>&1; }

# once LOOK... -- MAKE... makes what is not there.
once() {
	local look=()
	while [[ $1 != -- ]]; do look+=("$1"); shift; done
	shift
	if there "${look[@]}"; then
		printf '# is there: %s\n' "${look[*]}"
		return
	fi
	run "$@"
}

services() { run gcloud services enable "${@:2}" --project="$1"; }

# role PROJECT ID FILE makes a custom role, or brings it up to date.
role() {
	if there gcloud iam roles describe "$2" --project="$1"; then
		run gcloud iam roles update "$2" --project="$1" --file="$3" --quiet
		return
	fi
	run gcloud iam roles create "$2" --project="$1" --file="$3" --quiet
}

grant() { run gcloud projects add-iam-policy-binding "$1" --member="$2" --role="$3" --condition=None --format=none; }

# may_use PROJECT ACCOUNT is what daskbot needs in any project that pays.
may_use() {
	step "Two roles: daskbot's calls of Google's APIs, and what it does inside its clusters"
	role "$1" daskbotClusters configs/gcp/clusters-role.yaml
	role "$1" daskbotObjects configs/gcp/objects-role.yaml
	grant "$1" "serviceAccount:$2" "projects/$1/roles/daskbotClusters"
	grant "$1" "serviceAccount:$2" "projects/$1/roles/daskbotObjects"
}

# nodes PROJECT ACCOUNT: an account that students' nodes act as. It may write
# logs and metrics and pull images, which is all that nodes need, and daskbot
# may hand it out.
nodes() {
	step "What nodes act as: far less than the project's default account"
	once gcloud iam service-accounts describe "dask-nodes@$1.iam.gserviceaccount.com" --project="$1" -- \
		gcloud iam service-accounts create dask-nodes --project="$1" --display-name="Nodes of Dask environments"
	grant "$1" "serviceAccount:dask-nodes@$1.iam.gserviceaccount.com" roles/container.defaultNodeServiceAccount
	run gcloud iam service-accounts add-iam-policy-binding "dask-nodes@$1.iam.gserviceaccount.com" --project="$1" \
		--member="serviceAccount:$2" --role=roles/iam.serviceAccountUser --format=none
}

# default_nodes PROJECT ACCOUNT lets daskbot hand out the account that nodes
# have by default: configurations that name none use it.
default_nodes() {
	local number=PROJECT_NUMBER
	step "What nodes act as: the project's default account"
	printf '# PROJECT_NUMBER: gcloud projects describe %q --format=value\\(projectNumber\\)\n' "$1"
	[[ -z $apply ]] || number=$(gcloud projects describe "$1" --format='value(projectNumber)')
	run gcloud iam service-accounts add-iam-policy-binding "$number-compute@developer.gserviceaccount.com" --project="$1" \
		--member="serviceAccount:$2" --role=roles/iam.serviceAccountUser --format=none
}

student_project() {
	step "APIs: clusters, and the machines and disks under them"
	services "$student" container.googleapis.com compute.googleapis.com
	may_use "$student" "$bot"
	"$nodes" "$student" "$bot"
	step "Then tell daskbot: daskbot project link $student"
}

bot_project() {
	local account=daskbot@$project.iam.gserviceaccount.com
	step "APIs: clusters, machines, roles and accounts, images, list prices"
	services "$project" container.googleapis.com compute.googleapis.com iam.googleapis.com iamcredentials.googleapis.com \
		cloudresourcemanager.googleapis.com artifactregistry.googleapis.com cloudbilling.googleapis.com
	step "What daskbot acts as"
	once gcloud iam service-accounts describe "$account" --project="$project" -- \
		gcloud iam service-accounts create daskbot --project="$project" --display-name="daskbot"
	may_use "$project" "$account"
	nodes "$project" "$account"
	step "Where the image is"
	once gcloud artifacts repositories describe daskbot --location="$location" --project="$project" -- \
		gcloud artifacts repositories create daskbot --repository-format=docker --location="$location" --project="$project"
	grant "$project" "serviceAccount:dask-nodes@$project.iam.gserviceaccount.com" roles/artifactregistry.reader
	[[ -z $host ]] || host_cluster "$account"
	step "Workload Identity: the pod of the chart acts as daskbot, without a key"
	run gcloud iam service-accounts add-iam-policy-binding "$account" --project="$project" --format=none \
		--member="serviceAccount:$project.svc.id.goog[$namespace/daskbot]" --role=roles/iam.workloadIdentityUser
	[[ -z $postgres ]] || database
	step "For the chart's values"
	printf '#   image: {repository: %s-docker.pkg.dev/%s/daskbot/daskbot}\n' "$location" "$project"
	printf '#   serviceAccount: {googleServiceAccount: %s}\n' "$account"
	printf '#   config: {gke: {project: %s, serviceAccount: %s, nodeServiceAccount: dask-nodes@%s.iam.gserviceaccount.com}}\n' "$project" "$account" "$project"
}

# host_cluster makes a cluster of one small node for daskbot itself, which
# enforces network policies and has a pool of identities.
host_cluster() {
	step "A cluster for daskbot itself"
	once gcloud container clusters describe "$host" --location="$location-b" --project="$project" -- \
		gcloud container clusters create "$host" --location="$location-b" --project="$project" --num-nodes=1 --machine-type=e2-medium \
		--disk-size=30 --disk-type=pd-standard --release-channel=regular --enable-dataplane-v2 --enable-ip-alias \
		--service-account="dask-nodes@$project.iam.gserviceaccount.com" --workload-pool="$project.svc.id.goog" --gateway-api=standard
	run gcloud container clusters get-credentials "$host" --location="$location-b" --project="$project"
}

# peering RANGE lets Google's services use the range in the default network. A
# network has one connection with them, whose list of ranges is given as a whole:
# those that are there stay in it, since other databases live on them.
peering() {
	local at=(--service=servicenetworking.googleapis.com --network=default --project="$project") found='' service='' ranges=''
	if [[ -z $apply ]]; then
		printf '# Where the network has such a connection, --apply adds the range to those that it has, and takes none away.\n'
	else
		found=$(gcloud services vpc-peerings list "${at[@]}" --format='value[separator=" "](service,reservedPeeringRanges.list(separator=","))')
		read -r service ranges <<<"$found" || true
	fi
	if [[ -z $service ]]; then
		run gcloud services vpc-peerings connect "${at[@]}" --ranges="$1"
	elif [[ ,$ranges, == *,"$1",* ]]; then
		printf '# is there: the range %s in the connection with servicenetworking.googleapis.com\n' "$1"
	else
		run gcloud services vpc-peerings update "${at[@]}" --ranges="${ranges:+$ranges,}$1"
	fi
}

# database makes a small PostgreSQL with a private address in the default
# network. Its password is asked for, and is in no file and no argument.
database() {
	step "PostgreSQL: Cloud SQL with a private address"
	services "$project" sqladmin.googleapis.com servicenetworking.googleapis.com
	once gcloud compute addresses describe daskbot-services --global --project="$project" -- \
		gcloud compute addresses create daskbot-services --global --purpose=VPC_PEERING --prefix-length=20 --network=default --project="$project"
	peering daskbot-services
	once gcloud sql instances describe "$postgres" --project="$project" -- \
		gcloud sql instances create "$postgres" --project="$project" --database-version=POSTGRES_17 --edition=enterprise --tier=db-g1-small \
		--region="$location" --network="projects/$project/global/networks/default" --no-assign-ip --storage-auto-increase \
		--backup-start-time=03:00 --enable-point-in-time-recovery --deletion-protection --ssl-mode=ENCRYPTED_ONLY
	once gcloud sql databases describe daskbot --instance="$postgres" --project="$project" -- \
		gcloud sql databases create daskbot --instance="$postgres" --project="$project"
	printf '# Once, and it asks for the password:\n'
	printf '#   gcloud sql users create daskbot --instance=%q --project=%q --prompt-for-password\n' "$postgres" "$project"
}

[[ -n $apply ]] || printf '# Nothing is changed: these are the commands. --apply runs them.\n'
if [[ -n $student ]]; then student_project; else bot_project; fi
