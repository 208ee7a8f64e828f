// Package standin answers on a load balancer's address, and on the ports of
// pods, in place of pods that are only simulated: as a JupyterHub with the
// servers of its users, as a Dask scheduler, and as the Jupyter server of the
// dask chart. Every page says that it is a stand-in.
//
// What it answers follows from what the cluster holds. Passwords, tokens and
// scopes come from the Secret, ConfigMap and environment the chart made, pods
// decide whether there is an answer at all, and a user's server is a pod and a
// claim, so that wrong values break here as they break for real. What people
// and computations would have done is scripted with SetActivity.
//
// It runs no code: no kernel, no task, no Python in hub.extraConfig. It knows
// the dummy and shared-password authenticators only, and no scope filters.
// Package cloud declares the interface it implements.
package standin
