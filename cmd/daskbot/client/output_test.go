package client

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// answering is a world whose daemon gives set answers, by method and path.
func answering(t *testing.T, out *output, answers map[string]string) World {
	w := newDaemon(t).world(out, &output{})
	w.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		got := httptest.NewRecorder()
		body, known := answers[r.Method+" "+r.URL.Path]
		switch {
		case !known:
			t.Errorf("%s %s was asked", r.Method, r.URL.Path)
			got.WriteHeader(http.StatusNotFound)
		case body == "":
			got.WriteHeader(http.StatusNoContent)
		default:
			got.Body = bytes.NewBufferString(body)
		}
		answer := got.Result()
		answer.Request = r
		return answer, nil
	})}
	return w
}

// Also what has no JSON of the daemon's comes in the format that was asked for.
func TestWhatComesInEveryFormat(t *testing.T) {
	const base = "/api/v1"
	answers := map[string]string{
		"GET " + base + "/environments/e1/kubeconfig": "kind: Config\nusers: []\n",
		"GET " + base + "/environments/e1/logs":       "one\n\ntwo\n",
		"GET " + base + "/environments/e1":            `{"id":"e1","url":"http://203.0.113.7"}`,
		"GET " + base + "/courses/ml/members":         `[{"email":"ann@example.edu"}]`,
		"DELETE " + base + "/tokens/t1":               "",
		"DELETE " + base + "/courses/ml":              "",
		"DELETE " + base + "/lti/platforms/moodle":    "",
		"GET /readyz":  `{"status":"ready"}`,
		"GET /healthz": `{"version":"v1"}`,
	}
	for line, want := range map[string]string{
		"kubeconfig e1":             `{"kind":"Config","users":[]}`,
		"logs e1 hub":               `{"component":"hub","environment":"e1","lines":["one","","two"]}`,
		"open e1":                   `{"environment":"e1","url":"http://203.0.113.7"}`,
		"course export ml --roster": `[{"email":"ann@example.edu"}]`,
		"token revoke t1":           `{"id":"t1","revoked":true}`,
		"course delete ml":          `{"course":"ml","ended":true}`,
		"lti remove moodle":         `{"name":"moodle","removed":true}`,
		"ping":                      `{"address":"HOST","ready":true,"version":"v1"}`,
	} {
		for _, format := range []string{"json", "yaml"} {
			var out output
			w := answering(t, &out, answers)
			if code := (&daemon{t: t}).do(t.Context(), w, line+" -o "+format); code != ExitDone {
				t.Errorf("%s -o %s: got exit %d", line, format, code)
			}
			got := []byte(strings.ReplaceAll(out.String(), w.address(), "HOST"))
			if format == "yaml" {
				if json.Valid(got) {
					t.Errorf("%s -o yaml: got JSON %s", line, got)
				}
				var err error
				if got, err = yaml.YAMLToJSON(got); err != nil {
					t.Errorf("%s -o yaml: %v", line, err)
				}
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, got); err != nil || compact.String() != want {
				t.Errorf("%s -o %s: got %s, %v; want %s", line, format, compact.String(), err, want)
			}
		}
	}
}
