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
	alone             bool // it takes so long that only its name starts it
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
		takes: "5 minutes", limit: 12 * time.Minute, run: slackLoad,
		metrics: []metric{
			{"slack.ack_p50_ms", "ms", "", "until Slack has its answer, half are faster", slackHow},
			{"slack.ack_p99_ms", "ms", "< 300", "until Slack has its answer, 1 in 100 is slower", slackHow},
			{"slack.ack_max_ms", "ms", "< 3000", "the slowest answer; at 3 s Slack gives up", slackHow},
			{"slack.lost", "", "0", "commands that were refused, late or without effect", "answers later than 3 s, or that say something else; people without an environment in the end, or who were told nothing of it"},
			{"slack.cpu_ms", "ms", "", "CPU a command, with what is done for it meanwhile", cpuHow},
		},
	}, {
		name: "lti", does: "1,000 launches from a learning platform in a minute, by 500 students",
		takes: "2 minutes", limit: 8 * time.Minute, run: launching,
		metrics: []metric{
			{"lti.launch_p50_ms", "ms", "", "from the click in the course to the page, half are faster", launchHow},
			{"lti.launch_p99_ms", "ms", "< 1000", "from the click in the course to the page, 1 in 100 is slower", launchHow},
			{"lti.lost", "", "0", "launches that ended on no page with an environment", launchHow},
			{"lti.cpu_ms", "ms", "", "CPU a launch, with what is done for it meanwhile", cpuHow},
		},
	}, {
		name: "hooks", does: "10,000 signed hooks in a minute, which enroll the students of 40 courses",
		takes: "3 minutes", limit: 10 * time.Minute, run: hookLoad,
		metrics: []metric{
			{"hooks.p50_ms", "ms", "", "until the platform has its answer, half are faster", hooksHow},
			{"hooks.p99_ms", "ms", "< 300", "until the platform has its answer, 1 in 100 is slower", hooksHow},
			{"hooks.max_ms", "ms", "", "the slowest answer", hooksHow},
			{"hooks.lost", "", "0", "hooks that were refused or without effect", "answers other than 200; people who are on no roster in the end"},
			{"hooks.behind_seconds", "s", "", "from the last hook until all were carried out", "asked every second"},
			{"hooks.cpu_ms", "ms", "", "CPU a hook, carried out", cpuHow},
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
		name: "chaos", does: "three replicas while they are killed, their clocks jump, the database crashes, the cloud and Slack fail",
		takes: "10 minutes", limit: 6 * time.Hour, run: chaos,
		metrics: []metric{
			{"chaos.runs", "", "", "random runs of the property", chaosHow},
			{"chaos.violations", "", "0", "things lost, doubled, orphaned, ended early, told twice or not told", chaosHow + "; and " + stormHow},
			{"chaos.environments", "", "", "environments that lived through it for real", stormHow},
			{"chaos.failed", "", "", "of those, that failed and were excused", "alive, or asked for, while the cloud was to refuse for quota or permission, or a minute after; and in a phase that this can end"},
			{"chaos.disasters", "", "", "replicas, databases and clocks that were broken for real", stormHow},
			{"chaos.faults", "", "", "times that a scripted fault of the cloud or of Slack struck", "asked of the sandbox twice a second"},
			{"chaos.faults_missed", "", "0 in 10 minutes", "kinds of scripted faults that found no occasion", "the notes name them"},
		},
	}, {
		name: "soak", does: "an hour of a class of six at steady work, on one replica with SQLite; not among those that run when none is named",
		takes: "70 minutes", limit: 6 * time.Hour, run: soak, alone: true,
		metrics: []metric{
			{"soak.minutes", "", "", "for how long", soakHow},
			{"soak.environments", "", "", "environments that were asked for, changed, used and taken down", soakHow},
			{"soak.violations", "", "0", "things that did not come about, or were left", soakHow},
			{"soak.rss_mb_start", "MB", "", "resident memory in the first minute", heldHow},
			{"soak.rss_mb_middle", "MB", "", "resident memory in the middle", heldHow},
			{"soak.rss_mb_end", "MB", "", "resident memory in the last minute", heldHow},
			{"soak.own_mb_start", "MB", "", "the same without the pages of the program's file, in the first minute", heldHow},
			{"soak.own_mb_middle", "MB", "", "in the middle", heldHow},
			{"soak.own_mb_end", "MB", "", "in the last minute", heldHow},
			{"soak.goroutines_start", "", "", "goroutines in the first minute", heldHow},
			{"soak.goroutines_middle", "", "", "goroutines in the middle", heldHow},
			{"soak.goroutines_end", "", "", "goroutines in the last minute", heldHow},
			{"soak.rss_mb_per_hour", "MB", "≤ 10", "growth of resident memory", growthHow},
			{"soak.own_mb_per_hour", "MB", "", "growth of that without the pages of the program's file", growthHow},
			{"soak.go_mb_per_hour", "MB", "", "growth of what Go keeps of that, free room included", growthHow},
			{"soak.heap_mb_per_hour", "MB", "≤ 3", "growth of what a collection leaves of the heap", growthHow},
			{"soak.goroutines_per_hour", "", "≤ 6", "growth of the number of goroutines", growthHow},
			{"soak.files_per_hour", "", "≤ 3", "growth of the number of open files and connections", growthHow},
			{"soak.store_kb_a_environment", "kB", "≤ 64", "growth of the store for each environment that ever was; its events go when they are old", growthHow},
		},
	}, {
		name: "upgrade", does: "three replicas of the version before, replaced one after the other while twenty environments go up",
		takes: "4 minutes", limit: time.Hour, run: upgrade,
		metrics: []metric{
			{"upgrade.violations", "", "0", "environments that did not become ready, things told twice, replicas that did not stop in time", upgradeHow},
			{"upgrade.seconds", "s", "", "until all twenty are ready", upgradeHow},
			{"upgrade.stop_seconds", "s", "", "the slowest stop of a replica", upgradeHow},
		},
	}, {
		name: "scale", does: "100 and 1,000 environments brought up at once, on SQLite and on PostgreSQL",
		takes: "5 minutes", limit: 2 * time.Hour, run: scale,
		metrics: []metric{
			{"scale.100_sqlite_seconds", "s", "", "until 100 environments are ready, one replica", scaleHow},
			{"scale.100_postgres3_seconds", "s", "", "until 100 environments are ready, three replicas", scaleHow},
			{"scale.1000_sqlite_seconds", "s", "", "until 1,000 environments are ready, one replica", scaleHow},
			{"scale.1000_postgres3_seconds", "s", "", "until 1,000 environments are ready, three replicas", scaleHow},
			{"scale.1000_postgres_server_cpu_seconds", "s", "", "CPU of the PostgreSQL server for that, beside the replicas'", "/proc: the server's process with those of its connections"},
			{"scale.rss_mb_1000", "MB", "", "the most memory, 1,000 environments on SQLite", scaleHow},
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
	chaosHow = "internal/chaos: three replicas with a real store over a cloud that is a double, in virtual time; DASKBOT_CHAOS_RUNS runs (300)"
	stormHow = "three processes on a PostgreSQL over the sandbox for DASKBOT_CHAOS (90s), DASKBOT_CHAOS_ENVIRONMENTS people (10) at a time with up, scale, down, and again, on the clusters of classes of up to 50 and on at most 6 of one's own at once; one of ten leaves it to the reaper; every scripted fault of the sandbox in turn; in the end the cloud must be empty by its own account and by a comparison with the store, and every message and event there, once"

	soakHow   = "one process on SQLite over the sandbox for DASKBOT_SOAK (1h); DASKBOT_SOAK_ENVIRONMENTS people (6), half of them in Slack, one with a cluster of their own, each with up, scale, extend, a minute and a half of commands, lists and an event stream, down, and again; the reaper every minute, the sweep for orphans every five"
	heldHow   = "the least of twelve looks within that minute"
	growthHow = "slope of a least-squares line through the last three quarters of the minutes, each the least of twelve looks"

	upgradeHow = "three processes on a PostgreSQL over the sandbox; twenty people with an environment on the class's cluster; SIGTERM, wait, start, one replica after the other; they begin as DASKBOT_UPGRADE_FROM, a daskbot or a revision (the commit before), and go on as this one"
	scaleHow   = "the real service, store, queue and runner in one process, over a double of the cloud whose clusters take 10 s and whose Helm takes 0.1 s: the sandbox cannot run a thousand control planes on one machine; DASKBOT_SCALE_MORE=5000 adds a size"

	probeHow = "each with a hub, a notebook and a scheduler on loopback that answer at once, in the same process: our own work, without the API server between"

	termHow = "the traces of internal/term/trace.go, seeds 101 to 105, which no rule was tried on; daskbot-term prints every policy"

	hooksHow = "Standard Webhooks evenly over a minute, one source, each another student, timed from when each was due"

	cpuHow = "the daemon's CPU time ÷ requests; others on the machine change little of it"

	slackHow = "signed commands evenly over a minute, an up and a status each, timed from when each was due; the emulator keeps Slack's limits; the creates hang in the cloud"

	launchHow = "login and launch with a signed token each, evenly over a minute, timed from when each was due; the platform's own pages take no time; the creates hang in the cloud"

	pathHow = "the cloud's share is the union of the sandbox's waits that began after the request and ended before ready"
	loadHow = "1,000 requests evenly over a minute (a fifth POST, two fifths GET one, two fifths list), timed from when each was due"
)

// choose finds the benchmarks that are named, or that yield a metric that is
// named by itself or by its first part; without names all, but for those that
// want to be named.
func choose(names []string) ([]benchmark, error) {
	if len(names) == 0 {
		return slices.DeleteFunc(slices.Clone(benchmarks), func(b benchmark) bool { return b.alone }), nil
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
