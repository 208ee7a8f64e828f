package lti

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestTheSameLaunchAtOnce: two replicas get the same launch at the same moment;
// one of them carries it out.
func TestTheSameLaunchAtOnce(t *testing.T) {
	w := newWorld(t)
	replicas := []*Tool{w.tool, w.newTool()}
	l := w.login()
	form := url.Values{"state": {l.state}, "id_token": {signWith(t, jose.RS256, w.school.key, "k1", w.claims(l, "alice", "Learner"))}}
	codes := make([]int, 6)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() { codes[i] = w.send(replicas[i%2], http.MethodPost, launchPath, form, l.cookies...).Code })
	}
	all.Wait()
	count := map[int]int{}
	for _, code := range codes {
		count[code]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusUnauthorized] != len(codes)-1 || len(w.environments()) != 1 {
		t.Errorf("got %v and %d environments; want one of each", count, len(w.environments()))
	}
}

// TestOneStudentTwice: two launches of somebody new at the same moment, in two
// windows, come to one person with one environment.
func TestOneStudentTwice(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	got := make([]*httptest.ResponseRecorder, 4)
	for i := range got {
		all.Go(func() { got[i] = w.launch("alice", "Learner") })
	}
	all.Wait()
	for _, rec := range got {
		if rec.Code != http.StatusOK {
			t.Errorf("got %d %s; want 200", rec.Code, rec.Body)
		}
	}
	if n, members := len(w.environments()), w.subjects(); n != 1 || len(members) != 1 {
		t.Errorf("got %d environments, members %v; want one of each", n, members)
	}
}
