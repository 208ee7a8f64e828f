package registry

import "strings"

// name is one image name that charts use.
type name struct {
	host, repository string
	image            string // the built image that answers
}

// names is the mirror table.
var names = []name{
	{"quay.io", "jupyterhub/k8s-hub", "hub"},
	{"quay.io", "jupyterhub/configurable-http-proxy", "proxy"},
	{"quay.io", "jupyterhub/k8s-network-tools", "network-tools"},
	{"quay.io", "jupyterhub/k8s-image-awaiter", "image-awaiter"},
	{"quay.io", "jupyterhub/k8s-singleuser-sample", "notebook"},
	{"docker.io", "jupyterhub/k8s-hub", "hub"},
	{"docker.io", "jupyterhub/configurable-http-proxy", "proxy"},
	{"docker.io", "jupyterhub/k8s-network-tools", "network-tools"},
	{"docker.io", "jupyterhub/k8s-image-awaiter", "image-awaiter"},
	{"docker.io", "jupyterhub/k8s-singleuser-sample", "notebook"},
	{"docker.io", "pangeo/base-notebook", "notebook"},
	{"docker.io", "pangeo/pangeo-notebook", "notebook"},
	{"docker.io", "pangeo/ml-notebook", "notebook"},
	{"quay.io", "pangeo/base-notebook", "notebook"},
	{"quay.io", "pangeo/pangeo-notebook", "notebook"},
	{"ghcr.io", "dask/dask", "dask"},
	{"ghcr.io", "dask/dask-notebook", "dask-notebook"},
	{"ghcr.io", "dask/dask-kubernetes-operator", "operator"},
	{"docker.io", "daskdev/dask", "dask"},
	{"docker.io", "daskdev/dask-notebook", "dask-notebook"},
	{"registry.k8s.io", "kube-scheduler", "scheduler"},
	{"registry.k8s.io", "pause", "pause"},
}

// Names are the names each image answers to. Any tag will do.
func Names() map[string][]string {
	all := map[string][]string{}
	for _, n := range names {
		full := n.host + "/" + n.repository
		if n.host == "docker.io" {
			full = n.repository
		}
		all[n.image] = append(all[n.image], full)
	}
	return all
}

// find says which image answers for a repository. A mirror is told the host
// that was asked for; other clients say none, and then any host fits.
func find(host, repository string) (image string, ok bool) {
	if host == "registry-1.docker.io" {
		host = "docker.io"
	}
	for _, n := range names {
		if strings.EqualFold(n.repository, repository) && (host == "" || host == n.host) {
			return n.image, true
		}
	}
	return "", false
}
