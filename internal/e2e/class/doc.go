// Package class tests a whole class against the clock: the service, the reaper
// and a real store carry out a course's schedule in virtual time, for more
// people than the emulated cloud could hold. Nobody builds clusters here; the
// tests write what a runner would. It holds tests only.
package class
