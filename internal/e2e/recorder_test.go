package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
)

// recorder stands between clients and a daemon and holds every answer against
// the daemon's own description.
type recorder struct {
	*httptest.Server
	judge func(*http.Request, *http.Response) []string

	mu       sync.Mutex
	answers  int
	problems []string
}

// newRecorder forwards to the daemon at addr, which need not run yet.
func newRecorder(addr string, judge func(*http.Request, *http.Response) []string) *recorder {
	r := &recorder{judge: judge}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	proxy.FlushInterval = -1 // events are for now
	proxy.ModifyResponse = r.record
	// A daemon that does not answer must look like one: no answer.
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	r.Server = httptest.NewServer(proxy)
	return r
}

const apiBase = "/api/v1/"

// record judges one answer and passes it on.
func (r *recorder) record(resp *http.Response) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")) // none is judged too
	if !strings.HasPrefix(resp.Request.URL.Path, apiBase) || kind == "text/event-stream" {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err // the daemon died in the middle
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	found := r.judge(resp.Request, resp)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers++
	for _, problem := range found {
		r.problems = append(r.problems, fmt.Sprintf("%s %s: %d: %s\n%s", resp.Request.Method, resp.Request.URL, resp.StatusCode, problem, body))
	}
	return nil
}

// verdict is an error that names every answer that was not as described.
func (r *recorder) verdict() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []error
	for _, p := range r.problems {
		all = append(all, errors.New(p))
	}
	return errors.Join(all...)
}

// description judges by a daemon's OpenAPI document. All daemons of a run have
// the same one, so it is read once.
type description struct {
	mu sync.Mutex
	v  validator.Validator
}

var described description

// learn reads the description of the daemon at address, unless it is known.
func (d *description) learn(ctx context.Context, address string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.v != nil {
		return nil
	}
	var text json.RawMessage
	if err := askJSON(ctx, http.MethodGet, address+"/openapi.json", nil, &text); err != nil {
		return err
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		return err
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	d.v = v
	return nil
}

// judge says what is wrong with an answer. A refusal must be a problem that a
// person can act on; what is at no described address must be a refusal.
func (d *description) judge(req *http.Request, resp *http.Response) []string {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	if resp.StatusCode >= http.StatusBadRequest {
		out = judgeRefusal(resp, body)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	d.mu.Lock()
	defer d.mu.Unlock()
	_, wrong := d.v.ValidateHttpResponse(req, resp)
	for _, w := range wrong {
		unknown := w.IsPathMissingError() || w.IsOperationMissingError()
		if unknown && (resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed) {
			return out
		}
		out = append(out, w.Error())
	}
	return out
}

// judgeRefusal holds a refusal against RFC 9457 and the contract.
func judgeRefusal(resp *http.Response, body []byte) []string {
	var p struct {
		Code, Detail, RequestID string
		Status                  int
	}
	err := json.Unmarshal(body, &p)
	switch {
	case resp.Header.Get("Content-Type") != "application/problem+json" || err != nil:
		return []string{"a refusal is not application/problem+json"}
	case p.Status != resp.StatusCode || p.Code == "" || p.RequestID == "":
		return []string{"a refusal lacks its status, code or request id"}
	case !strings.HasSuffix(strings.TrimSpace(p.Detail), ".") && !strings.Contains(p.Detail, "\n"):
		return []string{"a refusal is not a sentence"}
	}
	return nil
}

func TestRecorderNoticesWhatIsNotDescribed(t *testing.T) {
	t.Parallel()
	newStory(t) // whose daemon describes itself
	for name, tc := range map[string]struct {
		status     int
		kind, body string
		want       bool
	}{
		"as described":        {200, "application/json", `{"subject":"s1","role":"student","courses":[]}`, true},
		"another type":        {200, "application/json", `{"subject":1,"role":"student","courses":[]}`, false},
		"a missing field":     {200, "application/json", `{"subject":"s1"}`, false},
		"an unknown status":   {418, "application/problem+json", `{}`, false},
		"a refusal in text":   {401, "text/plain", `no`, false},
		"a refusal's own way": {401, "application/json", `{"error":"no"}`, false},
	} {
		req := httptest.NewRequest(http.MethodGet, apiBase+"me", nil)
		resp := &http.Response{StatusCode: tc.status, Header: http.Header{"Content-Type": {tc.kind}}, Body: io.NopCloser(strings.NewReader(tc.body)), Request: req}
		if found := described.judge(req, resp); (len(found) == 0) != tc.want {
			t.Errorf("%s: got %v; want it to be as described: %t", name, found, tc.want)
		}
	}
}
