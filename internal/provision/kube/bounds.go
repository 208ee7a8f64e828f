package kube

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// bounds are a tenant's quantities, parsed.
type bounds struct {
	hard corev1.ResourceList
}

// What a container that asks for nothing is taken to need. A quota on CPU or
// memory refuses such containers outright, and charts have some.
var modest = corev1.ResourceList{
	corev1.ResourceCPU:    resource.MustParse("50m"),
	corev1.ResourceMemory: resource.MustParse("128Mi"),
}

// boundsOf reads the profile's tenancy; CodeInvalid names the field at fault.
func boundsOf(p environment.Plan) (bounds, error) {
	b := bounds{hard: corev1.ResourceList{}}
	for _, bound := range []struct {
		field, text string
		name        corev1.ResourceName
	}{
		{"tenancy.cpu", p.Tenancy.CPU, corev1.ResourceRequestsCPU},
		{"tenancy.memory", p.Tenancy.Memory, corev1.ResourceRequestsMemory},
		{"tenancy.storage", p.Tenancy.Storage, corev1.ResourceRequestsStorage},
	} {
		if bound.text == "" {
			continue
		}
		quantity, err := resource.ParseQuantity(bound.text)
		if err != nil {
			return b, environment.Invalid(bound.field, "%q is not an amount that Kubernetes understands; write for example 4, 500m or 16Gi.", bound.text)
		}
		b.hard[bound.name] = quantity
	}
	if p.Tenancy.Pods > 0 {
		b.hard[corev1.ResourcePods] = *resource.NewQuantity(int64(p.Tenancy.Pods), resource.DecimalSI)
	}
	return b, nil
}

// applyBounds keeps one tenant of a shared cluster from taking it all and from
// reaching the others.
func (l *link) applyBounds(ctx context.Context, p environment.Plan, b bounds) error {
	if len(b.hard) > 0 {
		quota := corev1ac.ResourceQuota(boundsName, p.Namespace).WithLabels(ours(p)).
			WithSpec(corev1ac.ResourceQuotaSpec().WithHard(b.hard))
		if _, err := l.typed.CoreV1().ResourceQuotas(p.Namespace).Apply(ctx, quota, applyOptions); err != nil {
			return err
		}
		limits := corev1ac.LimitRange(boundsName, p.Namespace).WithLabels(ours(p)).
			WithSpec(corev1ac.LimitRangeSpec().WithLimits(corev1ac.LimitRangeItem().
				WithType(corev1.LimitTypeContainer).WithDefaultRequest(modest)))
		if _, err := l.typed.CoreV1().LimitRanges(p.Namespace).Apply(ctx, limits, applyOptions); err != nil {
			return err
		}
	}
	endpoints, err := l.apiServer(ctx)
	if err != nil {
		return err
	}
	for _, policy := range networkPolicies(p, endpoints) {
		if _, err := l.typed.NetworkingV1().NetworkPolicies(p.Namespace).Apply(ctx, policy, applyOptions); err != nil {
			return err
		}
	}
	return nil
}

// endpoint is an address that pods may talk to besides the Internet.
type endpoint struct {
	address string
	port    int32
}

// apiServer finds where pods reach the API server. Network policies look at
// the address behind the Service, so both are listed.
func (l *link) apiServer(ctx context.Context) ([]endpoint, error) {
	service, err := l.typed.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	if apierrors.IsNotFound(err) { // the API server makes it, a moment after it is ready
		return nil, environment.Errorf(environment.CodeUnavailable, "The cluster is not set up yet: its API server has no Service.")
	}
	if err != nil {
		return nil, err
	}
	var found []endpoint
	for _, ip := range service.Spec.ClusterIPs {
		for _, port := range service.Spec.Ports {
			found = append(found, endpoint{ip, port.Port})
		}
	}
	slices, err := l.typed.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=kubernetes"})
	if err != nil {
		return nil, err
	}
	for _, slice := range slices.Items {
		for _, e := range slice.Endpoints {
			for _, ip := range e.Addresses {
				for _, port := range slice.Ports {
					if port.Port != nil {
						found = append(found, endpoint{ip, *port.Port})
					}
				}
			}
		}
	}
	return found, nil
}
