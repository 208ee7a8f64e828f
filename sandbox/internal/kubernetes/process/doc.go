// Package process keeps a child process alive: it starts it, writes what it
// prints to a file, starts it again with back-off when it ends by itself, and
// ends it when its context is done. A child never outlives its parent, even
// when the parent is killed. It knows nothing of what the child does.
package process
