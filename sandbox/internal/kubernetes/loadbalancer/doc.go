// Package loadbalancer gives Services of type LoadBalancer an address, as
// GKE's service controller does: it asks the cloud for the load balancer, puts
// the address into the Service's status, and takes both away with the Service.
// On the address it listens itself: connections go to the Service's pods where
// these are real, and to the cloud's stand-ins where nobody would answer.
package loadbalancer
