// Command daskbot-dns is CoreDNS with the few plug-ins that the DNS of a
// cluster with real nodes needs. It is a module of its own, so that what
// CoreDNS requires does not decide the versions of Kubernetes' parts.
package main
