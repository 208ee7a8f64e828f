// Package reaper runs on a schedule what no request triggers: it ends
// environments whose deadline has passed, and wakes rows so that the runner
// compares them with the real world from time to time.
//
// It deletes nothing itself. What it decides becomes an ordinary command, so
// that everything is taken away in the one way there is.
package reaper
