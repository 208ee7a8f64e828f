package bot

import (
	"strings"
	"testing"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestMishaps(t *testing.T) {
	pod := func(name, message string, ready bool) environment.SeenPod {
		return environment.SeenPod{Name: name, Message: message, Ready: ready}
	}
	many := []environment.SeenPod{}
	for range 7 {
		many = append(many, pod("w", "keeps crashing (4 restarts so far)", false))
	}
	for name, tt := range map[string]struct {
		seen environment.SeenWorkloads
		want []string // lines
	}{
		"nothing": {environment.SeenWorkloads{Pods: []environment.SeenPod{pod("hub", "running", true), pod("w", "starting", false)}}, nil},
		"memory": {environment.SeenWorkloads{Pods: []environment.SeenPod{pod("jupyter-ada", "running; it used more memory than it may and was started again", true)}},
			[]string{"`jupyter-ada`: it used more memory than it may and was started again."}},
		"disk": {environment.SeenWorkloads{Pods: []environment.SeenPod{pod("jupyter-ada", "stopped, because it filled the disk it may use", false)}},
			[]string{"`jupyter-ada`: stopped, because it filled the disk it may use."}},
		"broken": {environment.SeenWorkloads{Broken: "The hub <keeps> crashing."}, []string{"The hub &lt;keeps&gt; crashing."}},
		"many":   {environment.SeenWorkloads{Pods: many}, append(strings.Split(strings.Repeat("`w`: keeps crashing (4 restarts so far).|", 5), "|")[:5], "And 2 more.")},
	} {
		want := strings.Join(append([]string{""}, tt.want...), "\n")
		if got := mishapsText(tt.seen); got != want {
			t.Errorf("%s: got %q; want %q", name, got, want)
		}
	}
}
