// Package kubelet plays the kubelets of a cluster with KWOK: bound pods become
// ready after the time the cloud says a pod takes, Jobs complete, deleted pods
// go. A scripted fault can keep the pods of a release from ever becoming
// ready. Nothing runs in the pods.
package kubelet
