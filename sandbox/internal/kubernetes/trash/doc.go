// Package trash takes directories away at once and removes what is in them
// afterwards. The image files of a node are tens of thousands, and nobody who
// deletes a cluster should wait until the last of them is unlinked.
package trash
