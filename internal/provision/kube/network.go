package kube

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingv1ac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/daskbot/daskbot/internal/environment"
)

// Private, shared and link-local ranges: other tenants, nodes and the metadata
// server live there.
var (
	private4 = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"}
	private6 = []string{"fc00::/7", "fe80::/10"}
)

// door says which pods answer people, by the labels of the charts, because the
// Service that will select them does not exist before the first install.
type door struct {
	name       string
	components []string
	ports      []int32
}

func doors(p environment.Plan) []door {
	var open []door
	switch p.Access.Kind {
	case environment.AccessJupyterHub:
		open = append(open, door{"daskbot-front-door", []string{"proxy", "autohttps"}, []int32{8000, 8080, 8443}})
	case environment.AccessJupyter:
		open = append(open, door{"daskbot-front-door", []string{"jupyter"}, []int32{8888}})
	}
	if p.Access.DashboardService != "" {
		open = append(open, door{"daskbot-dashboard", []string{"scheduler"}, []int32{8787}})
	}
	return open
}

// networkPolicies closes the namespace to other tenants: in come its own pods,
// namespaces that are no tenant's (the operator) and the front doors; out go
// its own pods, name resolution, the API server and the Internet. Policies
// add up, so a chart may open more for its own pods.
func networkPolicies(p environment.Plan, api []endpoint) []*networkingv1ac.NetworkPolicyApplyConfiguration {
	policies := []*networkingv1ac.NetworkPolicyApplyConfiguration{
		networkingv1ac.NetworkPolicy("daskbot-tenant", p.Namespace).WithLabels(ours(p)).
			WithSpec(networkingv1ac.NetworkPolicySpec().
				WithPodSelector(metav1ac.LabelSelector()).
				WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
				WithIngress(networkingv1ac.NetworkPolicyIngressRule().WithFrom(ownPods(), systemPods())).
				WithEgress(egress(api)...)),
	}
	for _, d := range doors(p) {
		selector := metav1ac.LabelSelector().WithMatchExpressions(metav1ac.LabelSelectorRequirement().
			WithKey("component").WithOperator(metav1.LabelSelectorOpIn).WithValues(d.components...))
		rule := networkingv1ac.NetworkPolicyIngressRule()
		for _, number := range d.ports {
			rule.WithPorts(port(corev1.ProtocolTCP, number))
		}
		policies = append(policies, networkingv1ac.NetworkPolicy(d.name, p.Namespace).WithLabels(ours(p)).
			WithSpec(networkingv1ac.NetworkPolicySpec().WithPodSelector(selector).
				WithPolicyTypes(networkingv1.PolicyTypeIngress).WithIngress(rule)))
	}
	return policies
}

func ownPods() *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().WithPodSelector(metav1ac.LabelSelector())
}

// systemPods are those in namespaces that daskbot made for releases of the
// whole cluster.
func systemPods() *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().WithNamespaceSelector(metav1ac.LabelSelector().
		WithMatchLabels(map[string]string{labelManagedBy: managedBy}).
		WithMatchExpressions(metav1ac.LabelSelectorRequirement().
			WithKey(environment.LabelEnvironment).WithOperator(metav1.LabelSelectorOpDoesNotExist)))
}

func egress(api []endpoint) []*networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration {
	rules := []*networkingv1ac.NetworkPolicyEgressRuleApplyConfiguration{
		networkingv1ac.NetworkPolicyEgressRule().WithTo(ownPods()),
		// Name servers may be pods, a node-local cache or the metadata server.
		networkingv1ac.NetworkPolicyEgressRule().WithPorts(port(corev1.ProtocolUDP, 53), port(corev1.ProtocolTCP, 53)),
		networkingv1ac.NetworkPolicyEgressRule().WithTo(block("0.0.0.0/0", private4...), block("::/0", private6...)),
	}
	for _, e := range api {
		rules = append(rules, networkingv1ac.NetworkPolicyEgressRule().
			WithTo(block(host(e.address))).WithPorts(port(corev1.ProtocolTCP, e.port)))
	}
	return rules
}

func block(cidr string, except ...string) *networkingv1ac.NetworkPolicyPeerApplyConfiguration {
	return networkingv1ac.NetworkPolicyPeer().WithIPBlock(networkingv1ac.IPBlock().WithCIDR(cidr).WithExcept(except...))
}

func port(protocol corev1.Protocol, number int32) *networkingv1ac.NetworkPolicyPortApplyConfiguration {
	return networkingv1ac.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt32(number))
}

func host(address string) string {
	if strings.Contains(address, ":") {
		return address + "/128"
	}
	return address + "/32"
}
