// Package reaper runs on a schedule what no request triggers: it ends
// environments whose deadline has passed, and wakes rows so that the runner
// compares them with the real world from time to time. Beside that it attends
// to the schedules of classes: it starts and ends them on their own clock, once
// for each time whatever that clock does, and brings a class to where its last
// schedule wants it after daskbot was away, for up to two hours.
//
// It deletes nothing itself. What it decides becomes an ordinary command, so
// that everything is taken away in the one way there is.
package reaper
