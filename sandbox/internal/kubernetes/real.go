package kubernetes

import (
	"context"
	"fmt"
	"net"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/loadbalancer"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/nodepool"
	"github.com/daskbot/daskbot/sandbox/internal/kubernetes/volume"
)

// behindNodes is what the node pools boot; nil when nodes are simulated. A nil
// pointer in the interface would not be nil.
func (c *cluster) behindNodes() nodepool.Machines {
	if c.machines == nil {
		return nil
	}
	return c.machines
}

// dialPods is how load balancers reach a Service's pods; nil when there is
// nothing in the pods to reach.
func (c *cluster) dialPods(shared informers.SharedInformerFactory) loadbalancer.Dial {
	if c.machines == nil {
		return nil
	}
	return loadbalancer.Endpoints(shared.Discovery().V1().EndpointSlices())
}

// populateReal makes what only a cluster with real nodes needs: the disk driver
// and the name of the DNS, which runs beside the API server.
func (c *cluster) populateReal(ctx context.Context, client kubernetes.Interface) error {
	_, driver := client.StorageV1().CSIDrivers().Create(ctx, &storagev1.CSIDriver{
		ObjectMeta: metav1.ObjectMeta{Name: volume.Driver},
		// A disk is a directory of the host: every node can mount it as it is.
		Spec: storagev1.CSIDriverSpec{AttachRequired: ptr.To(false), PodInfoOnMount: ptr.To(false)},
	}, metav1.CreateOptions{})
	slices := client.DiscoveryV1().EndpointSlices(metav1.NamespaceSystem)
	_, endpoints := slices.Create(ctx, dnsEndpoints(net.ParseIP(c.machines.Gateway())), metav1.CreateOptions{})
	for _, err := range []error{driver, createDNS(ctx, client), endpoints} {
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("prepare for real nodes: %w", err)
		}
	}
	return nil
}

const dnsName = "kube-dns"

// createDNS makes the DNS service unless it is there. Making it again would
// fail on its address, which is taken, before it fails on its name.
func createDNS(ctx context.Context, client kubernetes.Interface) error {
	services := client.CoreV1().Services(metav1.NamespaceSystem)
	_, err := services.Get(ctx, dnsName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = services.Create(ctx, dnsService(), metav1.CreateOptions{})
	}
	return err
}

func dnsService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: dnsName, Labels: map[string]string{"k8s-app": dnsName}},
		Spec: corev1.ServiceSpec{ClusterIP: serviceDNS, Ports: []corev1.ServicePort{
			{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP, TargetPort: intstr.FromInt32(53)},
			{Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(53)},
		}},
	}
}

func dnsEndpoints(address net.IP) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: dnsName, Labels: map[string]string{
			discoveryv1.LabelServiceName: dnsName, discoveryv1.LabelManagedBy: "daskbot-sandbox",
		}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address.String()}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}}},
		Ports: []discoveryv1.EndpointPort{
			{Name: ptr.To("dns"), Port: ptr.To(int32(53)), Protocol: ptr.To(corev1.ProtocolUDP)},
			{Name: ptr.To("dns-tcp"), Port: ptr.To(int32(53)), Protocol: ptr.To(corev1.ProtocolTCP)},
		},
	}
}
