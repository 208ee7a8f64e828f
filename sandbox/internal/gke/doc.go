// Package gke speaks the Kubernetes Engine API, google.container.v1, over
// gRPC and over REST, in front of the sandbox's cloud.
//
// It checks what GKE checks, in GKE's words, runs the long operations and
// starts and stops control planes through cloud.ControlPlanes. It keeps no
// state of its own: clusters and operations are in cloud.World, and Run takes
// up what a crash has left unfinished. Methods of the API that no one needed
// yet answer UNIMPLEMENTED.
package gke
