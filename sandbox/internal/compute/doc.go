// Package compute speaks the part of the Compute Engine REST API, version 1,
// that finds, inspects and removes what Kubernetes clusters make and leave
// behind: disks, snapshots, addresses, forwarding rules, target pools, network
// endpoint groups, firewalls, health checks, instances, and the quotas of
// regions and projects.
//
// It keeps no state and no rules: cloud.World has both. Collections a cleaner
// looks into but that nothing here fills are served as empty ones.
package compute
