package kube

import (
	"maps"

	"github.com/daskbot/daskbot/internal/environment"
)

// Names and labels of what daskbot makes inside a cluster.
const (
	labelManagedBy = "app.kubernetes.io/managed-by"
	managedBy      = "daskbot"

	// annotationPrepared holds the hash of what Prepare wrote, written last.
	annotationPrepared = "daskbot.dev/prepared"
	// annotationURL and a port give the URL under which that port of a
	// LoadBalancer Service is really reached.
	annotationURL = "daskbot.dev/external-url-"
	// annotationRelease is how Helm marks its objects.
	annotationRelease = "meta.helm.sh/release-name"
	annotationDefault = "storageclass.kubernetes.io/is-default-class"

	labelBinding  = "daskbot.dev/binding"
	bindingGoogle = "google"

	ownerAccount    = "daskbot-owner"
	boundsName      = "daskbot"
	storageClass    = "daskbot"
	diskProvisioner = "pd.csi.storage.gke.io"
)

// ours are the labels of everything made for one environment.
func ours(p environment.Plan) map[string]string {
	labels := map[string]string{labelManagedBy: managedBy, environment.LabelEnvironment: p.Environment}
	if p.Installation != "" {
		labels[environment.LabelInstallation] = p.Installation
	}
	return labels
}

// namespaceLabels adds the Pod Security level on a shared cluster, where one
// tenant's pods are another tenant's neighbours.
func namespaceLabels(p environment.Plan) map[string]string {
	labels := ours(p)
	if level := p.Tenancy.PodSecurity; level != "" && !p.Dedicated {
		maps.Copy(labels, map[string]string{
			"pod-security.kubernetes.io/enforce": level,
			"pod-security.kubernetes.io/warn":    level,
		})
	}
	return labels
}

// sharedNamespaceLabels are for the namespace of a release that serves every
// tenant of a cluster, so they name none.
func sharedNamespaceLabels(p environment.Plan) map[string]string {
	labels := ours(p)
	delete(labels, environment.LabelEnvironment)
	return labels
}

// isOurs reports whether a namespace's labels say that it was made for the
// plan's environment. Nothing in any other namespace is ever deleted.
func isOurs(labels map[string]string, p environment.Plan) bool {
	return labels[labelManagedBy] == managedBy && labels[environment.LabelEnvironment] == p.Environment
}
