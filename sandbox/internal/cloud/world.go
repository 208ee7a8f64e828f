package cloud

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Config is what a World needs.
type Config struct {
	Dir     string // where world.json lies
	Network string // first two bytes of the loopback addresses for load balancers, such as "127.77"
	Log     *slog.Logger
}

// World is the state of the emulated cloud. Every change is on disk before
// the call that made it returns, so that a kill at any moment loses nothing a
// client was told. It starts no goroutine and is safe for concurrent use.
type World struct {
	path     string
	contents string
	network  string
	log      *slog.Logger

	mu    sync.Mutex
	state state
	waits []Wait
}

var (
	_ Compute  = (*World)(nil)
	_ Recorder = (*World)(nil)
)

// state is what world.json holds.
type state struct {
	Projects          map[string]*Project          `json:"projects"`
	Clusters          map[string]*Cluster          `json:"clusters"`
	Operations        map[string]*Operation        `json:"operations"`
	ComputeOperations map[string]*ComputeOperation `json:"computeOperations"`
	Resources         map[string]*Resource         `json:"resources"`
	Faults            []*Fault                     `json:"faults,omitempty"`
	Preset            string                       `json:"preset"`
	Latencies         map[string]Latency           `json:"latencies"`
}

// Open reads the world in cfg.Dir, or makes a new one with the default
// projects and the fast latencies. A file that cannot be read or understood
// is an error: starting over would orphan what it names.
func Open(cfg Config) (*World, error) {
	w := &World{path: filepath.Join(cfg.Dir, "world.json"), contents: filepath.Join(cfg.Dir, "contents"), network: cfg.Network, log: cfg.Log}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	data, err := os.ReadFile(w.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.state = newState()
	case err != nil:
		return nil, fmt.Errorf("read the state of the cloud: %w", err)
	default:
		w.state = newState()
		if err := json.Unmarshal(data, &w.state); err != nil {
			return nil, fmt.Errorf("read the state of the cloud in %s: %w", w.path, err)
		}
	}
	return w, w.change(func(*state) error { return nil })
}

func newState() state {
	return state{
		Projects: defaultProjects(), Clusters: map[string]*Cluster{}, Operations: map[string]*Operation{},
		ComputeOperations: map[string]*ComputeOperation{}, Resources: map[string]*Resource{},
		Preset: "fast", Latencies: presets["fast"](),
	}
}

// change runs f on the state and writes it down. f must not change anything
// before it is sure to return nil.
func (w *World) change(f func(*state) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := f(&w.state); err != nil {
		return err
	}
	return w.save()
}

// save writes a new file beside the old one and renames it: a reader finds
// the one or the other, whole. It needs w.mu.
func (w *World) save() error {
	data, err := json.Marshal(&w.state)
	if err != nil {
		return fmt.Errorf("write the state of the cloud: %w", err)
	}
	next := w.path + ".next"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("write the state of the cloud: %w", err)
	}
	if err := os.Rename(next, w.path); err != nil {
		return fmt.Errorf("write the state of the cloud: %w", err)
	}
	return nil
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789"

// token is n random letters and digits, the first of them a letter.
func token(n int) string {
	b := make([]byte, n)
	b[0] = letters[rand.IntN(26)]
	for i := 1; i < n; i++ {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}

// numericID is an id as Compute gives them: 19 digits.
func numericID() uint64 { return 1e18 + rand.Uint64N(8e18) }

func now() time.Time { return time.Now().UTC() }
