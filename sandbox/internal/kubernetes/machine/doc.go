// Package machine runs real nodes on this host: it makes the namespaces in
// which package guest runs, the network that connects the nodes and pods of a
// cluster with each other and with the host, the nodes' control groups, and the
// cluster's DNS. It needs root on Linux, and containerd, runc, the standard CNI
// plug-ins, iptables and nft.
//
// Everything it makes outside the state directory carries the id of that
// directory in its name, so that two sandboxes leave each other alone and
// whatever a killed one left can be found: network interfaces, control groups
// and one packet filter table. Processes, mounts and network namespaces of
// nodes end by themselves with the sandbox.
//
// It knows nothing of pods, prices or quotas.
package machine
