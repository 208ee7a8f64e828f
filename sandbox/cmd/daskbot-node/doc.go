//go:build node

// Command daskbot-node is what runs inside a real node of the sandbox: the
// node's first process, and the kubelet and kube-proxy it supervises. It
// becomes the component its first argument names.
//
// It is a program of its own because only --nodes real needs it: whoever is
// content with simulated nodes never compiles a kubelet.
package main
