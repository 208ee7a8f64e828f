// Package operator plays the Dask Kubernetes operator, whose pod a simulated
// node only pretends to run: while the operator's Deployment is available, a
// DaskCluster gets its scheduler, Service and workers, under the operator's
// names and labels. It plays no DaskJob and no DaskAutoscaler, and like the
// real one it changes no worker that already runs.
package operator
