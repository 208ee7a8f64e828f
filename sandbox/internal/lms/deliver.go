package lms

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// patience is how long a platform waits for a tool.
const patience = 10 * time.Second

// States of a delivery.
const (
	waiting   = "waiting"
	delivered = "delivered"
	gaveUp    = "given up"
	turnedOff = "off" // never sent: the tool's feeds are off
)

// delivery is a notice on its way to a tool, kept so that a person can see
// what became of it and tests can send it again byte for byte.
type delivery struct {
	ID       int               `json:"id"`
	At       time.Time         `json:"at"`
	Course   string            `json:"course"`
	Tool     string            `json:"tool"`
	Feed     string            `json:"feed"`
	Event    string            `json:"event"` // in the source's words
	Person   string            `json:"person,omitempty"`
	Tamper   string            `json:"tamper,omitempty"`
	URL      string            `json:"url"`
	Headers  map[string]string `json:"headers"`
	Body     string            `json:"body"`
	State    string            `json:"state"`
	Attempts []attempt         `json:"attempts"`
	Next     *time.Time        `json:"next,omitempty"`

	notice notice
	delay  time.Duration
}

// attempt is one request and its answer.
type attempt struct {
	At      time.Time `json:"at"`
	Status  int       `json:"status,omitempty"`
	Answer  string    `json:"answer,omitempty"`
	Problem string    `json:"problem,omitempty"`
	Ms      float64   `json:"ms"`
}

// deliveries remembers the newest.
type deliveries struct {
	mu   sync.Mutex
	next int
	all  []*delivery
}

const remembered = 5000

func (l *deliveries) add(d *delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	d.ID = l.next
	l.all = append(l.all, d)
	if len(l.all) > 2*remembered {
		l.all = slices.Clone(l.all[remembered:])
	}
}

// change changes a delivery that others may be reading.
func (l *deliveries) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// of lists copies of a course's deliveries, or of all, oldest first.
func (l *deliveries) of(course string) []delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := []delivery{}
	for _, d := range l.all {
		if course == "" || d.Course == course {
			one := *d
			one.Attempts = slices.Clone(d.Attempts)
			found = append(found, one)
		}
	}
	return found
}

func newClient() *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// way is how a source repeats what was not taken.
type way struct {
	retries []time.Duration
	taken   func(status int) bool
}

func anySuccess(status int) bool { return status/100 == 2 }

// ways are those of the real ones; what they do not document is a guess and
// said to be one in the sandbox's README.
var ways = map[string]way{
	Canvas:        {[]time.Duration{5 * time.Second, time.Minute}, anySuccess},
	MoodleTrigger: {[]time.Duration{time.Minute, time.Minute, time.Minute, time.Minute}, func(status int) bool { return status == http.StatusOK }},
	MoodleHooks:   {nil, anySuccess},
	Bearer:        {[]time.Duration{5 * time.Second, time.Minute}, anySuccess},
	Standard: {[]time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}, anySuccess},
}

// pauses are those before repetitions of a tool's delivery.
func (t *Tool) pauses(feed string) []time.Duration {
	if t.Retries == nil {
		return ways[feed].retries
	}
	all := make([]time.Duration, 0, len(t.Retries))
	for _, text := range t.Retries {
		pause, err := time.ParseDuration(text)
		if err != nil {
			pause = time.Minute // POST /lms/tools takes durations only
		}
		all = append(all, pause)
	}
	return all
}

// deliver sends a notice until the tool takes it or the source would give up.
func (p *Platform) deliver(ctx context.Context, d *delivery) {
	if !wait(ctx, d.delay) {
		return
	}
	for try := 0; ; try++ {
		a, pauses, problem := p.attempt(ctx, d)
		taken := problem == "" && a.Problem == "" && ways[d.Feed].taken(a.Status)
		state, next := d.after(a, taken, problem, pauses, try)
		p.sent.change(func() { d.State, d.Next = state, next })
		if next == nil {
			p.settle(d, taken, a.Status)
			return
		}
		p.tellPages()
		if !wait(ctx, pauses[try]) {
			return
		}
	}
}

// after says what an attempt makes of a delivery, and when the next one is; nil
// when there is none.
func (d *delivery) after(a attempt, taken bool, problem string, pauses []time.Duration, try int) (state string, next *time.Time) {
	switch {
	case taken:
		return delivered, nil
	case problem != "":
		return problem, nil
	case try >= len(pauses), d.Feed == Standard && a.Status == http.StatusGone:
		return gaveUp, nil
	default:
		at := time.Now().Add(pauses[try])
		return waiting, &at
	}
}

// attempt seals a notice and sends it once. problem says that it cannot be
// sent at all.
func (p *Platform) attempt(ctx context.Context, d *delivery) (a attempt, pauses []time.Duration, problem string) {
	p.mu.Lock()
	t, err := p.memory.tool(d.Tool)
	if err == nil && t.Off != "" {
		p.mu.Unlock()
		return a, nil, turnedOff
	}
	if err == nil {
		pauses = t.pauses(d.Feed)
		secrets, ring := p.memory.Secrets, p.memory.Events
		p.sent.change(func() { err = d.seal(secrets, ring, time.Now()) })
	}
	p.mu.Unlock()
	if err != nil {
		p.cfg.Log.Error("a notice cannot be sealed", "reason", err)
		return a, nil, gaveUp
	}
	a = p.post(ctx, d.URL, d.Headers, d.Body)
	p.sent.change(func() { d.Attempts = append(d.Attempts, a) })
	return a, pauses, ""
}

// Canvas's subscription is switched off after so many failures within a day.
const (
	maxFailures   = 10
	failuresCount = 24 * time.Hour
)

// settle draws the consequences of a delivery's end.
func (p *Platform) settle(d *delivery, taken bool, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.notify()
	t, err := p.memory.tool(d.Tool)
	if err != nil || taken {
		return
	}
	if d.Feed == Standard && status == http.StatusGone {
		t.Off = "The tool answered 410 Gone."
		p.changed()
	}
	if d.Feed != Canvas || d.Tamper != "" {
		return
	}
	now := time.Now()
	p.failures = append(slices.DeleteFunc(p.failures, func(at time.Time) bool { return now.Sub(at) > failuresCount }), now)
	if len(p.failures) >= maxFailures {
		p.failures, t.Off = nil, "Canvas deactivated the subscription: too many deliveries failed within a day."
		p.changed()
	}
}

// post makes one request and tells the answer.
func (p *Platform) post(ctx context.Context, url string, headers map[string]string, body string) attempt {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a := attempt{At: time.Now()}
	status, answer, err := p.exchange(ctx, url, headers, body)
	a.Ms = float64(time.Since(a.At).Microseconds()) / 1000
	a.Status, a.Answer = status, answer
	if errors.Is(err, context.DeadlineExceeded) {
		a.Problem = "timeout"
	} else if err != nil {
		a.Problem = "no connection"
	}
	return a
}

func (p *Platform) exchange(ctx context.Context, url string, headers map[string]string, body string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, "", err
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, string(answer), err
}

// wait says whether the time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
