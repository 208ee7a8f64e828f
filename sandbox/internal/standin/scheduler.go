package standin

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const standsForScheduler = "a Dask scheduler"

// scheduler stands in for a Dask scheduler's web side.
type scheduler struct {
	*target
	mux *http.ServeMux
}

// scene is what a scheduler sees when it is asked.
type scene struct {
	w       http.ResponseWriter
	pod     corev1.Pod // the scheduler's own
	workers []corev1.Pod
	script  Scheduler
}

// newScheduler serves one port of the Service: the dashboard's, or the one
// for Dask's own protocol, which an HTTP request does not speak.
func newScheduler(t *target) http.Handler {
	for _, port := range t.service.Spec.Ports {
		if port.Port == t.port && (port.Name == "tcp-comm" || port.TargetPort.IntValue() == 8786) {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Connection", "close")
				http.Error(w, "this port speaks Dask's protocol, which the stand-in does not", http.StatusBadRequest)
			})
		}
	}
	s := &scheduler{target: t, mux: http.NewServeMux()}
	for pattern, handle := range map[string]func(scene){
		"GET /health":             s.health,
		"GET /status":             s.status,
		"GET /metrics":            s.metrics,
		"GET /sitemap.json":       s.sitemap,
		"GET /json/counts.json":   s.counts,
		"GET /json/identity.json": s.identity,
	} {
		s.mux.HandleFunc(pattern, s.look(handle))
	}
	for pattern, handle := range map[string]func(scene){
		"GET /api/v1/check_idle":      s.checkIdle,
		"GET /api/v1/get_workers":     s.getWorkers,
		"GET /api/v1/adaptive_target": s.adaptiveTarget,
		"POST /api/v1/retire_workers": s.retireWorkers,
	} {
		s.mux.HandleFunc(pattern, s.look(ifRouted(handle)))
	}
	s.mux.Handle("GET /{$}", http.RedirectHandler("/status", http.StatusFound))
	s.mux.HandleFunc("GET /sandbox/packages", t.packages)
	return s.mux
}

// look gathers what the scheduler sees. needsPod has found its pod.
func (s *scheduler) look(next func(scene)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.fault("scheduler", s.clusterID) {
			panic(http.ErrAbortHandler) // as from a load balancer whose target refuses
		}
		workers, err := s.siblings(r.Context(), "worker")
		if err != nil {
			s.fail(w, r, "look for workers", err)
			return
		}
		seen := scene{w: w, pod: podsOf(r)[0], workers: workers}
		s.edit(func(r *record) bool {
			if r.Scheduler != nil {
				seen.script = *r.Scheduler
			}
			return false
		})
		next(seen)
	}
}

// apiModule is the part of distributed that is off unless it is asked for.
const apiModule = "distributed.http.scheduler.api"

func (v scene) routed() bool {
	return strings.Contains(env(&v.pod, "DASK_DISTRIBUTED__SCHEDULER__HTTP__ROUTES"), apiModule)
}

// ifRouted answers 404 unless the scheduler's pod was told to have the API.
func ifRouted(next func(scene)) func(scene) {
	return func(v scene) {
		if !v.routed() {
			http.Error(v.w, "404: Not Found", http.StatusNotFound)
			return
		}
		next(v)
	}
}

func (s *scheduler) health(v scene) {
	v.w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(v.w, "ok")
}

// checkIdle answers null for a busy scheduler, else since when it is idle.
func (s *scheduler) checkIdle(v scene) {
	if v.script.busy() {
		writeJSON(v.w, http.StatusOK, map[string]any{"idle_since": nil})
		return
	}
	since := readySince(&v.pod)
	if v.script.IdleSince != nil {
		since = *v.script.IdleSince
	}
	writeJSON(v.w, http.StatusOK, map[string]any{"idle_since": epoch(since)})
}

func epoch(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

// tasks is never less than its parts.
func (v scene) tasks() int {
	s := v.script
	return max(s.Tasks, s.Processing+s.Waiting+s.Queued+s.Unrunnable+s.Memory+s.Erred+s.Released)
}

// desired is how many workers adaptive scaling would want: one while results
// are held or work waits, more for more work.
func (v scene) desired() int {
	work := v.script.Processing + v.script.Waiting + v.script.Queued + v.script.Unrunnable
	if work == 0 && v.script.Memory == 0 && !v.script.Busy {
		return 0
	}
	return max(1, min(work, len(v.workers)+v.script.Queued))
}

func (s *scheduler) counts(v scene) {
	idle := len(v.workers)
	if v.script.Processing > 0 {
		idle = max(0, idle-v.script.Processing)
	}
	threads := 0
	for i := range v.workers {
		threads += nthreads(&v.workers[i])
	}
	writeJSON(v.w, http.StatusOK, map[string]any{
		"bytes": v.script.Bytes, "clients": v.script.Clients + 1, // one is the scheduler's own
		"cores": threads, "erred": v.script.Erred, "hosts": len(v.workers), "idle": idle,
		"memory": v.script.Memory, "processing": v.script.Processing, "released": v.script.Released,
		"saturated": 0, "tasks": v.tasks(), "unrunnable": v.script.Unrunnable, "waiting": v.script.Waiting,
		"waiting_data": 0, "workers": len(v.workers), "desired_workers": v.desired(),
	})
}

func (s *scheduler) identity(v scene) {
	workers, threads, memory := map[string]any{}, 0, int64(0)
	for i := range v.workers {
		pod := &v.workers[i]
		threads += nthreads(pod)
		memory += memoryLimit(pod)
		workers[address(pod)] = map[string]any{
			"type": "Worker", "name": pod.Name, "host": pod.Status.PodIP, "nthreads": nthreads(pod),
			"memory_limit": memoryLimit(pod), "last_seen": epoch(s.now()), "status": "running",
			"metrics": map[string]any{"task_counts": map[string]int{}, "cpu": 0, "memory": 0},
		}
	}
	writeJSON(v.w, http.StatusOK, map[string]any{
		"type": "Scheduler", "id": "Scheduler-" + string(v.pod.UID), "address": "tcp://" + v.pod.Status.PodIP + ":8786",
		"services": map[string]int{"dashboard": 8787}, "started": epoch(readySince(&v.pod)),
		"n_workers": len(v.workers), "total_threads": threads, "total_memory": memory, "workers": workers,
	})
}

func (s *scheduler) getWorkers(v scene) {
	workers := []map[string]string{}
	for i := range v.workers {
		workers = append(workers, map[string]string{"name": v.workers[i].Name, "address": address(&v.workers[i])})
	}
	writeJSON(v.w, http.StatusOK, map[string]any{"num_workers": len(workers), "workers": workers})
}

func (s *scheduler) adaptiveTarget(v scene) {
	writeJSON(v.w, http.StatusOK, map[string]int{"workers": v.desired()})
}

func (s *scheduler) retireWorkers(v scene) {
	http.Error(v.w, "the stand-in for a scheduler retires no workers", http.StatusNotImplemented)
}

func (s *scheduler) sitemap(v scene) {
	paths := []string{"/health", "/json/counts.json", "/json/identity.json", "/metrics", "/sitemap.json", "/status"}
	if v.routed() {
		paths = append(paths, "/api/v1/adaptive_target", "/api/v1/check_idle", "/api/v1/get_workers", "/api/v1/retire_workers")
	}
	writeJSON(v.w, http.StatusOK, map[string]any{"paths": paths})
}

// metrics needs a package that the image lacks and EXTRA_PIP_PACKAGES brings.
func (s *scheduler) metrics(v scene) {
	v.w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	packages := env(&v.pod, "EXTRA_PIP_PACKAGES")
	if !strings.Contains(strings.ReplaceAll(packages, "_", "-"), "prometheus-client") {
		_, _ = io.WriteString(v.w, "# Prometheus metrics are not available, see the documentation of Dask\n")
		return
	}
	script := v.script
	fmt.Fprintf(v.w, "# TYPE dask_scheduler_clients gauge\ndask_scheduler_clients %d\n# TYPE dask_scheduler_tasks gauge\n", script.Clients)
	for _, state := range []struct {
		name  string
		count int
	}{
		{"erred", script.Erred}, {"memory", script.Memory}, {"no-worker", script.Unrunnable}, {"processing", script.Processing},
		{"queued", script.Queued}, {"released", script.Released}, {"waiting", script.Waiting},
	} {
		fmt.Fprintf(v.w, "dask_scheduler_tasks{state=%q} %d\n", state.name, state.count)
	}
	fmt.Fprintf(v.w, "# TYPE dask_scheduler_workers gauge\ndask_scheduler_workers{state=\"idle\"} %d\n", len(v.workers))
}

func (s *scheduler) status(v scene) {
	state := "idle"
	if v.script.busy() {
		state = "busy"
	}
	s.page(v.w, http.StatusOK, page{Title: "Dask dashboard", StandsFor: standsForScheduler, Rows: []row{
		{"State", state}, {"Workers", fmt.Sprint(len(v.workers))}, {"Tasks", fmt.Sprint(v.tasks())},
	}, Links: []link{{URL: "/sandbox/packages", Text: "Packages each side was given"}}})
}

func address(pod *corev1.Pod) string { return "tcp://" + pod.Status.PodIP + ":8788" }

// nthreads is what the chart tells a worker: its CPU limit in whole threads.
func nthreads(pod *corev1.Pod) int {
	if len(pod.Spec.Containers) == 0 {
		return 1
	}
	cpu := pod.Spec.Containers[0].Resources.Limits.Cpu().AsApproximateFloat64()
	return max(1, int(math.Floor(cpu)))
}

func memoryLimit(pod *corev1.Pod) int64 {
	if len(pod.Spec.Containers) == 0 {
		return 0
	}
	return pod.Spec.Containers[0].Resources.Limits.Memory().Value()
}
