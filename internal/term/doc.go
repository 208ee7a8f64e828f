// Command term replays a term of a class against the reaper's real rules, in
// virtual time: what each way of ending environments costs, and whom it makes
// wait. `make bench BENCH=term` runs it.
//
// trace.go documents who uses what when. The policies see only what they could
// see in a class; the optimum alone knows the future, and is what the others
// are measured by. Judging is environment's Learn, Judge and IdleLimit as the
// daemon calls them; probing, provisioning and the store are not part of it.
//
// What is simpler than the daemon: looks are never refused and take no time,
// making an environment always takes seven minutes, and no run is held back
// because it would end too many at once. Nobody extends anything. A schedule is
// what Service.Attend leaves in the rows and not Attend itself, which needs a
// store: it starts what is missing of a section ten minutes before its lab, on a
// clock that knows no summer time, without the spreading, the quota and the
// holidays of internal/reaper, and no schedule ends a class.
//
// With "judge" it measures instead how long it takes to judge many
// environments, and what they take of memory.
package main
