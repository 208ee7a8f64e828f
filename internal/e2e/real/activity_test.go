//go:build e2e

package real

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// activity is what daskbot says of an environment's use.
type activity struct {
	State, EndedBecause string
	Activity            struct {
		Verdict, Reason, At string
		Signals             []signal
	}
}

type signal struct{ Source, Kind, Message, Last string }

// use reads it.
func use(t *testing.T, id string) activity {
	t.Helper()
	out, err := daskbot(t.Context(), "status", id, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var a activity
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		t.Fatalf("status: %v in %s", err, out)
	}
	return a
}

// untilBusy waits until a look finds the environment in use because of one
// source and no other, and sees that nothing ends it meanwhile.
func untilBusy(t *testing.T, id, source string) {
	t.Helper()
	until(t, changeTime, source+" to be busy", func() (bool, string) {
		a := use(t, id)
		if a.State != "ready" {
			t.Fatalf("in use, and yet %s: %+v", a.State, a)
		}
		busy := slices.DeleteFunc(slices.Clone(a.Activity.Signals), func(s signal) bool { return s.Kind != "busy" })
		if len(busy) == 0 || a.Activity.Verdict != "active" || slices.ContainsFunc(busy, func(s signal) bool { return s.Source != source }) {
			return false, fmt.Sprintf("%+v", a.Activity)
		}
		t.Logf("%s: %s", a.Activity.Verdict, a.Activity.Reason)
		return true, ""
	})
}

// leave sends a cell off and closes the browser: nobody watches what it prints.
func (k *kernel) leave(t *testing.T, code string) {
	t.Helper()
	if _, err := k.send(code); err != nil {
		t.Fatal(err)
	}
	if err := k.conn.Close(); err != nil {
		t.Fatal(err)
	}
}

// usedUntilIdle sees an environment through what keeps it and what does not. Its
// course allows idleness for less than a minute, so it is protected before it
// is left: what the looks do is seen, and a person takes it down.
func usedUntilIdle(t *testing.T, student *browser, id string) {
	t.Helper()
	t.Run("a silent cell, the browser closed", func(t *testing.T) {
		student.startKernel(t).leave(t, "import time; time.sleep(40)")
		untilBusy(t, id, "kernel")
	})
	t.Run("workers at work for a notebook that is silent", func(t *testing.T) {
		if _, err := daskbot(t.Context(), "scale", id, "1"); err != nil {
			t.Fatal(err)
		}
		k := student.startKernel(t)
		k.must(t, "from distributed import Client, fire_and_forget\nimport time\nclient = Client('tcp://class-scheduler:8786', timeout=240)\n"+
			"client.wait_for_workers(1, timeout=240)", changeTime)
		k.must(t, "fire_and_forget(client.submit(time.sleep, 45))", time.Minute)
		_ = k.conn.Close()
		untilBusy(t, id, "scheduler")
	})
	protect(t, id)
	t.Run("idle", func(t *testing.T) { looksMoveNothing(t, id, time.Now()) })
}

// looksMoveNothing sees two looks find the hub idle, and what hub and notebook
// say of their last use stay where its student left it. Our own looks through
// the hub's proxy would count as use, so what daskbot saw is read instead.
func looksMoveNothing(t *testing.T, id string, left time.Time) {
	t.Helper()
	const skew = 5 * time.Second // the hub rounds, and adds jitter
	seen := map[string]map[string]string{}
	until(t, changeTime, "two looks that find it idle", func() (bool, string) {
		a := use(t, id)
		if a.State != "ready" {
			t.Fatalf("protected, and yet %s: %+v", a.State, a)
		}
		if a.Activity.Verdict != "idle" || a.Activity.At == "" {
			return false, fmt.Sprintf("%+v", a.Activity)
		}
		last := map[string]string{}
		for _, s := range a.Activity.Signals {
			if s.Source != "hub" && s.Source != "server" || s.Last == "" {
				continue
			}
			last[s.Source] = s.Last
			if at, err := time.Parse(time.RFC3339, s.Last); err != nil || at.After(left.Add(skew)) {
				t.Fatalf("%s was last used at %s, %v; its student left at %s", s.Source, s.Last, err, left.UTC().Format(time.RFC3339))
			}
		}
		seen[a.Activity.At] = last
		return len(seen) >= 2, fmt.Sprintf("%+v", seen)
	})
	t.Logf("looks, and the last use that each was told of: %v", seen)
	for at, last := range seen {
		if last["hub"] == "" || last["server"] == "" {
			t.Errorf("the look at %s was told of %v; want both", at, last)
		}
	}
}

// goneWhenIdle waits for the reaper. Its looks must not count as use.
func goneWhenIdle(t *testing.T, e environment) {
	t.Helper()
	id := e.ID
	var used, unused string
	until(t, changeTime, "the end of "+id, func() (bool, string) {
		a := use(t, id)
		if a.State == "deleted" || a.State == "deleting" {
			return a.State == "deleted", a.State
		}
		if a.Activity.Verdict == "idle" {
			for _, s := range a.Activity.Signals {
				if s.Source == "server" {
					used, unused = cmp.Or(used, s.Last), s.Last
				}
			}
		}
		return false, fmt.Sprintf("%+v", a)
	})
	if used == "" || used != unused {
		t.Errorf("the notebook was last used at %q when it was found idle, and at %q before it ended; want one time", used, unused)
	}
	if a := use(t, id); a.EndedBecause != "idle" {
		t.Errorf("ended because of %q; want idle", a.EndedBecause)
	}
	said, err := daskbot(t.Context(), "events", id)
	if err != nil || !strings.Contains(said, "warned") {
		t.Errorf("events: got %v, %s; want a warning that it is idle", err, said)
	}
	nothingLeft(t, e)
}
