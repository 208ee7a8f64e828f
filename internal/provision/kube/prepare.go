package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// applyOptions: daskbot's word wins over what a person changed by hand in the
// fields that daskbot sets, and leaves every other field alone.
var applyOptions = metav1.ApplyOptions{FieldManager: fieldManager, Force: true}

// Prepare makes what releases need: on clusters daskbot made, a default
// StorageClass whose disks carry our labels; the namespaces; the owner's
// service account and, when asked for, the binding of the owner's Google
// account; on a shared cluster the tenant's bounds. It is idempotent, and the
// mark that Observe reads as Prepared is written last.
//
// Errors: CodeForbidden when the namespace belongs to somebody else (it is left
// alone; give the environment another one), CodeInvalid for bounds that are no
// quantities, CodeUnavailable while an earlier namespace of the same name is
// still going away (look again).
func (c *Client) Prepare(ctx context.Context, t environment.Target, p environment.Plan) error {
	l, err := c.link(t)
	if err != nil {
		return err
	}
	bounds, err := boundsOf(p)
	if err != nil {
		return err
	}
	return translate("prepare "+p.Namespace, l.prepare(ctx, p, bounds))
}

func (l *link) prepare(ctx context.Context, p environment.Plan, b bounds) error {
	if err := l.claimNamespace(ctx, p); err != nil {
		return err
	}
	if !p.Given {
		if err := l.applyStorageClass(ctx, p); err != nil {
			return err
		}
	}
	if err := l.applyReleaseNamespaces(ctx, p); err != nil {
		return err
	}
	if err := l.applyPermissions(ctx, p); err != nil {
		return err
	}
	if !p.Dedicated {
		if err := l.applyBounds(ctx, p, b); err != nil {
			return err
		}
	}
	return l.applyNamespace(ctx, p.Namespace, namespaceLabels(p), map[string]string{annotationPrepared: fingerprint(p)})
}

// claimNamespace makes the namespace, or adopts our own, without the mark.
func (l *link) claimNamespace(ctx context.Context, p environment.Plan) error {
	ns, err := l.typed.CoreV1().Namespaces().Get(ctx, p.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return l.applyNamespace(ctx, p.Namespace, namespaceLabels(p), nil)
	case err != nil:
		return err
	case ns.Status.Phase == corev1.NamespaceTerminating:
		return environment.Errorf(environment.CodeUnavailable, sayTerminating)
	case !isOurs(ns.Labels, p) && !(p.Dedicated && !p.Given && ns.Labels[labelManagedBy] == ""):
		return environment.Errorf(environment.CodeForbidden,
			"The namespace %s exists already and was not made for this environment; daskbot leaves it alone.", p.Namespace)
	}
	return nil
}

func (l *link) applyNamespace(ctx context.Context, name string, labels, annotations map[string]string) error {
	ns := corev1ac.Namespace(name).WithLabels(labels)
	if annotations != nil {
		ns.WithAnnotations(annotations)
	}
	_, err := l.typed.CoreV1().Namespaces().Apply(ctx, ns, applyOptions)
	return err
}

// applyReleaseNamespaces makes the namespaces of releases that live outside
// the environment's own. One that exists without our label is used as it is.
func (l *link) applyReleaseNamespaces(ctx context.Context, p environment.Plan) error {
	for _, name := range otherNamespaces(p) {
		ns, err := l.typed.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		if err == nil && ns.Labels[labelManagedBy] != managedBy {
			continue
		}
		if err := l.applyNamespace(ctx, name, sharedNamespaceLabels(p), nil); err != nil {
			return err
		}
	}
	return nil
}

// otherNamespaces lists where the plan's releases go besides its namespace.
func otherNamespaces(p environment.Plan) []string {
	var names []string
	seen := map[string]bool{"": true, p.Namespace: true}
	for _, r := range p.Releases {
		if !seen[r.Namespace] {
			seen[r.Namespace] = true
			names = append(names, r.Namespace)
		}
	}
	return names
}

// fingerprint is equal for plans that Prepare treats alike, so that Observe
// can tell with one read whether everything is as planned.
func fingerprint(p environment.Plan) string {
	text, _ := json.Marshal([]any{ // strings, booleans and numbers only: cannot fail
		p.Environment, p.Installation, p.ClusterName, p.Namespace, p.Dedicated, p.Given,
		p.Tenancy, p.Access.Kind, p.Access.DashboardService, googleBinding(p), p.Google, otherNamespaces(p),
	})
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
