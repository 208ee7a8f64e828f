package activity

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

// TestSpellings: what KubeSpawner's safe_slug and escape_slug make of names.
func TestSpellings(t *testing.T) {
	for _, want := range [][]string{
		{"alice", "alice", "alice"},
		{"", "", ""},
		{"student_1", "student_1", "student-5f1"},
		{"a@b.edu", "a-b-edu---b3bd6b50", "a-40b-2eedu"},
		{"al--ice", "al-ice---5256b85f", "al-2d-2dice"},
		{"-x-", "x---c6cf95e5", "-2dx-2d"},
		{"7of9@x", "x-7of9-x---8c7d82a4", "7of9-40x"},
		{"é", "x---4a99557e", "-c3-a9"},
		{"123456789012345678901234@x", "x-1234567890123456789---d9a1371c", "123456789012345678901234-40x"},
		{strings.Repeat("a", 70), "aaaaaaaaaaaaaaaaaaaaa---6bd5e503", strings.Repeat("a", 70)},
	} {
		if diff := cmp.Diff(want[1:], spellings(want[0])); diff != "" {
			t.Errorf("%q (-want +got):\n%s", want[0], diff)
		}
	}
}

func TestLikelierPodsFirst(t *testing.T) {
	label := func(user, server string) map[string]string {
		return map[string]string{labelUser: user, labelServer: server}
	}
	among := &search{}
	for _, c := range []candidate{
		{Pod: environment.Pod{Name: "jupyter-bob", Labels: label("bob", "")}},
		{Pod: environment.Pod{Name: "jupyter-a-40b--gpu"}, mute: true},
		{Pod: environment.Pod{Name: "jupyter-a-40b"}},
		{Pod: environment.Pod{Name: "one", Labels: label("a-40b", "")}},
		{Pod: environment.Pod{Name: "two", Labels: label("a-40b", "gpu")}},
		{Pod: environment.Pod{Name: "three", Labels: label("a-40b", "gpu")}, taken: true},
	} {
		among.pods = append(among.pods, &c)
	}
	for _, test := range []struct {
		user string
		want []string
	}{
		{"a@b", []string{"two", "one", "jupyter-a-40b", "jupyter-a-40b--gpu"}},
		{"c@d", []string{"jupyter-a-40b", "jupyter-a-40b--gpu", "jupyter-bob", "one", "two"}}, // as if labels were spelt in a new way
	} {
		var got []string
		tried := map[string]bool{}
		server := hubServer{users: spellings(test.user), names: spellings("gpu")}
		for c := among.next(server, tried); c != nil; c = among.next(server, tried) {
			got = append(got, c.Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.user, diff)
		}
	}
}

// crowd is a hub with many servers, whose pods' labels are spelt by spell, nil
// for none, in another order than the hub lists them. Each request takes as long
// as one through an API server.
func crowd(p *pipes, names []string, spell func(string) string, requests *atomic.Int64) {
	var users []string
	for i, name := range names {
		users = append(users, fmt.Sprintf(`{"name":%q,"last_activity":%q,"servers":{"":{"url":"/user/%s/","pending":null,"ready":true}}}`, name, stamp(3*time.Hour), name))
		path := "/user/" + name + "/api/"
		text := map[string]string{path + "status": `{"started":"2000-01-01T00:00:00Z","last_activity":"2000-01-01T00:00:00Z"}`, path + "kernels": `[]`}
		labels := map[string]string{"component": "singleuser-server"}
		if spell != nil {
			labels[labelUser] = spell(name)
		}
		p.add(fmt.Sprintf("pod-%d", i), labels, notebookPort, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			select {
			case <-time.After(30 * time.Millisecond):
			case <-r.Context().Done():
				return // a look that was too slow
			}
			if text[r.URL.Path] == "" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, text[r.URL.Path])
		}))
	}
	slices.Reverse(users)
	p.add("hub", hubLabels, hubPort, hubOf("["+strings.Join(users, ",")+"]"))
}

// TestManyServers: a class on one hub is looked at in time, and with a look's
// usual number of requests for each where labels tell whose pods they are.
func TestManyServers(t *testing.T) {
	const servers = 60
	for _, test := range []struct {
		name  string
		spell func(string) string
		asks  int64 // at most
	}{
		{"labels of KubeSpawner 7", hashed, 3 * servers},
		{"labels before it", escaped, 3 * servers},
		{"no labels", nil, servers * servers},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var names []string
				for i := range servers {
					names = append(names, fmt.Sprintf("student%d@example.edu", i))
				}
				var requests atomic.Int64
				p := &pipes{}
				crowd(p, names, test.spell, &requests)
				w := watch(p, environment.AccessJupyterHub, token)
				w.prober = New(Config{Inside: p})
				began := time.Now()
				got, a := w.look(t, half)
				if got.Is != environment.VerdictIdle || len(a.Signals) != servers+1 {
					t.Errorf("got %s (%s) with %d signals; want idle, and each server's", got.Is, got.Reason, len(a.Signals))
				}
				if requests.Load() > test.asks {
					t.Errorf("got %d requests; want %d", requests.Load(), test.asks)
				}
				t.Logf("%s, %d requests", time.Since(began), requests.Load())
			})
		})
	}
}

// TestPodInTheWay: one that does not answer, or not as a notebook, hides no
// server in another.
func TestPodInTheWay(t *testing.T) {
	for name, bad := range map[string]http.Handler{
		"hangs":   hung,
		"refuses": nil,
		"ill":     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }),
		"denies":  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pipes{}
				p.add("leftover", notebookLabels, notebookPort, bad)
				p.add("hub", hubLabels, hubPort, hubOf(fmt.Sprintf(readyUser, stamp(3*time.Hour))))
				p.add("notebook", notebookLabels, notebookPort, notebookOf(`[]`))
				w := watch(p, environment.AccessJupyterHub, token)
				w.prober = New(Config{Inside: p})
				w.expect(t, environment.VerdictIdle, "")
				p.set("notebook", notebookPort, http.NotFoundHandler())
				w.expect(t, environment.VerdictUnknown, map[bool]string{true: "scopes", false: "a notebook does not answer"}[name == "denies"])
			})
		})
	}
}

// TestHangingServersHideNoOther: more of them than are asked at once.
func TestHangingServersHideNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{}
		var requests atomic.Int64
		var names []string
		for i := range 20 {
			names = append(names, fmt.Sprintf("student%d", i))
		}
		crowd(p, names, escaped, &requests)
		for i := range 9 {
			p.set(fmt.Sprintf("pod-%d", 19-i), notebookPort, hung)
		}
		w := watch(p, environment.AccessJupyterHub, token)
		w.prober = New(Config{Inside: p})
		_, a := w.look(t, half)
		if got := strings.Count(strings.Join(signals(a), "\n"), "the notebook is running"); got != 11 {
			t.Errorf("got %d servers; want the 11 that answer: %q", got, signals(a))
		}
	})
}
