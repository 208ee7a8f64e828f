package standin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Activity is what the people and computations of a cluster are said to have
// done. Times that are nil were never.
type Activity struct {
	// Namespace tells which of the cluster's hubs and schedulers is meant;
	// empty is all of them.
	Namespace string     `json:"namespace,omitempty"`
	Users     []User     `json:"users,omitempty"`
	Scheduler *Scheduler `json:"scheduler,omitempty"`
	Jupyter   *Server    `json:"jupyter,omitempty"` // the dask chart's own server
}

// User is one user of a hub.
type User struct {
	Name         string     `json:"name"`
	Admin        bool       `json:"admin,omitempty"`
	Created      *time.Time `json:"created,omitempty"`
	LastActivity *time.Time `json:"lastActivity,omitempty"`
	Server       *Server    `json:"server,omitempty"`
}

// Server is a notebook server. One that is neither ready nor pending has
// been stopped.
type Server struct {
	Ready        bool       `json:"ready"`
	Pending      string     `json:"pending,omitempty"` // spawn, stop or check
	Started      *time.Time `json:"started,omitempty"`
	LastActivity *time.Time `json:"lastActivity,omitempty"`
	Kernels      []Kernel   `json:"kernels,omitempty"`
	Terminals    []Terminal `json:"terminals,omitempty"`
	// Pod is set when the stand-in started the server as a pod, whose state
	// then decides; a scripted server has none.
	Pod string `json:"pod,omitempty"`
}

func (s *Server) active() bool { return s != nil && (s.Ready || s.Pending != "") }

// Kernel is one kernel of a server.
type Kernel struct {
	ExecutionState string     `json:"executionState"` // idle, busy, starting, restarting, dead, unknown
	LastActivity   *time.Time `json:"lastActivity,omitempty"`
	Connections    int        `json:"connections"`
}

// Terminal is one terminal of a server.
type Terminal struct {
	LastActivity *time.Time `json:"lastActivity,omitempty"`
}

// Scheduler is what a Dask scheduler has to do. Its workers are not scripted:
// they are the ready worker pods.
type Scheduler struct {
	// IdleSince is nil when it has been idle since it started.
	IdleSince  *time.Time `json:"idleSince,omitempty"`
	Busy       bool       `json:"busy,omitempty"` // busy whatever the counts say
	Tasks      int        `json:"tasks,omitempty"`
	Processing int        `json:"processing,omitempty"`
	Waiting    int        `json:"waiting,omitempty"`
	Queued     int        `json:"queued,omitempty"`
	Unrunnable int        `json:"unrunnable,omitempty"`
	Memory     int        `json:"memory,omitempty"`
	Erred      int        `json:"erred,omitempty"`
	Released   int        `json:"released,omitempty"`
	Clients    int        `json:"clients,omitempty"`
	Bytes      int64      `json:"bytes,omitempty"`
}

func (s Scheduler) busy() bool { return s.Busy || s.Processing+s.Waiting+s.Queued+s.Unrunnable > 0 }

// record is the activity of one namespace, and which installation it is of.
type record struct {
	Activity
	// Installation is the hub Secret's UID. A hub installed anew has a new
	// database and knows nobody.
	Installation string `json:"installation,omitempty"`
}

// cluster is everything known of one cluster.
type cluster struct {
	Default    Activity           `json:"default"` // for namespaces without a record
	Namespaces map[string]*record `json:"namespaces"`
}

// SetActivity replaces what is said of a cluster, or of one namespace in it.
// It refuses what a hub could never say; the error says what.
func (b *Backends) SetActivity(clusterID string, a Activity) error {
	if err := a.validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := b.cluster(clusterID)
	if err != nil {
		return err
	}
	if a.Namespace == "" {
		c.Default, c.Namespaces = clone(a), map[string]*record{}
	} else {
		c.Namespaces[a.Namespace] = &record{Activity: clone(a)}
	}
	return b.save(clusterID)
}

// Activity returns what is said of a cluster now: the users of all its hubs,
// and of several schedulers the busy one.
func (b *Backends) Activity(clusterID string) Activity {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := b.cluster(clusterID)
	if err != nil {
		b.log.Warn("activity is lost", "cluster", clusterID, "err", err)
	}
	if len(c.Namespaces) == 0 {
		return clone(c.Default)
	}
	var all Activity
	for _, name := range sortedKeys(c.Namespaces) {
		one := clone(c.Namespaces[name].Activity)
		all.Users = append(all.Users, one.Users...)
		if all.Scheduler == nil || (one.Scheduler != nil && one.Scheduler.busy()) {
			all.Scheduler = one.Scheduler
		}
		if all.Jupyter == nil {
			all.Jupyter = one.Jupyter
		}
	}
	return all
}

// Forget drops what is known of a cluster that is no more.
func (b *Backends) Forget(clusterID string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.clusters, clusterID)
	if b.stateDir == "" {
		return nil
	}
	if err := os.Remove(b.stateFile(clusterID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget activity of %s: %w", clusterID, err)
	}
	return nil
}

// edit runs change on the record of a namespace and keeps the result. Whatever
// change returns true for is written down.
func (b *Backends) edit(clusterID, namespace string, change func(*record) bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := b.cluster(clusterID)
	if err != nil {
		return err
	}
	r := c.Namespaces[namespace]
	if r == nil {
		r = &record{Activity: clone(c.Default)}
		r.Namespace = namespace
		c.Namespaces[namespace] = r
	}
	if !change(r) {
		return nil
	}
	return b.save(clusterID)
}

// cluster finds or reads a cluster's activity. It never returns nil: with an
// error there is an empty one, and what was on disk is not looked at again.
// The caller holds the lock.
func (b *Backends) cluster(clusterID string) (*cluster, error) {
	if c := b.clusters[clusterID]; c != nil {
		return c, nil
	}
	c := &cluster{Namespaces: map[string]*record{}}
	b.clusters[clusterID] = c
	if b.stateDir == "" {
		return c, nil
	}
	data, err := os.ReadFile(b.stateFile(clusterID))
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(data, c)
	}
	if c.Namespaces == nil {
		c.Namespaces = map[string]*record{}
	}
	if err != nil {
		return c, fmt.Errorf("read activity of %s: %w", clusterID, err)
	}
	return c, nil
}

// save writes a cluster's activity so that a crash leaves the old or the new.
// The caller holds the lock.
func (b *Backends) save(clusterID string) error {
	if b.stateDir == "" {
		return nil
	}
	data, err := json.Marshal(b.clusters[clusterID])
	if err != nil {
		return fmt.Errorf("write activity of %s: %w", clusterID, err)
	}
	if err := os.MkdirAll(b.stateDir, 0o700); err != nil {
		return fmt.Errorf("write activity of %s: %w", clusterID, err)
	}
	name := b.stateFile(clusterID)
	if err := os.WriteFile(name+".new", data, 0o600); err != nil {
		return fmt.Errorf("write activity of %s: %w", clusterID, err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("write activity of %s: %w", clusterID, err)
	}
	return nil
}

func (b *Backends) stateFile(clusterID string) string {
	return filepath.Join(b.stateDir, filepath.Base(clusterID)+".json")
}

func (a Activity) validate() error {
	seen := map[string]bool{}
	for _, user := range a.Users {
		switch {
		case user.Name == "":
			return errors.New("a user of the activity has no name")
		case seen[user.Name]:
			return fmt.Errorf("user %s is there twice", user.Name)
		}
		seen[user.Name] = true
		if err := user.Server.validate(); err != nil {
			return fmt.Errorf("user %s: %w", user.Name, err)
		}
	}
	return a.Jupyter.validate()
}

func (s *Server) validate() error {
	if s == nil {
		return nil
	}
	if !slices.Contains([]string{"", "spawn", "stop", "check"}, s.Pending) {
		return fmt.Errorf("pending %q is none of spawn, stop and check", s.Pending)
	}
	states := []string{"idle", "busy", "starting", "restarting", "dead", "unknown"}
	for _, kernel := range s.Kernels {
		if !slices.Contains(states, kernel.ExecutionState) {
			return fmt.Errorf("executionState %q of a kernel is none of %v", kernel.ExecutionState, states)
		}
	}
	return nil
}
