package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// played is a turmoil over a sandbox and a daemon that give fixed answers.
func played(t *testing.T, answers map[string]any) *turmoil {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[strings.TrimPrefix(r.URL.RequestURI(), "/api/v1")]
		if !ok {
			http.Error(w, r.URL.RequestURI(), http.StatusNotFound)
			return
		}
		if err := json.NewEncoder(w).Encode(body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	s := &stage{sandboxURL: server.URL}
	return &turmoil{stage: s, struck: map[string]int{}, replicas: []*replica{{stage: s, addr: strings.TrimPrefix(server.URL, "http://")}}}
}

func TestWhatIsLeftIsFound(t *testing.T) {
	empty := func() map[string]any {
		return map[string]any{"/resources?project=" + project: []any{}, "/orphans?fresh=true": map[string]any{"projects": 1}}
	}
	for _, test := range []struct {
		name string
		path string
		body any
		want string // "": nothing
	}{
		{"nothing", "", nil, ""},
		{"a cluster with our label and no row", "/resources?project=" + project, []any{map[string]any{"kind": "cluster", "name": "dask-x"}}, "cluster dask-x"},
		{"what daskbot finds", "/orphans?fresh=true", map[string]any{"projects": 1, "items": []any{map[string]any{"kind": "disks", "name": "d"}}}, "disks d"},
		{"what daskbot lost", "/orphans?fresh=true", map[string]any{"projects": 1, "lost": []string{"abc"}}, "abc"},
		{"what nobody can tell", "/orphans?fresh=true", map[string]any{"projects": 1, "unsure": []any{map[string]any{"project": project, "reason": "no answer"}}}, "no answer"},
		{"a sweep that holds", "/orphans?fresh=true", map[string]any{"projects": 1, "held": "paused"}, "paused"},
		{"a sweep of nothing", "/orphans?fresh=true", map[string]any{"projects": 0}, "no project"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answers := empty()
			if test.path != "" {
				answers[test.path] = test.body
			}
			c := played(t, answers)
			if err := c.nothingLeft(context.Background(), 0, time.Millisecond); err != nil {
				t.Fatal(err)
			}
			switch {
			case test.want == "" && len(c.wrong) > 0:
				t.Errorf("got %q; want nothing", c.wrong)
			case test.want != "" && (len(c.wrong) != 1 || !strings.HasPrefix(c.wrong[0], "orphaned: ") || !strings.Contains(c.wrong[0], test.want)):
				t.Errorf("got %q; want one orphan with %q", c.wrong, test.want)
			}
		})
	}
}

func TestMessagesThatWereNotSentAreMissed(t *testing.T) {
	for _, test := range []struct {
		name string
		r    record
		got  []string
		want []string
	}{
		{"all is told", record{id: "e", told: true}, []string{"progress", "ready", "ended"}, nil},
		{"nothing is told", record{id: "e", told: true}, nil, []string{"ended of e", "progress of e", "ready of e"}},
		{"its owner was in a hurry", record{id: "e"}, []string{"progress", "ended"}, nil},
		{"it goes on", record{id: "e", told: true, alive: true}, []string{"progress", "ready"}, nil},
		{"it failed", record{id: "e", failed: "no quota"}, []string{"progress", "ended"}, []string{"failed of e"}},
		{"the reaper ended it without a warning", record{id: "e", left: true}, []string{"progress", "ended"}, []string{"warned of e"}},
		{"the reaper ended it", record{id: "e", left: true}, []string{"progress", "warned:1:60", "ended"}, nil},
	} {
		kinds := map[string]int{}
		for _, kind := range test.got {
			kinds[kind] = 1
		}
		if diff := cmp.Diff(test.want, missing([]*record{&test.r}, map[string]map[string]int{"e": kinds})); diff != "" {
			t.Errorf("%s: missing (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestWhatWasToldTwiceIsSeen(t *testing.T) {
	message := func(kind string) map[string]any {
		return map[string]any{"channelName": "directmessage", "metadata": map[string]any{"event_payload": map[string]any{"environment": "e", "kind": kind}}}
	}
	c := played(t, map[string]any{"/slack/messages?team=" + workspaceDomain + "&user=ann": []any{message("progress"), message("ready"), message("ready"), message("ended")}})
	c.workspace.People = append(c.workspace.People, struct{ ID, Name, Email string }{Name: "ann"})
	c.all = []*record{{id: "e", told: true}}
	if err := c.toldRightly(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(c.wrong) != 1 || !strings.HasPrefix(c.wrong[0], "told 2 times: ready of e") {
		t.Errorf("got %q; want that ready was told twice", c.wrong)
	}
}

func TestEventsThatAreMissingOrRepeated(t *testing.T) {
	for _, test := range []struct {
		name   string
		r      record
		events []string
		want   int // violations
	}{
		{"a whole life", record{id: "e"}, []string{"requested", "ready", "updating", "ready", "stopping", "deleted"}, 0},
		{"it never ended", record{id: "e"}, []string{"requested", "ready"}, 1},
		{"it ended twice", record{id: "e"}, []string{"requested", "ready", "deleted", "deleted"}, 1},
		{"it failed and nobody may know why", record{id: "e"}, []string{"requested", "ready", "failed", "deleted"}, 1},
		{"it failed with an excuse", record{id: "e", failed: "no quota"}, []string{"requested", "failed"}, 0},
	} {
		items := []map[string]string{}
		for _, kind := range test.events {
			items = append(items, map[string]string{"type": kind})
		}
		c := played(t, map[string]any{"/environments/e/events?limit=1000": map[string]any{"items": items}})
		if err := c.heardOnce(context.Background(), &test.r); err != nil {
			t.Fatal(err)
		}
		if len(c.wrong) != test.want {
			t.Errorf("%s: got %q; want %d violations", test.name, c.wrong, test.want)
		}
	}
}

func TestRoomForClustersOfOnesOwn(t *testing.T) {
	c := &turmoil{stage: &stage{}, people: 300, struck: map[string]int{}, own: make(chan struct{}, ownAtOnce)}
	var leaves []func()
	var own []string
	for n := range c.people {
		name, leave := c.profile(n, 0)
		leaves = append(leaves, leave)
		if !strings.HasPrefix(name, "class-") {
			own = append(own, name)
		}
	}
	slices.Sort(own)
	if diff := cmp.Diff([]string{"dask", "dask", "dask", "daskhub", "daskhub", "daskhub"}, own); diff != "" {
		t.Errorf("of one's own (-want +got):\n%s", diff)
	}
	for _, leave := range leaves {
		leave()
	}
	if name, _ := c.profile(9, 0); name != "dask" {
		t.Errorf("when there is room again: got %s; want dask", name)
	}
}
