package activity

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// probesAtOnce is the reaper's default.
const probesAtOnce = 32

// BenchmarkProbe looks at b.N environments, as many at once as the reaper does:
// each has a hub with one user, a notebook with a kernel, and a scheduler, all
// on loopback, so what is measured is our own work and the connections.
func BenchmarkProbe(b *testing.B) {
	var requests atomic.Int64
	c := &cluster{}
	add := func(name string, labels map[string]string, port int, handler http.Handler) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			handler.ServeHTTP(w, r)
		}))
		b.Cleanup(server.Close)
		c.add(name, labels, port, server.Listener.Addr().(*net.TCPAddr).Port)
	}
	text := func(p *pages) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, p.text[r.URL.Path]) })
	}
	add("hub", hubLabels, hubPort, text(hubOf(fmt.Sprintf(readyUser, stamp(3*time.Hour)))))
	add("notebook", notebookLabels, notebookPort, text(notebookOf(`[{"id":"k","name":"python3","last_activity":"`+stamp(time.Hour)+`","execution_state":"idle"}]`)))
	add("scheduler", operatorLabels, schedulerPort, text(&pages{text: map[string]string{"/api/v1/check_idle": `{"idle_since": 1795395851.56}`}}))
	w := watch(c, environment.AccessJupyterHub, token)
	b.SetParallelism((probesAtOnce + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			probe := w.probe
			probe.Now = time.Now()
			if a, _ := w.prober.Probe(b.Context(), probe); len(a.Signals) < 3 {
				b.Errorf("a look saw only %v", signals(a))
				return
			}
		}
	})
	b.StopTimer()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(b.Elapsed().Seconds(), "s")
	b.ReportMetric(float64(requests.Load()), "requests")
	b.ReportMetric(float64(memory.Sys)/1e6, "MB")
}
