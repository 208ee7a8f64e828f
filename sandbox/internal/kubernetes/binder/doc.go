// Package binder binds pods that name a scheduler of their own. Such a
// scheduler is itself a pod, and pods do not run here; without a stand-in its
// pods would wait for ever. It packs: of the nodes with room it takes the
// fullest, as JupyterHub's user scheduler does. It does not preempt.
package binder
