package environment

import (
	"slices"
	"time"
)

// usual is what each phase takes on real GKE when nothing was learnt yet
// (three to four minutes for a zonal cluster, a minute for a load balancer).
var usual = map[Phase]time.Duration{
	PhaseQueued: 2 * time.Second, PhaseCluster: 220 * time.Second, PhaseAccess: 5 * time.Second,
	PhaseInstall: 15 * time.Second, PhaseWorkloads: 75 * time.Second, PhaseAddress: 20 * time.Second,
	PhaseVerify: 5 * time.Second,
}

// DurationKey is where samples of a phase are kept: estimates are learnt per
// profile and placement.
func DurationKey(e Environment, p Phase) string {
	return e.Profile + "/" + string(e.Recipe.Placement) + "/" + string(p)
}

// Median returns the p50 of the samples, or fallback when there are none.
func Median(samples []time.Duration, fallback time.Duration) time.Duration {
	if len(samples) == 0 {
		return fallback
	}
	s := slices.Clone(samples)
	slices.Sort(s)
	return s[len(s)/2]
}

// EstimateReady says when an environment that is being made will be ready,
// given the median duration of each phase. A phase that already took longer
// than usual is expected to end soon: in a quarter of the time it has taken.
// Zero when the environment is not being made.
func EstimateReady(e Environment, median func(Phase) time.Duration, now time.Time) time.Time {
	phases := UpPhases()
	at := slices.Index(phases, e.Phase)
	if at < 0 || !e.State.Live() || e.State == StateReady {
		return time.Time{}
	}
	spent := now.Sub(e.PhaseSince)
	left := median(e.Phase) - spent
	if left < 0 {
		left = spent / 4
	}
	for _, p := range phases[at+1:] {
		left += median(p)
	}
	return now.Add(left).Truncate(time.Second)
}

// StepOf is "step n of m" for a phase on the way up; 0, 0 otherwise.
func StepOf(p Phase) (n, of int) {
	phases := UpPhases()
	at := slices.Index(phases, p)
	if at < 0 {
		return 0, 0
	}
	return at + 1, len(phases)
}
