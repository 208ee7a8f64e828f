package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// benchmark is one thing to measure, on a sandbox and a daemon of its own.
type benchmark struct {
	name, does, takes string
	limit             time.Duration // after which it is given up
	metrics           []metric
	run               func(context.Context, *stage) (results, error)
}

// metric says what a number is. The names are those of the contract; others
// stand beside them.
type metric struct{ name, unit, target, means, how string }

var benchmarks = []benchmark{
	{
		name: "time_to_ready", does: "one daskhub at the times real GKE takes, beside a person typing the walkthrough",
		takes: "6 minutes", limit: 20 * time.Minute, run: readyAtGKE,
		metrics: []metric{
			{"time_to_ready.overhead_ratio", "", "≤ 1.05", "request to ready ÷ what the cloud took", pathHow + "; gke latencies in real time"},
			{"time_to_ready.seconds_gke_latencies", "s", "", "request to ready", "POST to the ready event; each gke latency fixed at the middle of its range"},
			{"time_to_ready.by_hand_ratio", "", "≥ 1", "seconds by hand ÷ seconds by daskbot", "scripts/walkthroughs/daskhub.sh up to the login, at the same time in a project beside; nobody thinks or mistypes"},
			{"time_to_ready.seconds_by_hand", "s", "", "the first walkthrough, typed", "from gcloud create to a login that works"},
		},
	}, {
		name: "time_to_ready_fast", does: "one daskhub when the cloud takes next to no time",
		takes: "30 seconds", limit: 5 * time.Minute, run: readyAtFast,
		metrics: []metric{
			{"time_to_ready.overhead_ratio_fast", "", "", "request to ready ÷ what the cloud took", pathHow + "; fast latencies"},
			{"time_to_ready.seconds_fast", "s", "< 30", "request to ready", "POST to the ready event; fast latencies"},
		},
	}, {
		name: "idle", does: "a daemon that nobody asks for anything",
		takes: "75 seconds", limit: 3 * time.Minute, run: idle,
		metrics: []metric{
			{"idle.cpu_percent", "%", "", "of one CPU", "the process's CPU time over a minute"},
			{"idle.rss_mb", "MB", "", "resident memory", "the process's, after that minute"},
		},
	}, {
		name: "fleet", does: "200 environments asked for at 1,000 requests a minute, all then waiting for their clusters",
		takes: "3 minutes", limit: 8 * time.Minute, run: fleet,
		metrics: []metric{
			{"api.p50_ms", "ms", "", "time of a request, half are faster", loadHow},
			{"api.p99_ms", "ms", "", "time of a request, 1 in 100 is slower", loadHow},
			{"scale.cpu_percent_200", "%", "", "of one CPU, 200 environments in flight", "the process's CPU time over 30 seconds; the creates hang in the cloud"},
			{"scale.rss_mb_200", "MB", "", "resident memory, 200 environments in flight", "the process's, after those 30 seconds"},
		},
	}, {
		name: "slack", does: "1,000 /dask commands in a minute from 500 people, with 200 environments in progress",
		takes: "3 minutes", limit: 8 * time.Minute, run: slackLoad,
		metrics: []metric{
			{"slack.ack_p50_ms", "ms", "", "until Slack has its answer, half are faster", slackHow},
			{"slack.ack_p99_ms", "ms", "< 300", "until Slack has its answer, 1 in 100 is slower", slackHow},
			{"slack.ack_max_ms", "ms", "< 3000", "the slowest answer; at 3 s Slack gives up", slackHow},
			{"slack.lost", "", "0", "commands that were refused, late or without effect", "answers later than 3 s, or that say something else; people without an environment in the end"},
		},
	}, {
		name: "term", does: "five terms of a class of 200, in virtual time",
		takes: "30 seconds", limit: 5 * time.Minute, run: term,
		metrics: []metric{
			{"term.early_kills", "", "0", "environments ended while in use", termHow},
			{"term.cold_returns_per_student", "", "", "times in a term that somebody had to wait", termHow},
			{"term.cold_returns_to_idle_30m", "", "≤ 1.05", "the same ÷ that of a fixed limit of 30 minutes", termHow},
			{"term.cost_ratio_to_optimum", "", "≤ 1.15", "dollars and 30 minutes for each cold return ÷ those of knowing the future", termHow},
			{"term.cost_ratio_to_never_delete", "", "", "the same ÷ those of never deleting", termHow},
			{"term.cost_ratio_unscheduled", "", "≤ 1.15", "to the optimum, when the labs are on no schedule", termHow},
			{"term.cold_ratio_unscheduled", "", "≤ 1.05", "cold returns to the fixed 30 minutes', when the labs are on no schedule", termHow},
			{"term.warnings_per_student", "", "", "messages that announced an end", termHow},
		},
	}, {
		name: "probe", does: "looking at 10,000 environments, 32 at once",
		takes: "half a minute", limit: 5 * time.Minute, run: probing,
		metrics: []metric{
			{"reaper.probe_10k_seconds", "s", "", "looking at 10,000 environments", probeHow},
			{"reaper.probe_10k_requests", "", "", "HTTP requests that takes", probeHow},
			{"reaper.probe_10k_mb", "MB", "", "memory of the whole process after it", probeHow},
		},
	}, {
		name: "judge", does: "one pass of the reaper's rules over 10,000 environments",
		takes: "a second", limit: time.Minute, run: judging,
		metrics: []metric{
			{"reaper.judge_10k_seconds", "s", "< 1", "learning from 10,000 looks and judging them", "the second look at each, in one goroutine; no probing, no store"},
			{"reaper.judge_10k_mb", "MB", "", "memory that 10,000 rows with their last look take", "the heap after a collection"},
		},
	},
}

const (
	probeHow = "each with a hub, a notebook and a scheduler on loopback that answer at once, in the same process: our own work, without the API server between"

	termHow = "the traces of internal/term/trace.go, seeds 101 to 105, which no rule was tried on; daskbot-term prints every policy"

	slackHow = "signed commands evenly over a minute, an up and a status each, timed from when each was due; the emulator keeps Slack's limits; the creates hang in the cloud"

	pathHow = "the cloud's share is the union of the sandbox's waits that began after the request and ended before ready"
	loadHow = "1,000 requests evenly over a minute (a fifth POST, two fifths GET one, two fifths list), timed from when each was due"
)

// choose finds the benchmarks that are named, or that yield a metric that is
// named by itself or by its first part.
func choose(names []string) ([]benchmark, error) {
	if len(names) == 0 {
		return benchmarks, nil
	}
	var chosen []benchmark
	for _, b := range benchmarks {
		if slices.ContainsFunc(names, b.answers) {
			chosen = append(chosen, b)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(benchmarks, func(b benchmark) bool { return b.answers(name) }) {
			return nil, fmt.Errorf("there is no benchmark %q; see --help", name)
		}
	}
	return chosen, nil
}

func (b benchmark) answers(name string) bool {
	return b.name == name || slices.ContainsFunc(b.metrics, func(m metric) bool {
		return m.name == name || strings.HasPrefix(m.name, name+".")
	})
}
