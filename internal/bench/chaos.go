package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What chaos reads of its environment.
const (
	chaosFor   = "DASKBOT_CHAOS"              // how long everything fails, such as 10m
	chaosCount = "DASKBOT_CHAOS_ENVIRONMENTS" // how many people have one at a time
	chaosRuns  = "DASKBOT_CHAOS_RUNS"         // of the property
	chaosSeed  = "DASKBOT_CHAOS_SEED"
)

// chaos lets everything fail: in the small and often, with a cloud that is a
// double, and for real.
func chaos(ctx context.Context, s *stage) (results, error) {
	runs, violations, note, err := s.property(ctx)
	if err != nil {
		return results{}, err
	}
	c, err := newTurmoil(ctx, s, nil)
	if c != nil {
		defer c.close()
	}
	if err != nil {
		return results{}, err
	}
	if err := c.run(ctx); err != nil {
		return results{}, err
	}
	failed, notes := c.failures()
	strikes := 0
	for _, n := range c.script.struck() {
		strikes += n
	}
	got := results{values: map[string]float64{
		"chaos.runs": float64(runs), "chaos.violations": float64(violations + len(c.wrong)),
		"chaos.environments": float64(len(c.all)), "chaos.failed": float64(failed), "chaos.disasters": float64(c.disasters),
		"chaos.faults": float64(strikes), "chaos.faults_missed": float64(len(c.script.missed())),
	}}
	got.notes = append(got.notes, "chaos, the property: "+note, fmt.Sprintf("chaos, %s, seed %d: %v", c.lasts, c.seed, c.struck), c.where())
	got.notes = slices.Concat(got.notes, c.faultNotes(), notes)
	for i, w := range c.wrong {
		if i < 20 {
			got.notes = append(got.notes, "violation: "+w)
		}
	}
	return got, nil
}

var runsLine = regexp.MustCompile(`(?m)(\d+) runs\b.*: map\[.*\]`)

// property runs the property test so often; a run that fails is a violation.
// The note says with which seed, and what happened.
func (s *stage) property(ctx context.Context) (runs, violations int, note string, err error) {
	cmd := exec.CommandContext(ctx, s.program("daskbot-chaos.test"), "-test.v", "-test.timeout", "2h") //nolint:gosec // our own program
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), chaosRuns+"="+setting(chaosRuns, "300"))
	out, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if errors.As(err, &failed) && ctx.Err() == nil {
		fmt.Printf("%s\n", out)
		return 0, 1, "a run failed; it is printed above, with its seed", nil
	}
	runs, note = runsOf(string(out))
	if err != nil || runs == 0 {
		return 0, 0, "", fmt.Errorf("daskbot-chaos.test: %w: %s", err, out)
	}
	s.tell("%s", note)
	return runs, 0, note, nil
}

// runsOf adds up the runs on each store, and repeats what happened in them.
func runsOf(out string) (runs int, note string) {
	var notes []string
	for _, m := range runsLine.FindAllStringSubmatch(out, -1) {
		n, _ := strconv.Atoi(m[1]) // digits
		runs += n
		notes = append(notes, m[0])
	}
	return runs, strings.Join(notes, "; ")
}

func setting(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

// turmoil is three daemons on a PostgreSQL, people who use them, and somebody
// who breaks things.
type turmoil struct {
	*stage
	workspace workspace
	db        *postgres
	replicas  []*replica
	lasts     time.Duration
	people    int
	seed      uint64

	mu        sync.Mutex
	wrong     []string
	disasters int
	struck    map[string]int // and other things worth counting
	all       []*record

	script script
	own    chan struct{} // clusters that somebody has to themselves
	moved  atomic.Int64  // when something last changed, in nanoseconds
}

// newTurmoil starts everything; older is the version that the daemons begin
// with, nil for that of this checkout.
func newTurmoil(ctx context.Context, s *stage, older *version) (c *turmoil, err error) {
	c = &turmoil{stage: s, struck: map[string]int{}, own: make(chan struct{}, ownAtOnce)}
	if c.lasts, err = time.ParseDuration(setting(chaosFor, "90s")); err != nil {
		return nil, fmt.Errorf("%s: %w", chaosFor, err)
	}
	if c.people, err = strconv.Atoi(setting(chaosCount, "10")); err != nil {
		return nil, fmt.Errorf("%s: %w", chaosCount, err)
	}
	if c.seed, err = strconv.ParseUint(setting(chaosSeed, strconv.FormatInt(time.Now().UnixNano(), 10)), 10, 64); err != nil {
		return nil, fmt.Errorf("%s: %w", chaosSeed, err)
	}
	if c.workspace, err = s.startWorkspace(ctx, max(people, c.people)); err != nil {
		return nil, err
	}
	// The reaper is to end something within minutes, and the sweep for orphans
	// to look while clusters come and go.
	s.extra = append(s.extra, "DASKBOT_FIRST_WARNING=2m", "DASKBOT_LAST_WARNING=1m", "DASKBOT_ORPHAN_SCHEDULE=* * * * *")
	if err := c.makeClasses(); err != nil {
		return nil, err
	}
	if c.db, err = newPostgres(ctx, s.dir); err != nil {
		return nil, err
	}
	if err := c.db.start(ctx); err != nil {
		return c, err
	}
	of := s.current()
	if older != nil {
		of = *older
	}
	c.replicas, err = s.startReplicas(ctx, 3, c.db.url(), of)
	return c, err
}

// close stops the daemons before their database; the stage does the rest.
func (c *turmoil) close() {
	for _, r := range c.replicas {
		_ = r.running().stop(40 * time.Second) // what it has to say is in its log
	}
	if c.db != nil {
		_ = c.db.stop(20 * time.Second)
	}
}

// violates notes a promise that was broken.
func (c *turmoil) violates(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	fmt.Println("  violation:", c.wrong[len(c.wrong)-1])
}

// counts adds to what is told in the end.
func (c *turmoil) counts(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.struck[what] += n
}

func (c *turmoil) run(ctx context.Context) error {
	storm, over := context.WithTimeout(ctx, c.lasts)
	defer over()
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	var watchers, class, fate sync.WaitGroup
	watchers.Go(func() { c.watch(watching) })
	watchers.Go(func() { c.watchFaults(watching) })
	for n := range c.people {
		class.Go(func() { c.person(ctx, storm, n) })
	}
	fate.Go(func() { c.misbehaves(ctx, storm) })
	c.breakThings(ctx, storm)
	fate.Wait()
	if err := c.calm(ctx); err != nil {
		return err
	}
	class.Wait()
	stopWatching()
	watchers.Wait()
	return c.settled(ctx)
}

// breakThings does until the storm is over.
func (c *turmoil) breakThings(ctx, storm context.Context) {
	random := rand.New(rand.NewPCG(c.seed, 0)) //nolint:gosec // it must be the same again
	for {
		if pause(storm, time.Duration(1+random.IntN(5))*time.Second) != nil {
			return
		}
		d := disasters[random.IntN(len(disasters))]
		c.tell("disaster: %s", d.name)
		if err := d.strike(ctx, c, random); err != nil {
			c.violates("%s: %v", d.name, err)
			return
		}
		c.mu.Lock()
		c.disasters++
		c.struck[d.name]++
		c.mu.Unlock()
	}
}

// calm mends everything.
func (c *turmoil) calm(ctx context.Context) error {
	if err := c.takesBack(ctx); err != nil {
		return err
	}
	for _, r := range c.replicas {
		if err := r.setClock(0); err != nil {
			return err
		}
		if r.running() == nil {
			if err := r.start(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
