#!/usr/bin/env bash
# The second walkthrough, "Deploying Dask on Google Kubernetes Engine", as a
# person types it today. docs/WALKTHROUGHS.md says what changed since it was
# written, and what daskbot does instead.
#
#   eval "$(bin/daskbot-sandbox env)" && scripts/walkthroughs/dask.sh
source "$(dirname "$0")/lib.sh"

zone=${ZONE:-us-central1-a}
cluster=${CLUSTER:-dask}

clock
say "Creating a Kubernetes cluster of five small nodes"
type_ gcloud container clusters create "$cluster" --zone "$zone" --machine-type n1-standard-1 --num-nodes 5
type_ kubectl get node

say "Helm alone: Tiller, its account and helm init are gone since Helm 3, and so is the stable repository."
type_ helm version
type_ helm repo add dask "$charts"
type_ helm repo update

say "Installing Dask. Load balancers must be asked for; the password \"dask\" is no longer read unless Jupyter is told where."
cd "$work"
cat >values.yaml <<'YAML'
scheduler: {serviceType: LoadBalancer}
worker:
  replicas: 3
  resources:
    limits: {cpu: 1, memory: 1.5G}
    requests: {cpu: 500m, memory: 1.5G}
jupyter:
  enabled: true
  serviceType: LoadBalancer
  env:
    - {name: JUPYTERLAB_ARGS, value: "--config /usr/local/etc/jupyter/jupyter_notebook_config.py"}
YAML
type_ helm upgrade --wait --install --timeout 15m --namespace dask --create-namespace dask dask/dask --values values.yaml
type_ kubectl -n dask get deployments
type_ kubectl -n dask get pods
for name in jupyter scheduler worker; do
	kubectl -n dask get deployment "dask-$name" -o name >/dev/null || die "there is no Deployment dask-$name"
done

say "Using Jupyter Lab: the external IPs"
until_ok 300 has_address dask dask-jupyter
until_ok 300 has_address dask dask-scheduler
type_ kubectl -n dask get services
jupyter=http://$(address dask dask-jupyter)
until_ok 300 lets_in "$jupyter/login" password=dask
dashboard_answers() { curl -fsS --max-time 10 -o /dev/null "http://$(address dask dask-scheduler)/health"; }
until_ok 300 dashboard_answers
ready_after

say "Custom packages, the same on both sides"
cat >config.yaml <<'YAML'
worker:
  env:
    - name: EXTRA_PIP_PACKAGES
      value: dask-ml tensorflow keras --upgrade

# We want to keep the same packages on the worker and jupyter environments
jupyter:
  enabled: true
  env:
    - name: EXTRA_PIP_PACKAGES
      value: dask-ml tensorflow keras --upgrade
    # A list replaces the list before it, so the way to the password is said again.
    - {name: JUPYTERLAB_ARGS, value: "--config /usr/local/etc/jupyter/jupyter_notebook_config.py"}
YAML
type_ helm upgrade --wait --timeout 15m --namespace dask dask dask/dask --values values.yaml --values config.yaml
packages() { kubectl -n dask get deployment "dask-$1" -o 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="EXTRA_PIP_PACKAGES")].value}'; }
for side in worker jupyter; do
	[[ $(packages "$side") == "dask-ml tensorflow keras --upgrade" ]] || die "$side did not get the packages: $(packages "$side")"
done
type_ kubectl -n dask get pods
until_ok 300 lets_in "$jupyter/login" password=dask

say "Cleaning up: the release, then the cluster"
type_ helm uninstall --wait --timeout 10m --namespace dask dask
services_gone() { [[ -z $(kubectl -n dask get services -o name) ]]; }
until_ok 600 services_gone
type_ gcloud container clusters delete "$cluster" --zone "$zone" --quiet
delete_leftovers "${zone%-*}" "$zone"
nothing_left
