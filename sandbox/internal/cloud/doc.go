// Package cloud is the sandbox's picture of one Google Cloud: projects with
// quotas, the resources in them that would cost money, the faults that were
// scripted and how long things take. It speaks no protocol and starts no
// process: gke, compute and serviceusage speak for it, kubernetes runs the
// control planes it asks for.
package cloud
