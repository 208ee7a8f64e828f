// Package guest is what happens inside a real node of a cluster. The node is a
// set of namespaces of the host: its own processes, mounts, network, host name
// and System V objects. Its first process lays out a file system on which
// containerd and the kubelet find their usual places, and a second one keeps
// containerd, the kubelet and kube-proxy running and serves the persistent disk
// driver.
//
// Because everything a node mounts, starts or plugs in belongs to its
// namespaces, all of it ends with the first process, however that ends. Package
// machine is the other side: it makes the namespaces, the network between nodes
// and the control groups.
package guest
