// Package apiservertest gives tests a real Kubernetes API server, with etcd
// and a controller manager but without nodes, from the sandbox's control plane
// binary. It is imported by tests only and knows nothing of the product.
package apiservertest
