package kube

import (
	"net"
	"net/url"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// address is the URL of a LoadBalancer Service's port, "" while the cloud has
// given none. Port 0 means the first one.
func address(list []corev1.Service, namespace, name string, port int) string {
	for _, s := range list {
		if name == "" || s.Namespace != namespace || s.Name != name {
			continue
		}
		if port == 0 && len(s.Spec.Ports) > 0 {
			port = int(s.Spec.Ports[0].Port)
		}
		return serviceURL(s, port)
	}
	return ""
}

func serviceURL(s corev1.Service, port int) string {
	balancer := balancerHost(s)
	if balancer == "" || s.DeletionTimestamp != nil {
		return ""
	}
	if given := s.Annotations[annotationURL+strconv.Itoa(port)]; given != "" && samePlace(given, balancer) {
		return given
	}
	switch port {
	case 443:
		return "https://" + bracket(balancer)
	case 80:
		return "http://" + bracket(balancer)
	default:
		return "http://" + net.JoinHostPort(balancer, strconv.Itoa(port))
	}
}

// samePlace accepts an annotated URL only on the load balancer's own host: the
// owner can write annotations, and daskbot sends credentials to this address.
func samePlace(given, balancer string) bool {
	u, err := url.Parse(given)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() == balancer && u.User == nil
}

func balancerHost(s corev1.Service) string {
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		return ""
	}
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		if ingress.IP != "" {
			return ingress.IP
		}
		if ingress.Hostname != "" {
			return ingress.Hostname
		}
	}
	return ""
}

func bracket(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return "[" + host + "]"
	}
	return host
}

// services lists those of the environment's own namespace.
func services(list []corev1.Service, p environment.Plan) []environment.SeenService {
	var out []environment.SeenService
	for _, s := range list {
		if s.Namespace != p.Namespace {
			continue
		}
		seen := environment.SeenService{Name: s.Name, Type: string(s.Spec.Type), Address: balancerHost(s)}
		for _, port := range s.Spec.Ports {
			seen.Ports = append(seen.Ports, int(port.Port))
		}
		out = append(out, seen)
	}
	slices.SortFunc(out, func(a, b environment.SeenService) int { return compare(a.Name, b.Name) })
	return out
}
