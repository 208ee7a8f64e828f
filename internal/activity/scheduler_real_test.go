//go:build linux && !race

package activity

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// dask is a real scheduler, and what is started around it.
type dask struct {
	python    python
	port, web int
	watcher   *watcher
	stop      func()
}

func (d *dask) start(t *testing.T) {
	t.Helper()
	cmd := d.python.command(t.Context(), "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
		"--port", fmt.Sprint(d.port), "--dashboard-address", local(d.web))
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Env, `DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES=["distributed.http.scheduler.prometheus","distributed.http.scheduler.info",`+
		`"distributed.http.scheduler.json","distributed.http.health","distributed.http.proxy","distributed.http.statics","distributed.http.scheduler.api"]`)
	d.stop = start(t, cmd)
	listens(t, d.port)
	listens(t, d.web)
}

func (d *dask) worker(t *testing.T) (stop func()) {
	t.Helper()
	cmd := d.python.command(t.Context(), "-m", "distributed.cli.dask_worker", "tcp://"+local(d.port), "--host", "127.0.0.1",
		"--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "1GB")
	cmd.Dir = t.TempDir()
	return start(t, cmd)
}

// client runs a Python program that is connected as c until it is stopped. It
// returns once the program printed a line.
func (d *dask) client(t *testing.T, program string) (stop func()) {
	t.Helper()
	cmd := d.python.command(t.Context(), "-c", "import time\nfrom distributed import Client\nc = Client('tcp://"+local(d.port)+"')\n"+
		program+"\nprint('done', flush=True)\ntime.sleep(600)\n")
	cmd.Dir = t.TempDir()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stop = startQuietly(t, cmd)
	if !bufio.NewScanner(out).Scan() {
		t.Fatalf("a client ended before it had done anything")
	}
	return stop
}

// becomes polls until the verdict is there: schedulers take a moment.
func (d *dask) becomes(t *testing.T, is environment.VerdictKind, words string) environment.Activity {
	t.Helper()
	wait(t, time.Minute, func() error {
		if got, _ := d.watcher.look(t, half); got.Is != is || !strings.Contains(got.Reason, words) {
			return fmt.Errorf("got %s (%s); want %s with %q", got.Is, got.Reason, is, words)
		}
		return nil
	})
	return d.watcher.expect(t, is, words)
}

func TestRealSchedulers(t *testing.T) {
	needServers(t)
	for _, test := range []struct {
		name     string
		packages []string
	}{
		{"current", []string{"distributed"}},
		{"without check_idle", []string{"distributed==2022.12.1", "dask==2022.12.1", "setuptools<80"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := virtual(t, "dask-"+strings.ReplaceAll(test.name, " ", "-"), append(test.packages, "prometheus_client")...)
			d := &dask{python: p, port: freePort(t), web: freePort(t)}
			c := &cluster{}
			c.add("scheduler", chartLabels, schedulerPort, d.web)
			jupyter := startJupyter(t)
			c.add("jupyter", jupyterLabels, notebookPort, jupyter)
			d.watcher = watch(c, environment.AccessJupyter, token)
			d.start(t)
			d.rows(t)
		})
	}
}

// rows are the truth table's, in an order in which each needs least.
func (d *dask) rows(t *testing.T) {
	d.watcher.probe.Environment.ReadyAt = time.Now()
	d.becomes(t, environment.VerdictIdle, "nobody has used it")
	queued := d.client(t, "f = c.submit(lambda: 1)\ntime.sleep(1)")
	d.becomes(t, environment.VerdictActive, stuck)
	d.watcher.probe.Environment.ReadyAt = time.Now().Add(-time.Hour)
	worker := d.worker(t)
	held := d.becomes(t, environment.VerdictIdle, "last used") // done, and the client holds the result
	if got := time.Since(held.Last()); got > 30*time.Second {
		t.Errorf("the last use is %s ago; want when the task ended", got)
	}
	busy := d.client(t, "g = [c.submit(time.sleep, 600 + i) for i in range(3)]\ntime.sleep(1)")
	d.becomes(t, environment.VerdictActive, "computing")
	queued()
	busy()
	d.becomes(t, environment.VerdictIdle, "last used") // nobody waits for the result
	worker()
	d.stop()
	d.watcher.expect(t, environment.VerdictUnknown, "does not answer")
	d.start(t)
	restarted := d.becomes(t, environment.VerdictIdle, "last used")
	if got := time.Since(restarted.Last()); got > 30*time.Second {
		t.Errorf("after a restart the last use is %s ago; want the restart", got)
	}
}
