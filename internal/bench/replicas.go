package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// replica is one of several daemons on one store.
type replica struct {
	*stage
	number int
	addr   string
	env    []string
	runs   version // in its next life

	mu sync.Mutex // over process, which is replaced when it was killed
	*process
}

// version is a daskbot, and a configuration that it understands.
type version struct{ program, config string }

// current is the version of this checkout.
func (s *stage) current() version { return version{s.program("daskbot"), s.config} }

// startReplicas starts n daemons, one after the other, on the store at url.
func (s *stage) startReplicas(ctx context.Context, n int, url string, of version) ([]*replica, error) {
	var all []*replica
	tokenFile := filepath.Join(s.dir, "admin.token")
	for i := range n {
		addr, err := freeAddress(ctx)
		if err != nil {
			return all, err
		}
		r := &replica{stage: s, number: i + 1, addr: addr, runs: of, env: append(slices.Concat(os.Environ(), s.extra),
			"DASKBOT_ADDR="+addr, "DASKBOT_ADMIN_TOKEN_FILE="+tokenFile, "DASKBOT_STORE_URL="+url,
			"DASKBOT_GKE_ENDPOINT="+s.endpoints.GKE, "DASKBOT_COMPUTE_ENDPOINT="+s.endpoints.Compute,
			"DASKBOT_CHARTS="+s.endpoints.Charts, "DASKBOT_SANDBOX_TOKEN="+s.endpoints.Token, "DASKBOT_PROJECT="+project)}
		all = append(all, r)
		if err := r.start(ctx); err != nil {
			return all, err
		}
	}
	token, err := os.ReadFile(tokenFile)
	s.token = strings.TrimSpace(string(token))
	return all, err
}

// start begins a life and waits until it answers.
func (r *replica) start(ctx context.Context) error {
	p, err := launchClocked(ctx, filepath.Join(r.dir, fmt.Sprintf("daskbot%d.log", r.number)), r.env, r.runs.program,
		"serve", "--config", r.runs.config)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.process = p
	r.mu.Unlock()
	return p.answers(ctx, func(ctx context.Context) error {
		return send(ctx, http.MethodGet, "http://"+r.addr+"/healthz", "", nil, nil)
	})
}

// running is its process, nil while there is none.
func (r *replica) running() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.process == nil {
		return nil
	}
	select {
	case <-r.done:
		return nil
	default:
		return r.process
	}
}

// end ends a life: with SIGKILL at once, with SIGTERM in good order, and then
// within the time that docs/RUNBOOK.md promises.
func (r *replica) end(sig syscall.Signal) error {
	p := r.running()
	if p == nil {
		return nil
	}
	if sig == syscall.SIGTERM {
		return p.stop(50 * time.Second)
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, sig) // it may just have ended
	<-p.done
	return nil
}

// ask sends a request to one replica after the other until one answers. Only
// an answer that says no is an error before ctx ends.
func ask(ctx context.Context, all []*replica, n int, method, path string, body, into any) error {
	for ; ; n++ {
		r := all[n%len(all)]
		one, cancel := context.WithTimeout(ctx, 20*time.Second)
		err := send(one, method, "http://"+r.addr+"/api/v1"+path, r.token, body, into)
		cancel()
		if err == nil || refused(err) {
			return err
		}
		if waiting := pause(ctx, 200*time.Millisecond); waiting != nil {
			return errors.Join(waiting, err)
		}
	}
}

// refused says whether an error is an answer about the request, rather than
// about the daemon or its database.
func refused(err error) bool {
	var a answer
	return errors.As(err, &a) && a.status < http.StatusInternalServerError && a.status != http.StatusTooManyRequests && a.status != http.StatusConflict
}
