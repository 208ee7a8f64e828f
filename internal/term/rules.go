package main

import "time"

// creating is how long a dedicated environment takes to be ready.
const creating = 7 * time.Minute

// outcome is what a policy did in a term.
type outcome struct {
	alive  time.Duration // of all environments together, from being asked for
	cold   int           // somebody came back and had to wait
	early  int           // ended while in use, or while a training ran
	warned int           // messages that announced an end
}

// rule says when an environment ends that is made at a time for the first of
// some uses.
type rule func(uses []stretch, made time.Time) time.Time

// play runs a student's term under a rule. Whoever waits has that much less
// of their time, since a class ends when it ends; whoever loses their
// environment asks for another at once; a training that is lost is lost.
func play(uses []stretch, ends rule, over time.Time) outcome {
	var o outcome
	for len(uses) > 0 {
		if uses[0].alone { // nobody is there to ask
			uses = uses[1:]
			continue
		}
		o.cold++
		made := uses[0].from
		end := ends(uses, made)
		if end.After(over) {
			end = over
		}
		o.alive += end.Sub(made)
		uses = o.cut(uses, end)
	}
	return o
}

// cut drops what an environment served that ended at a time.
func (o *outcome) cut(uses []stretch, end time.Time) []stretch {
	for len(uses) > 0 && uses[0].from.Before(end) {
		if !uses[0].to.After(end) {
			uses = uses[1:]
			continue
		}
		o.early++
		rest := stretch{from: end, to: uses[0].to}
		if uses[0].alone {
			return uses[1:]
		}
		return append([]stretch{rest}, uses[1:]...)
	}
	return uses
}

// never ends nothing.
func never(_ []stretch, made time.Time) time.Time { return made.AddDate(1, 0, 0) }

// nightly ends everything at three in the morning.
func nightly(_ []stretch, made time.Time) time.Time {
	end := made.Truncate(24 * time.Hour).Add(3 * time.Hour)
	if !end.After(made) {
		end = end.Add(24 * time.Hour)
	}
	return end
}

// lifetime ends each a time after it is ready.
func lifetime(d time.Duration) rule {
	return func(_ []stretch, made time.Time) time.Time { return made.Add(creating + d) }
}

// idle ends what has not been used for a time, and sees every use.
func idle(limit time.Duration) rule {
	return quiet(func(time.Time) time.Duration { return limit }, false)
}

// culler is JupyterHub's idle culler as Zero to JupyterHub sets it up: an hour
// without activity that the hub knows of, looked at every ten minutes. A cell
// that prints nothing is no activity.
func culler(uses []stretch, made time.Time) time.Time {
	end := quiet(func(time.Time) time.Duration { return time.Hour }, true)(uses, made)
	const every = 10 * time.Minute
	return end.Add(every - 1).Truncate(every)
}

// optimum knows when somebody comes back, and stops at once if waiting would
// cost more than their return.
func optimum(worth time.Duration) rule {
	return func(uses []stretch, made time.Time) time.Time {
		last := made.Add(creating)
		for i, u := range uses {
			if i > 0 && u.from.Sub(last) > worth {
				break
			}
			last = later(last, u.to)
		}
		return last
	}
}

// quiet ends after a limit without use; blind, it does not see trainings.
func quiet(limit func(time.Time) time.Duration, blind bool) rule {
	return func(uses []stretch, made time.Time) time.Time {
		last := made.Add(creating)
		for i, u := range uses {
			if i > 0 && u.from.After(last.Add(limit(last))) {
				break
			}
			if !(blind && u.alone) {
				last = later(last, u.to)
			}
		}
		return last.Add(limit(last))
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
