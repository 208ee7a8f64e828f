package activity

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// notebook asks the one Jupyter server of the dask chart.
func (l *look) notebook(ctx context.Context) {
	pod, ok := one(l.pods.jupyters)
	if !ok {
		l.unknown("server", "the notebook is not running", errors.New("no jupyter pod is running"))
		return
	}
	c := l.client(pod, notebookPort, l.Plan.Credentials.Token)
	defer c.close()
	if err := l.askNotebook(ctx, c, "/"); err != nil {
		l.unknown("server", "the notebook does not answer", err)
	}
}

// untracked asks a server not to take the question for use.
const untracked = "?no_track_activity=1"

type kernel struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"`
	LastActivity time.Time `json:"last_activity"`
	State        string    `json:"execution_state"`
}

type terminal struct {
	LastActivity time.Time `json:"last_activity"`
}

// askNotebook asks one Jupyter server under its path.
func (l *look) askNotebook(ctx context.Context, c *client, base string) error {
	var status struct {
		Started      time.Time `json:"started"`
		LastActivity time.Time `json:"last_activity"`
	}
	var kernels []kernel
	var terminals []terminal
	if err := c.getJSON(ctx, base+"api/status"+untracked, &status); err != nil {
		return err
	}
	if err := c.getJSON(ctx, base+"api/kernels"+untracked, &kernels); err != nil {
		return err
	}
	// A server without terminals does not know the page.
	if err := c.getJSON(ctx, base+"api/terminals"+untracked, &terminals); err != nil && !errors.Is(err, errAbsent) {
		return err
	}
	if status.LastActivity.After(status.Started) { // until the first use they are the same
		l.signal("server", environment.SignalQuiet, l.clamp(status.LastActivity, c.date), "the notebook was last used at "+clock(l.clamp(status.LastActivity, c.date)))
	} else {
		l.quiet("server", "the notebook is running")
	}
	for _, k := range kernels {
		l.kernel(k, c.date)
	}
	if len(terminals) > 0 {
		last := slices.MaxFunc(terminals, func(a, b terminal) int { return a.LastActivity.Compare(b.LastActivity) }).LastActivity
		l.signal("terminal", environment.SignalQuiet, l.clamp(last, c.date), "a terminal is open; what runs in it without printing cannot be seen")
	}
	return nil
}

// kernelName is a name of a kernel that can be repeated to people.
var kernelName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,40}$`)

// kernel judges one kernel. While it computes without printing its last
// activity is when that began; since when it has been busy is remembered for
// those that print.
func (l *look) kernel(k kernel, date time.Time) {
	name := "a kernel"
	if kernelName.MatchString(k.Name) {
		name = "kernel " + k.Name
	}
	last := l.clamp(k.LastActivity, date)
	switch k.State {
	case "busy":
		since := l.memory.since("kernel."+cmp.Or(k.ID, k.Name), last)
		message := name + " is running"
		if took := l.Now.Sub(since); took >= time.Minute {
			message = name + " has been running for " + span(took)
		}
		l.busy("kernel", message)
	case "starting", "restarting":
		l.starting(k, name, last)
	case "idle", "dead":
		l.signal("kernel", environment.SignalQuiet, last, name+" is idle since "+clock(last))
	default:
		l.unknown("kernel", "it is not known whether "+name+" is running", errors.New("a kernel in an unknown state"))
	}
}

// starting judges a kernel whose server says that it is starting. One that
// nobody ever connected to is called so for ever; but so may be, by servers
// before jupyter_server 2, one that runs, whose last activity stands still while
// it prints nothing. Nothing that can be asked tells the two apart, and nobody
// makes the first on purpose: it is busy, for as long as the policy waits for
// anything busy.
func (l *look) starting(k kernel, name string, last time.Time) {
	since := l.memory.since("kernel."+cmp.Or(k.ID, k.Name), last)
	message := name + " is starting"
	if took := l.Now.Sub(since); took >= startLimit {
		message = name + " has been starting for " + span(took) + " and may be at work"
	}
	l.busy("kernel", message)
}
