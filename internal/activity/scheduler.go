package activity

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// scheduler asks one Dask scheduler.
func (l *look) scheduler(ctx context.Context, pod environment.Pod) {
	key := "scheduler." + pod.Name
	if pod.Pending {
		l.memory.keep(key)
		l.unknown("scheduler", "a Dask scheduler has not started", errors.New("pod "+pod.Name+" is pending"))
		return
	}
	if err := l.askScheduler(ctx, pod, key); err != nil {
		l.memory.keep(key)
		l.unknown("scheduler", "a Dask scheduler does not answer", err)
	}
}

// schedulerWithin asks the scheduler that a notebook may have started in its
// own pod, as a LocalCluster and the classic KubeCluster do: it computes on
// while the kernel is idle. Most notebooks have none, so that a refusal, or
// anything else that answers there, means nothing. Silence does: what computes
// may be too busy to answer.
func (l *look) schedulerWithin(ctx context.Context, pod environment.Pod) {
	if pod.Pending {
		return // what ran in the pod before went with it
	}
	ctx, cancel := context.WithTimeout(ctx, l.patience())
	defer cancel()
	key := "scheduler." + pod.Name
	err := l.askScheduler(ctx, pod, key)
	switch {
	case err == nil:
	case l.memory.get(key) != "" && !gone(err):
		l.memory.keep(key)
		l.unknown("scheduler", "a Dask scheduler in a notebook does not answer", err)
	case ctx.Err() != nil && l.fallenSilent(pod):
		l.unknown("scheduler", "what may be a Dask scheduler in a notebook does not answer", err)
	default:
		l.prober.Log.Debug("no scheduler in a notebook", "env_id", l.Environment.ID, "reason", err.Error())
	}
}

// gone reports whether an error shows that there is no scheduler, or no longer.
func gone(err error) bool {
	for _, proof := range []error{errRefused, errAbsent, errDenied, errStranger} {
		if errors.Is(err, proof) {
			return true
		}
	}
	return false
}

// longSilence is for how long what never said that it is a scheduler is taken
// for one that does not answer. Something else may listen there and say
// nothing, and must not be paid for as long as it does.
const longSilence = time.Hour

// fallenSilent reports whether the silence at a pod's port is not a long one.
func (l *look) fallenSilent(pod environment.Pod) bool {
	return l.Now.Sub(l.memory.since("silent."+pod.Name, l.Now)) < longSilence
}

// answered is what is remembered of a scheduler of which nothing else has to be.
const answered = "answered"

// askScheduler asks a scheduler on its usual port, and remembers under key that
// it is one.
func (l *look) askScheduler(ctx context.Context, pod environment.Pod, key string) error {
	c := l.client(pod, schedulerPort, environment.Secret{})
	defer c.close()
	err := l.checkIdle(ctx, c)
	if errors.Is(err, errAbsent) { // before 2023.3.2, and where the route is off
		err = l.compareCounts(ctx, c, key)
	} else if err == nil {
		l.memory.set(key, answered)
	}
	return err
}

// checkIdle asks the scheduler's own rule, which is right in every case.
func (l *look) checkIdle(ctx context.Context, c *client) error {
	var idle struct {
		Since json.RawMessage `json:"idle_since"`
	}
	if err := c.getJSON(ctx, "/api/v1/check_idle", &idle); err != nil {
		return err
	}
	date := c.date
	switch {
	case idle.Since == nil:
		return fmt.Errorf("check_idle does not say since when: %w", errStranger)
	case string(idle.Since) == "null":
		l.busy("scheduler", l.work(ctx, c))
		return nil
	}
	var seconds float64
	if err := json.Unmarshal(idle.Since, &seconds); err != nil {
		return fmt.Errorf("check_idle: %w: %w", errStranger, err)
	}
	l.idleSince(l.clamp(epoch(seconds), date))
	return nil
}

func (l *look) idleSince(since time.Time) {
	l.signal("scheduler", environment.SignalQuiet, since, "Dask has computed nothing since "+clock(since))
}

// work says what a busy scheduler is at, if it can be told.
func (l *look) work(ctx context.Context, c *client) string {
	var n counts
	if err := c.getJSON(ctx, "/json/counts.json", &n); err == nil && n.Workers == 0 {
		return stuck
	}
	return "Dask is computing"
}

const stuck = "Dask has tasks to compute and no workers"

// counts are a scheduler's counters, as every version has them.
type counts struct {
	Tasks      int     `json:"tasks"`
	Bytes      float64 `json:"bytes"`
	Memory     int     `json:"memory"`
	Erred      int     `json:"erred"`
	Released   int     `json:"released"`
	Processing int     `json:"processing"`
	Waiting    int     `json:"waiting"`
	Unrunnable int     `json:"unrunnable"`
	Workers    int     `json:"workers"`
}

// seenCounters is what is remembered of a scheduler that cannot say since
// when it is idle.
type seenCounters struct {
	Tasks, Memory int
	Bytes         float64
	Started       float64 // tells a restarted scheduler from the one before
	Since         time.Time
	At            time.Time     // of the look
	Gap           time.Duration // from the look before
}

// unwatched is how long nobody may have looked for unchanged counters to mean
// that nothing was computed, unless looks are further apart anyhow.
const unwatched = 15 * time.Minute

// watched reports whether the look at now followed on this one as looks do
// here: a reaper that runs every hour never looks sooner, and its environments
// must come to their end, too.
func (s seenCounters) watched(now time.Time) bool {
	return now.Sub(s.At) <= max(unwatched, 2*s.Gap)
}

// compareCounts judges a scheduler by its counters, and whether they moved
// since the last look.
func (l *look) compareCounts(ctx context.Context, c *client, key string) error {
	var n counts
	if err := c.getJSON(ctx, "/json/counts.json", &n); err != nil {
		return err
	}
	started, err := identify(ctx, c)
	if err != nil {
		return err
	}
	l.memory.set(key, cmp.Or(l.memory.get(key), answered)) // whatever comes of the rest
	date := c.date
	unfinished, err := unfinished(ctx, c, n)
	if err != nil {
		return err
	}
	now := seenCounters{Tasks: n.Tasks, Memory: n.Memory, Bytes: n.Bytes, Started: started, At: l.Now}
	before := l.counted(key)
	if before != nil {
		now.Gap = l.Now.Sub(before.At)
	}
	now.Since = l.still(before, now, date)
	if unfinished {
		now.Since = l.Now
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	l.memory.set(key, string(text))
	switch {
	case unfinished && n.Workers == 0:
		l.busy("scheduler", stuck)
	case unfinished:
		l.busy("scheduler", "Dask is computing")
	default:
		l.idleSince(now.Since)
	}
	return nil
}

// identify makes sure that it is a scheduler and returns when it started.
func identify(ctx context.Context, c *client) (started float64, err error) {
	var identity struct {
		Type    string  `json:"type"`
		Started float64 `json:"started"`
	}
	if err := c.getJSON(ctx, "/json/identity.json", &identity); err != nil {
		return 0, err
	}
	if identity.Type != "Scheduler" {
		return 0, fmt.Errorf("GET /json/identity.json: this is no scheduler: %w", errStranger)
	}
	return identity.Started, nil
}

// counted is what the last look counted, nil when there was none.
func (l *look) counted(key string) *seenCounters {
	var before seenCounters
	if json.Unmarshal([]byte(l.memory.get(key)), &before) != nil {
		return nil
	}
	return &before
}

// still is since when the counters have stood still, as far as is known.
func (l *look) still(before *seenCounters, now seenCounters, date time.Time) time.Time {
	known := before != nil
	started := l.clamp(epoch(now.Started), date)
	switch {
	case known && before.Started != now.Started:
		return started
	case known && before.watched(l.Now) && before.Tasks == now.Tasks && before.Memory == now.Memory && before.Bytes == now.Bytes:
		return earlier(before.Since, l.Now) // of a look by a clock that was ahead, now is the least
	case !known && now.Tasks == 0 && l.Now.Sub(later(started, l.Environment.ReadyAt)) <= unwatched:
		return started
	default:
		return l.Now
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// taskLine is a line of the scheduler's metrics.
var taskLine = regexp.MustCompile(`(?m)^dask_scheduler_tasks\{state="(processing|waiting|queued|no-worker)"\} (\S+)$`)

// unfinished says whether there is work, also such that no counter names.
// Metrics know; without them (the library that makes them may be missing) what
// is in no other state must be queued.
func unfinished(ctx context.Context, c *client, n counts) (bool, error) {
	if n.Processing+n.Waiting+n.Unrunnable > 0 {
		return true, nil
	}
	text, err := c.get(ctx, "/metrics", "text/plain")
	if err != nil && !errors.Is(err, errAbsent) {
		return false, err
	}
	lines := taskLine.FindAllSubmatch(text, -1)
	if len(lines) == 0 {
		return n.Tasks-n.Memory-n.Erred-n.Released > 0, nil
	}
	for _, line := range lines {
		n, err := strconv.ParseFloat(string(line[2]), 64)
		if err != nil {
			return false, fmt.Errorf("GET /metrics: %w", err)
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// epoch turns seconds since 1970 into a time; zero for none.
func epoch(seconds float64) time.Time {
	if seconds <= 0 || seconds > math.MaxInt32*2 {
		return time.Time{}
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)).UTC()
}
