package standin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// given is what the ready pods of one component were told to install.
type given struct {
	Pods     int      `json:"pods"`
	Packages []string `json:"packages"`
	// Mixed is set while some pods were given other packages than others.
	Mixed bool `json:"mixed,omitempty"`
}

// packages shows EXTRA_PIP_PACKAGES of each component, as JSON or as a page.
// It is of the sandbox: no real server has it.
func (t *target) packages(w http.ResponseWriter, r *http.Request) {
	all := map[string]given{}
	for _, component := range []string{"jupyter", "scheduler", "worker"} {
		pods, err := t.siblings(r.Context(), component)
		if err != nil {
			t.fail(w, r, "look for packages", err)
			return
		}
		one := given{Pods: len(pods), Packages: []string{}}
		for i := range pods {
			value := strings.Fields(env(&pods[i], "EXTRA_PIP_PACKAGES"))
			if i > 0 && !slices.Equal(value, one.Packages) {
				one.Mixed = true
			}
			one.Packages = union(one.Packages, value)
		}
		all[component] = one
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		writeJSON(w, http.StatusOK, all)
		return
	}
	p := page{Title: "Packages each side was given", StandsFor: "a look at EXTRA_PIP_PACKAGES of the pods"}
	for _, component := range sortedKeys(all) {
		one := all[component]
		p.Rows = append(p.Rows, row{fmt.Sprintf("%s (%d pods)", component, one.Pods), strings.Join(one.Packages, " ")})
	}
	t.page(w, http.StatusOK, p)
}

// union keeps the order in which packages were given.
func union(a, b []string) []string {
	for _, item := range b {
		if !slices.Contains(a, item) {
			a = append(a, item)
		}
	}
	return a
}
