package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What soak reads of its environment.
const (
	soakFor   = "DASKBOT_SOAK"              // how long it lasts, such as 1h
	soakCount = "DASKBOT_SOAK_ENVIRONMENTS" // how many people have one at a time
)

// soaking is a class that uses one daemon hour after hour, and somebody who
// looks at what the daemon holds.
type soaking struct {
	*turmoil
	class    *class
	commands atomic.Int64 // typed so far: none is a copy of another
	minutes  []holding
}

// soak keeps one daemon on SQLite at steady work and tells whether what it
// holds grows. What cannot be carried out is a violation.
func soak(ctx context.Context, s *stage) (results, error) {
	k, err := newSoaking(ctx, s)
	if k != nil {
		defer k.close()
	}
	if err != nil {
		return results{}, err
	}
	working, over := context.WithTimeout(ctx, k.lasts)
	defer over()
	var class sync.WaitGroup
	for n := range k.people {
		class.Go(func() { k.person(ctx, working, n) })
	}
	if err := k.watchHoldings(working); err != nil && ctx.Err() == nil && working.Err() == nil {
		k.violates("it could not be looked at: %v", err)
	}
	class.Wait()
	if err := k.settled(ctx); err != nil {
		return results{}, err
	}
	return k.results(), nil
}

func newSoaking(ctx context.Context, s *stage) (k *soaking, err error) {
	c := &turmoil{stage: s, struck: map[string]int{}, own: make(chan struct{}, ownAtOnce)}
	k = &soaking{turmoil: c}
	if c.lasts, err = time.ParseDuration(setting(soakFor, "1h")); err != nil {
		return nil, fmt.Errorf("%s: %w", soakFor, err)
	}
	if c.people, err = strconv.Atoi(setting(soakCount, "6")); err != nil {
		return nil, fmt.Errorf("%s: %w", soakCount, err)
	}
	if c.workspace, err = s.startWorkspace(ctx, max(people, c.people)); err != nil {
		return nil, err
	}
	if err := c.makeClasses(); err != nil {
		return nil, err
	}
	// Cloud and store are compared often enough to show in an hour.
	s.extra = append(s.extra, "DASKBOT_ORPHAN_SCHEDULE=*/5 * * * *", "DASKBOT_KEEP_EVENTS=1d")
	if c.replicas, err = s.startReplicas(ctx, 1, "sqlite:"+k.file(), s.current()); err != nil {
		return k, err
	}
	s.daemonURL = "http://" + c.replicas[0].addr
	k.class = &class{stage: s, workspace: c.workspace}
	return k, k.yesterday(ctx)
}

// yesterday lets one environment live a day ago, as the daemon's clock tells,
// and a new daemon begin today: what happened then is old enough to go.
func (k *soaking) yesterday(ctx context.Context) error {
	r := k.replicas[0]
	if !clocked {
		return nil
	}
	if err := r.setClock(-25 * time.Hour); err != nil {
		return err
	}
	id, err := k.refused(ctx)
	if err != nil {
		return fmt.Errorf("a day ago: %w", err)
	}
	if err := errors.Join(r.end(syscall.SIGTERM), r.start(ctx)); err != nil {
		return err
	}
	var kept struct{ Items []struct{ Type string } }
	for tries := 0; tries == 0 || len(kept.Items) > 0; tries++ {
		if tries == 60 {
			k.violates("events of %s are kept although they are old: %v", id, kept.Items)
			return nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		if err := ask(ctx, k.replicas, 0, http.MethodGet, "/environments/"+id+"/events", nil, &kept); err != nil {
			return err
		}
	}
	return nil
}

// refused is an environment that the cloud has no room for, asked for and taken
// down. More cannot be had a day ago: the certificates of a cluster that is made
// now begin later than the daemon's clock says.
func (k *soaking) refused(ctx context.Context) (id string, err error) {
	full := map[string]any{"kind": "quota", "value": "CPUS", "project": project}
	var fault struct{ ID string }
	if err := k.control(ctx, http.MethodPost, "/faults", full, &fault); err != nil {
		return "", err
	}
	var e environment
	body := map[string]any{"owner": k.workspace.People[0].Email, "profile": "dask"}
	if err := ask(ctx, k.replicas, 0, http.MethodPost, "/environments", body, &e); err != nil {
		return "", err
	}
	r := &record{id: e.ID}
	if err := k.becomes(ctx, r, "failed"); err != nil {
		return e.ID, err
	}
	if err := ask(ctx, k.replicas, 0, http.MethodDelete, "/environments/"+e.ID, nil, nil); err != nil {
		return e.ID, fmt.Errorf("down: %w", err)
	}
	return e.ID, errors.Join(k.becomes(ctx, r, "deleted"), k.control(ctx, http.MethodDelete, "/faults/"+fault.ID, nil, nil))
}

// file is where the store is.
func (k *soaking) file() string { return filepath.Join(k.dir, "soak.db") }

// person has one environment after the other until working ends.
func (k *soaking) person(ctx, working context.Context, n int) {
	if pause(working, time.Duration(n)*10*time.Second) != nil { // they do not come all at once
		return
	}
	if _, err := k.types(ctx, n, "status"); err != nil { // so that daskbot knows whom to tell
		k.violates("%s cannot get to know daskbot: %v", k.workspace.People[n].Name, err)
		return
	}
	for working.Err() == nil {
		if err := k.life(ctx, working, n); err != nil {
			k.violates("%s: %v", k.workspace.People[n].Email, err)
			if pause(working, time.Minute) != nil {
				return
			}
		}
	}
}

// life is one environment: asked for, changed, used, looked at, taken down.
func (k *soaking) life(ctx, working context.Context, n int) error {
	id, err := k.asked(ctx, n)
	if err != nil {
		return fmt.Errorf("up: %w", err)
	}
	r := k.born(n, id)
	if err := k.becomes(ctx, r, "ready"); err != nil {
		return err
	}
	for _, change := range []struct {
		path string
		body map[string]any
	}{{"/scale", map[string]any{"workers": 2}}, {"/extend", map[string]any{"duration": "1h"}}} {
		if err := ask(ctx, k.replicas, n, http.MethodPost, "/environments/"+id+change.path, change.body, nil); err != nil {
			return fmt.Errorf("%s: %w", change.path, err)
		}
	}
	if err := errors.Join(k.becomes(ctx, r, "ready"), k.isTold(ctx, r)); err != nil {
		return err
	}
	if err := k.looks(ctx, working, n, id); err != nil {
		return err
	}
	if err := ask(ctx, k.replicas, n, http.MethodDelete, "/environments/"+id, nil, nil); err != nil {
		return fmt.Errorf("down: %w", err)
	}
	err = k.becomes(ctx, r, "deleted")
	if err == nil {
		k.over(r, "")
	}
	return err
}

// asked asks for an environment, every other person in Slack, and finds it.
func (k *soaking) asked(ctx context.Context, n int) (string, error) {
	owner, profile := k.workspace.People[n], k.shares(n)
	if n%6 == 5 {
		profile = "dask" // a cluster of one's own
	}
	if n%2 == 0 {
		body := map[string]any{"owner": owner.Email, "profile": profile, "workers": 1}
		var e environment
		err := ask(ctx, k.replicas, n, http.MethodPost, "/environments", body, &e)
		return e.ID, err
	}
	said, err := k.types(ctx, n, "up "+profile+" workers 1")
	if err != nil {
		return "", err
	}
	var mine struct{ Items []environment }
	if err := ask(ctx, k.replicas, n, http.MethodGet, "/environments?owner="+url.QueryEscape(owner.Email), nil, &mine); err != nil {
		return "", err
	}
	for _, e := range mine.Items {
		if e.State != "deleted" && e.State != "failed" {
			return e.ID, nil
		}
	}
	return "", errors.New("nothing came of the command: " + said)
}

// types has a person type a command, and returns what Slack would show.
func (k *soaking) types(ctx context.Context, n int, text string) (string, error) {
	said, err := k.class.command(ctx, k.workspace.People[n].ID, text, int(k.commands.Add(1)))
	if err != nil {
		return said, fmt.Errorf("/dask %s: %w", text, err)
	}
	return said, nil
}

// looks is a minute and a half of somebody who has an environment: commands in
// Slack, pages, and a stream of events.
func (k *soaking) looks(ctx, working context.Context, n int, id string) error {
	watched, stop := context.WithCancel(ctx)
	defer stop()
	var stream sync.WaitGroup
	defer stream.Wait()
	stream.Go(func() { _, _ = k.awaitReady(watched, id) }) // it has been ready: the stream stays until it is left
	for look := range 9 {
		if pause(working, 10*time.Second) != nil {
			break
		}
		if _, err := k.types(ctx, n, []string{"status", "why", "cost"}[look%3]); err != nil {
			return err
		}
		for _, path := range []string{"/environments/" + id, "/environments?limit=50", "/environments/" + id + "/events?limit=50"} {
			if err := ask(ctx, k.replicas, n, http.MethodGet, path, nil, nil); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	stop()
	return nil
}
