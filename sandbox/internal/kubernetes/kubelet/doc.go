// Package kubelet plays the kubelets of a cluster with KWOK: bound pods become
// ready after the time the cloud says a pod takes, Jobs complete, deleted pods
// go. A scripted fault can keep the pods of a release from ever becoming
// ready. Nothing runs in the pods.
//
// One Server answers the API server in the place of all kubelets: a forwarded
// port leads to what stands in for the pod, and logs say that nothing ran.
// There is no exec and no attach, since there is nothing to do it in.
package kubelet
