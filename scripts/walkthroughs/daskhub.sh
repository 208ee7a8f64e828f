#!/usr/bin/env bash
# The first walkthrough, "Deploying a Dask Hub", as a person types it today.
# docs/WALKTHROUGHS.md says what changed since it was written, and what daskbot
# does instead.
#
#   eval "$(bin/daskbot-sandbox env)" && scripts/walkthroughs/daskhub.sh
source "$(dirname "$0")/lib.sh"

zone=${ZONE:-europe-west1-b}
cluster=${CLUSTER:-dask-hub-k8s}
email=${EMAIL:-student@example.com}
create=(gcloud container clusters create --machine-type n1-standard-4 --enable-autoscaling
	--min-nodes 1 --max-nodes 10 --num-nodes 1 --zone "$zone")

say "As written: the version it pins has not been offered for years."
refused 'No valid versions with the prefix "1.23"' "${create[@]}" --cluster-version 1.23 "$cluster"

clock
say "Creating a Kubernetes cluster: whatever version the regular channel has."
type_ "${create[@]}" "$cluster"
type_ gcloud container clusters list
type_ kubectl get node
type_ kubectl create clusterrolebinding cluster-admin-binding --clusterrole=cluster-admin --user="$email"

say "Setting up Helm"
type_ helm list
type_ helm repo add dask "$charts"
type_ helm repo update

say "The token, and a password: the chart's default lets in anybody under any name."
cd "$work"
printf '\n$ openssl rand -hex 32 > token1.txt\n'
openssl rand -hex 32 >token1.txt
password=$(openssl rand -hex 12)
cat >daskhub-config.yaml <<YAML
jupyterhub:
  proxy:
    secretToken: "$(<token1.txt)"
  hub:
    config:
      JupyterHub: {authenticator_class: dummy}
      DummyAuthenticator: {password: "$password"}
  scheduling:
    podPriority: {enabled: true}
    userPlaceholder: {replicas: 1}
    userScheduler: {enabled: true}
  singleuser:
    serviceAccountName: daskkubernetes
    image: {name: pangeo/base-notebook, tag: "2025.11.13"}
dask-gateway:
  enabled: false # does nothing, so:
  gateway: {replicas: 0}
  controller: {enabled: false}
  traefik: {replicas: 0}
dask-kubernetes:
  enabled: true
YAML

say "Installing the hub. Its images take longer than Helm's five minutes."
type_ helm upgrade --wait --install --render-subchart-notes --timeout 20m \
	--namespace daskhub --create-namespace dhub dask/daskhub --values=daskhub-config.yaml
type_ helm list -n daskhub
until_ok 300 has_address daskhub proxy-public
type_ kubectl --namespace=daskhub get service proxy-public

say "Going to Jupyter: log in at the external IP."
hub=http://$(address daskhub proxy-public)
until_ok 300 lets_in "$hub/hub/login" username=student password="$password"
ready_after
say "Nobody gets in without the password."
! lets_in "$hub/hub/login" username=student password=guess || die "a wrong password let somebody in"
[[ $(kubectl -n daskhub get pods -l app.kubernetes.io/name=dask-gateway -o name) == "" ]] || die "there are gateway pods"

say "Scaling: what cluster.scale(20) in the notebook does is make twenty pods."
worker() {
	cat <<YAML
---
apiVersion: v1
kind: Pod
metadata: {name: dask-worker-$1, namespace: daskhub, labels: {foo: bar, dask.org/component: worker}}
spec:
  restartPolicy: Never
  containers:
    - name: dask
      image: pangeo/base-notebook:2025.11.13
      args: [dask, worker, --nthreads, "2", --no-dashboard, --memory-limit, 6GB, --death-timeout, "60"]
      env: [{name: EXTRA_PIP_PACKAGES, value: xgboost}]
      resources:
        limits: {cpu: "2", memory: 6G}
        requests: {cpu: "1.7", memory: 6G}
YAML
}
for n in {1..20}; do worker "$n"; done >workers.yaml
type_ kubectl --as=system:serviceaccount:daskhub:daskkubernetes create -f workers.yaml
nodes() { kubectl get node -o name | wc -l; }
grown() { (($(nodes) == 10)); }
running() { kubectl -n daskhub get pods -l foo=bar --field-selector=status.phase=Running -o name | wc -l; }
settled() {
	local now last=$seen
	now=$(running)
	seen=$now
	((now >= 15 && now == last))
}
until_ok 900 grown
seen=0
until_ok 900 settled
type_ kubectl get node
type_ kubectl -n daskhub get pods -l foo=bar
say "$(running) of 20 workers run: two fit on a node, and ten nodes are the ceiling."
type_ kubectl -n daskhub delete pods -l foo=bar --wait=false

say "Deleting the cluster"
type_ gcloud container clusters list
type_ gcloud container clusters delete "$cluster" --zone "$zone" --quiet
delete_leftovers "${zone%-*}" "$zone"
nothing_left
