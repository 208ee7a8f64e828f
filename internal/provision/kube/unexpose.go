package kube

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/daskbot/daskbot/internal/environment"
)

// held is what in a cluster holds cloud resources that cost money.
type held struct {
	namespace *corev1.Namespace // nil when absent or not made for the plan
	balancers []corev1.Service
	claims    []corev1.PersistentVolumeClaim
	volumes   []corev1.PersistentVolume
}

// held reads it. On a cluster that is the environment's alone everything
// counts; elsewhere only what is in a namespace made for this environment, so
// that a plan with a wrong namespace can take nothing from anybody.
func (l *link) held(ctx context.Context, p environment.Plan) (held, error) {
	var h held
	ns, err := l.typed.CoreV1().Namespaces().Get(ctx, p.Namespace, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return h, err
	}
	whole := p.Dedicated && !p.Given
	switch {
	case err != nil: // absent; its volumes may still be there
	case isOurs(ns.Labels, p):
		h.namespace = ns
	case !whole:
		return h, nil
	}
	scope := p.Namespace
	if whole {
		scope = metav1.NamespaceAll
	}
	group, groupCtx := errgroup.WithContext(ctx)
	if whole || h.namespace != nil {
		group.Go(func() (err error) { h.balancers, err = l.balancers(groupCtx, scope); return err })
		group.Go(func() (err error) { h.claims, err = l.claims(groupCtx, scope); return err })
	}
	group.Go(func() (err error) { h.volumes, err = l.volumes(groupCtx, scope); return err })
	err = group.Wait()
	return h, err
}

func (l *link) balancers(ctx context.Context, namespace string) ([]corev1.Service, error) {
	list, err := l.typed.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(s corev1.Service) bool {
		return s.Spec.Type != corev1.ServiceTypeLoadBalancer
	}), nil
}

func (l *link) claims(ctx context.Context, namespace string) ([]corev1.PersistentVolumeClaim, error) {
	list, err := l.typed.CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// volumes lists those that claims of a namespace hold; "" is all volumes.
func (l *link) volumes(ctx context.Context, namespace string) ([]corev1.PersistentVolume, error) {
	list, err := l.typed.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(v corev1.PersistentVolume) bool {
		return namespace != metav1.NamespaceAll && (v.Spec.ClaimRef == nil || v.Spec.ClaimRef.Namespace != namespace)
	}), nil
}

// Unexpose asks for the deletion of LoadBalancer Services, of volume claims and
// of the environment's namespace, which stops the pods that hold the claims. It
// waits for nothing: Exposed counts what is left. Each delete names the UID that
// was read, so something newer of the same name survives.
func (c *Client) Unexpose(ctx context.Context, t environment.Target, p environment.Plan) error {
	l, err := c.link(t)
	if err != nil {
		return err
	}
	return translate("unexpose "+p.Namespace, l.unexpose(ctx, p))
}

func (l *link) unexpose(ctx context.Context, p environment.Plan) error {
	h, err := l.held(ctx, p)
	if err != nil {
		return err
	}
	for _, s := range h.balancers {
		if s.DeletionTimestamp != nil {
			continue
		}
		if err := gone(l.typed.CoreV1().Services(s.Namespace).Delete(ctx, s.Name, exactly(s.UID))); err != nil {
			return err
		}
	}
	for _, claim := range h.claims {
		if claim.DeletionTimestamp != nil {
			continue
		}
		if err := gone(l.typed.CoreV1().PersistentVolumeClaims(claim.Namespace).Delete(ctx, claim.Name, exactly(claim.UID))); err != nil {
			return err
		}
	}
	if h.namespace == nil || h.namespace.DeletionTimestamp != nil {
		return nil
	}
	return gone(l.typed.CoreV1().Namespaces().Delete(ctx, h.namespace.Name, exactly(h.namespace.UID)))
}

// exactly deletes only the object that was read.
func exactly(uid types.UID) metav1.DeleteOptions {
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}
}

// gone takes "already absent" and "replaced by another" for done.
func gone(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// Exposed counts what Unexpose waits for: Services and claims with their
// finalizers, volumes whose disk goes with them, and on a shared cluster the
// namespace. On a dedicated one a namespace that lingers costs nothing.
func (c *Client) Exposed(ctx context.Context, t environment.Target, p environment.Plan) (int, error) {
	l, err := c.link(t)
	if err != nil {
		return 0, err
	}
	h, err := l.held(ctx, p)
	if err != nil {
		return 0, translate("count exposed of "+p.Namespace, err)
	}
	n := len(h.balancers) + len(h.claims)
	for _, v := range h.volumes {
		if v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete {
			n++
		}
	}
	if h.namespace != nil && (!p.Dedicated || p.Given) {
		n++
	}
	return n, nil
}
