package activity

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// within is a hub whose one notebook, unused for hours, may have a scheduler.
func within() (*pipes, *watcher) {
	p := &pipes{}
	p.add("hub", hubLabels, hubPort, hubOf(fmt.Sprintf(readyUser, stamp(3*time.Hour))))
	p.add("notebook", notebookLabels, notebookPort, notebookOf(`[]`))
	w := watch(p, environment.AccessJupyterHub, token)
	w.prober = New(Config{Inside: p})
	return p, w
}

// idles answers check_idle.
func idles(since string) *pages {
	return &pages{text: map[string]string{"/api/v1/check_idle": `{"idle_since": ` + since + `}`, "/json/counts.json": `{"workers": 1}`}}
}

// TestBusySchedulerWithinIsSilent: an event loop that computes for longer than
// a look takes answers nothing, and that is no reason to end it.
func TestBusySchedulerWithinIsSilent(t *testing.T) {
	for name, computing := range map[string]*pages{
		"without check_idle": countersOf(counts{Tasks: 1, Processing: 1, Workers: 1}, 1, ""),
		"with check_idle":    idles("null"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, w := within()
				p.set("notebook", schedulerPort, computing)
				w.expect(t, environment.VerdictActive, "Dask is computing")
				p.set("notebook", schedulerPort, hung)
				for range 30 { // two and a half hours
					time.Sleep(5 * time.Minute)
					w.expect(t, environment.VerdictUnknown, "a Dask scheduler in a notebook does not answer")
				}
				p.set("notebook", schedulerPort, computing)
				w.expect(t, environment.VerdictActive, "Dask is computing")
			})
		})
	}
}

// TestSchedulerWithinIsGone: once it was closed nobody waits for it any more,
// and what is trouble only does not make it so.
func TestSchedulerWithinIsGone(t *testing.T) {
	put := func(h http.Handler) func(*pipes) {
		return func(p *pipes) { p.set("notebook", schedulerPort, h) }
	}
	const silent = "a Dask scheduler in a notebook does not answer"
	for _, test := range []struct {
		name string
		then func(*pipes)
		is   environment.VerdictKind
		gone bool
	}{
		{"refused", put(nil), environment.VerdictIdle, true},
		{"another server, without its pages", put(http.NotFoundHandler()), environment.VerdictIdle, true},
		{"another server, with pages of its own", put(&pages{text: map[string]string{"/api/v1/check_idle": "<html>"}}), environment.VerdictIdle, true},
		{"another server, with a login", put(http.RedirectHandler("/login", http.StatusFound)), environment.VerdictIdle, true},
		{"its pod is another", func(p *pipes) { p.pods[1].Pending = true }, environment.VerdictUnknown, true}, // for the notebook
		{"the pod cannot be reached", func(p *pipes) { p.cut = true }, environment.VerdictUnknown, false},
		{"trouble", put(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusInternalServerError) })), environment.VerdictUnknown, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, w := within()
				p.set("notebook", schedulerPort, idles("null"))
				w.look(t, 0)
				test.then(p)
				time.Sleep(5 * time.Minute)
				said := strings.Contains(strings.Join(signals(w.expect(t, test.is, "")), "\n"), silent)
				if remembered := w.use.Memory["scheduler.notebook"] != ""; remembered == test.gone || said == test.gone {
					t.Errorf("remembered: %t, said: %t; want %t", remembered, said, !test.gone)
				}
			})
		})
	}
}

// TestSilentPortIsNotForEver: what never said that it is a scheduler may be one
// that is too busy, for a while.
func TestSilentPortIsNotForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := within()
		p.set("notebook", schedulerPort, hung)
		began := time.Now()
		for time.Since(began) < longSilence {
			w.expect(t, environment.VerdictUnknown, "what may be a Dask scheduler in a notebook does not answer")
			time.Sleep(5 * time.Minute)
		}
		w.expect(t, environment.VerdictIdle, "nobody has used it")
		p.set("notebook", schedulerPort, nil)
		w.expect(t, environment.VerdictIdle, "nobody has used it")
		p.set("notebook", schedulerPort, hung) // something new
		w.expect(t, environment.VerdictUnknown, "what may be a Dask scheduler")
	})
}

// TestRareLooksFindIdle: without check_idle, counters that stand still from one
// look to the next say so however rarely the reaper comes; that nobody looked
// for longer than is usual does not.
func TestRareLooksFindIdle(t *testing.T) {
	for _, every := range []time.Duration{5 * time.Minute, 15*time.Minute + time.Second, time.Hour, 24 * time.Hour} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				p := &pipes{}
				p.add("s", chartLabels, schedulerPort, countersOf(counts{Tasks: 2, Memory: 2, Workers: 1}, float64(began.Unix()), ""))
				p.add("jupyter", jupyterLabels, notebookPort, &pages{text: map[string]string{
					"/api/status": `{"started":"2000-01-01T00:00:00Z","last_activity":"2000-01-01T00:00:00Z"}`, "/api/kernels": `[]`}})
				w := watch(p, environment.AccessJupyter, token)
				for range 5 {
					time.Sleep(every)
					w.look(t, 0)
				}
				if got := w.use.Verdict; got.Is != environment.VerdictIdle || got.Since.After(began.Add(2*every)) {
					t.Errorf("got %s since %s; want idle since %s", got.Is, got.Since, began.Add(2*every))
				}
				time.Sleep(3 * max(every, unwatched))
				if got, a := w.look(t, 0); !a.Last().Equal(a.At.UTC()) {
					t.Errorf("after an outage: got %s, last used %s; want nothing known before now", got.Is, a.Last())
				}
			})
		})
	}
}
