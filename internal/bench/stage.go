package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// project is whose quota daskbot's environments count against; it has room
// for hundreds.
const project = "bench-project"

// stage is a sandbox and a daemon that only one benchmark uses.
type stage struct {
	root, dir string
	config    string // the daemons' configuration
	verbose   bool

	sandbox, daemon       *process
	sandboxURL, daemonURL string
	sandboxAddr           string
	endpoints             struct{ GKE, Compute, Charts, Token string }
	token                 string
	extra                 []string // further variables of the daemon
}

// newStage makes the directory; start starts the programs.
func newStage(root string, verbose bool) (*stage, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "daskbot-bench-")
	return &stage{root: root, dir: dir, verbose: verbose, config: filepath.Join(root, "configs", "sandbox.yaml")}, err
}

// close stops what runs, the daemon first since it talks to the sandbox, and
// removes every trace.
func (s *stage) close() error {
	const grace = 40 * time.Second
	return errors.Join(s.daemon.stop(grace), s.sandbox.stop(grace), os.RemoveAll(s.dir))
}

func (s *stage) program(name string) string { return filepath.Join(s.root, "bin", name) }

// start starts both programs and waits until they answer.
func (s *stage) start(ctx context.Context) error {
	if err := s.startSandbox(ctx); err != nil {
		return err
	}
	return s.startDaemon(ctx)
}

func (s *stage) startSandbox(ctx context.Context) error {
	addr, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	s.sandboxAddr, s.sandboxURL = addr, "http://"+addr
	s.sandbox, err = launch(ctx, filepath.Join(s.dir, "sandbox.log"), os.Environ(), s.program("daskbot-sandbox"),
		"serve", "--addr", addr, "--state", filepath.Join(s.dir, "sandbox"), "--latencies", "fast")
	if err != nil {
		return err
	}
	err = s.sandbox.answers(ctx, func(ctx context.Context) error {
		return s.control(ctx, http.MethodGet, "/endpoints", nil, &s.endpoints)
	})
	if err != nil {
		return err
	}
	return s.makeProject(ctx, project)
}

// makeProject adds a project whose quotas are no limit.
func (s *stage) makeProject(ctx context.Context, id string) error {
	quotas := map[string]float64{}
	for _, metric := range []string{
		"CPUS", "CPUS_ALL_REGIONS", "N2_CPUS", "N2D_CPUS", "INSTANCES", "IN_USE_ADDRESSES", "STATIC_ADDRESSES",
		"FORWARDING_RULES", "TARGET_POOLS", "DISKS_TOTAL_GB", "SSD_TOTAL_GB", "SNAPSHOTS", "FIREWALLS", "HEALTH_CHECKS",
	} {
		quotas[metric] = 1e6
	}
	return s.control(ctx, http.MethodPut, "/projects/"+id, map[string]any{"quotas": quotas}, nil)
}

func (s *stage) startDaemon(ctx context.Context) error {
	addr, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	s.daemonURL = "http://" + addr
	tokenFile := filepath.Join(s.dir, "admin.token")
	env := append(slices.Concat(os.Environ(), s.extra),
		"DASKBOT_ADDR="+addr, "DASKBOT_ADMIN_TOKEN_FILE="+tokenFile, "DASKBOT_STORE_URL=sqlite:"+filepath.Join(s.dir, "daskbot.db"),
		"DASKBOT_GKE_ENDPOINT="+s.endpoints.GKE, "DASKBOT_COMPUTE_ENDPOINT="+s.endpoints.Compute,
		"DASKBOT_CHARTS="+s.endpoints.Charts, "DASKBOT_SANDBOX_TOKEN="+s.endpoints.Token, "DASKBOT_PROJECT="+project)
	s.daemon, err = launch(ctx, filepath.Join(s.dir, "daskbot.log"), env, s.program("daskbot"),
		"serve", "--config", s.config)
	if err != nil {
		return err
	}
	err = s.daemon.answers(ctx, func(ctx context.Context) error {
		return send(ctx, http.MethodGet, s.daemonURL+"/healthz", "", nil, nil)
	})
	if err != nil {
		return err
	}
	token, err := os.ReadFile(tokenFile)
	s.token = strings.TrimSpace(string(token))
	return err
}

// control asks the sandbox.
func (s *stage) control(ctx context.Context, method, path string, body, into any) error {
	return send(ctx, method, s.sandboxURL+path, "", body, into)
}

// rest asks the daemon, as its admin.
func (s *stage) rest(ctx context.Context, method, path string, body, into any) error {
	return send(ctx, method, s.daemonURL+"/api/v1"+path, s.token, body, into)
}

// spread is a latency as the sandbox shows it.
type spread struct{ Min, Max string }

// slow makes the cloud as slow as GKE is, each latency in the middle of its
// range, so that whoever is compared meets the same cloud.
func (s *stage) slow(ctx context.Context) error {
	if err := s.control(ctx, http.MethodPost, "/latencies", map[string]string{"preset": "gke"}, nil); err != nil {
		return err
	}
	var shown map[string]json.RawMessage
	if err := s.control(ctx, http.MethodGet, "/latencies", nil, &shown); err != nil {
		return err
	}
	fixed, err := middles(shown)
	if err != nil {
		return err
	}
	return s.control(ctx, http.MethodPost, "/latencies", fixed, nil)
}

// middles finds every latency in the answer, whatever else it says.
func middles(shown map[string]json.RawMessage) (map[string]string, error) {
	fixed := map[string]string{}
	for name, raw := range shown {
		var l spread
		if json.Unmarshal(raw, &l) == nil && l.Max != "" {
			lo, err1 := time.ParseDuration(l.Min)
			hi, err2 := time.ParseDuration(l.Max)
			if err := errors.Join(err1, err2); err != nil {
				return nil, fmt.Errorf("latency %s: %w", name, err)
			}
			fixed[name] = ((lo + hi) / 2).String()
			continue
		}
		var nested map[string]json.RawMessage
		if json.Unmarshal(raw, &nested) != nil {
			continue // the preset's name
		}
		more, err := middles(nested)
		if err != nil {
			return nil, err
		}
		maps.Copy(fixed, more)
	}
	return fixed, nil
}
