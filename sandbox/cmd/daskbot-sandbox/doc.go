// Command daskbot-sandbox emulates, on loopback, the clouds that daskbot works
// with: Kubernetes Engine, Compute Engine and Service Usage, with real
// Kubernetes control planes behind the clusters and a Helm repository of its
// own charts.
//
// This package only wires: it reads flags and settings, makes the parts, and
// runs them until a signal ends them.
package main
