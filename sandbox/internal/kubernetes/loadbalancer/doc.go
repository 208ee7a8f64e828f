// Package loadbalancer gives Services of type LoadBalancer an address, as
// GKE's service controller does: it asks the cloud for the load balancer, puts
// the address into the Service's status, and takes both away with the Service.
// On the address it listens itself and lets the cloud's stand-ins answer,
// because there are no real pods to forward to.
package loadbalancer
