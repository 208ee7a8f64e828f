package cloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
)

// nodeHealthCheckPort is where kube-proxy says whether a node is healthy.
const nodeHealthCheckPort = 10256

// CreateLoadBalancer makes the resources GKE makes for a Service of type
// LoadBalancer, named as GKE names them, and returns the address. It finds
// what an earlier call has made. A QuotaError leaves nothing behind.
func (w *World) CreateLoadBalancer(_ context.Context, project, region string, lb LoadBalancer) (string, error) {
	var ip string
	err := w.change(func(s *state) error {
		if r := s.Resources[resourceKey(KindForwardingRule, project, region, lb.Name)]; r != nil {
			ip = r.IP
			return nil
		}
		if err := s.checkQuota(project, region, lb.Name, Needs{"IN_USE_ADDRESSES": 1, "FORWARDING_RULES": 1, "TARGET_POOLS": 1, "FIREWALLS": 2, "HEALTH_CHECKS": 1}); err != nil {
			return err
		}
		var err error
		if ip, err = s.freeAddress(w.network, lb.Ports); err != nil {
			return err
		}
		s.addLoadBalancer(project, region, ip, lb)
		return nil
	})
	return ip, err
}

func (s *state) addLoadBalancer(project, region, ip string, lb LoadBalancer) {
	hash := clusterHash(lb.ClusterID)
	service := fmt.Sprintf(`{"kubernetes.io/service-name":%q}`, lb.Service)
	serviceIP := fmt.Sprintf(`{"kubernetes.io/service-name":%q, "kubernetes.io/service-ip":%q}`, lb.Service, ip)
	shared := fmt.Sprintf(`{"kubernetes.io/cluster-id":%q}`, hash)
	check := "k8s-" + hash + "-node"
	for _, r := range []Resource{
		{Kind: KindAddress, Location: region, Name: lb.Name, Description: service, IP: ip, Status: "IN_USE"},
		{Kind: KindHTTPHealthCheck, Location: Global, Name: check, Description: shared, Port: nodeHealthCheckPort},
		{Kind: KindFirewall, Location: Global, Name: check + "-http-hc", Description: shared, Ports: []int32{nodeHealthCheckPort}},
		{Kind: KindFirewall, Location: Global, Name: "k8s-fw-" + lb.Name, Description: serviceIP, IP: ip, Ports: lb.Ports},
		{Kind: KindTargetPool, Location: region, Name: lb.Name, Description: service, Checks: []string{check}},
		{Kind: KindForwardingRule, Location: region, Name: lb.Name, Description: service, IP: ip, Ports: lb.Ports, Target: lb.Name},
	} {
		r.Project, r.ClusterID = project, lb.ClusterID
		if s.Resources[r.key()] == nil {
			r.ID, r.Created = numericID(), now()
			s.Resources[r.key()] = &r
		}
	}
	if c := s.Clusters[lb.ClusterID]; c != nil {
		s.refreshTargetPools(c)
	}
}

// DeleteLoadBalancer deletes what CreateLoadBalancer made; with the last one
// of a cluster the shared health check and its firewall go too.
func (w *World) DeleteLoadBalancer(_ context.Context, project, region, name string) error {
	o := Occasion{Method: "forwardingRules.delete", Project: project, Location: region}
	if f := w.Take("delete-fails", o); f != nil {
		return Errorf(Unavailable, "Internal error. Please try again or contact Google Support. (Code: '%s')", f.ID)
	}
	return w.change(func(s *state) error {
		check := ""
		if tp := s.Resources[resourceKey(KindTargetPool, project, region, name)]; tp != nil && len(tp.Checks) > 0 {
			check = tp.Checks[0]
		}
		delete(s.Resources, resourceKey(KindForwardingRule, project, region, name))
		delete(s.Resources, resourceKey(KindTargetPool, project, region, name))
		delete(s.Resources, resourceKey(KindFirewall, project, Global, "k8s-fw-"+name))
		delete(s.Resources, resourceKey(KindAddress, project, region, name))
		hc := s.Resources[resourceKey(KindHTTPHealthCheck, project, Global, check)]
		if hc != nil && s.userOf(hc) == nil {
			delete(s.Resources, hc.key())
			delete(s.Resources, resourceKey(KindFirewall, project, Global, check+"-http-hc"))
		}
		return nil
	})
}

// clusterHash stands for the hexadecimal cluster id in GKE's shared names.
func clusterHash(clusterID string) string {
	sum := sha256.Sum256([]byte(clusterID))
	return hex.EncodeToString(sum[:8])
}

// freeAddress finds a loopback address no load balancer has and on which the
// ports can be bound. Load balancers take the upper half of the network;
// control planes take the lower.
func (s *state) freeAddress(network string, ports []int32) (string, error) {
	taken := map[string]bool{}
	for _, r := range s.Resources {
		if r.IP != "" {
			taken[r.IP] = true
		}
	}
	for third := 128; third < 255; third++ {
		for fourth := 1; fourth < 255; fourth++ {
			ip := fmt.Sprintf("%s.%d.%d", network, third, fourth)
			if !taken[ip] && bindable(ip, ports) {
				return ip, nil
			}
		}
	}
	return "", Errorf(ResourceExhausted, "no free loopback address is left in %s.128.0/17", network)
}

// bindable says whether another process is in the way. A port that this user
// may not bind at all is no obstacle: the listener will choose another.
func bindable(ip string, ports []int32) bool {
	for _, port := range append([]int32{0}, ports...) {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(int(port))))
		if err == nil {
			_ = l.Close()
			continue
		}
		if port == 0 || !isPermission(err) {
			return false
		}
	}
	return true
}
