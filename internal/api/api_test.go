package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/daskbot/daskbot/internal/environment"
)

var update = flag.Bool("update", false, "write the checked-in files")

var _ Service = (*environment.Service)(nil)

// bench is a Server on a double, and everything it logged.
type bench struct {
	*Server
	double *double
	log    *bytes.Buffer
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{double: newDouble(), log: &bytes.Buffer{}}
	s, err := New(Config{Service: b.double, Sweep: b.double.swept, Log: slog.New(slog.NewJSONHandler(b.log, nil)), Version: "test", BodyLimit: 10_000,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "metrics 1\n") })})
	if err != nil {
		t.Fatal(err)
	}
	b.Server = s
	return b
}

// ask sends a request and checks the answer against the description.
func (b *bench) ask(t testing.TB, method, target, body string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer admin")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	answer := w.Result()
	if strings.HasPrefix(r.URL.Path, Base) {
		described(t, r, answer)
	}
	return answer
}

// validatorOf builds the judge once: it compiles every schema.
func validatorOf(t testing.TB) validator.Validator {
	t.Helper()
	if judge != nil {
		return judge
	}
	s, err := New(Config{Service: newDouble(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := s.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(spec)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errors.Join(errs...))
	}
	judge = v
	return v
}

var judge validator.Validator

// described fails the test when the answer is not one the description allows.
// Paths and methods that are not described must be 404 and 405 problems.
func described(t testing.TB, r *http.Request, answer *http.Response) {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body = io.NopCloser(bytes.NewReader(body))
	if answer.StatusCode >= 400 {
		var p Problem
		if err := json.Unmarshal(body, &p); err != nil || p.Code == "" || p.Detail == "" || p.RequestID == "" || p.Status != answer.StatusCode ||
			answer.Header.Get("Content-Type") != problemType {
			t.Errorf("%s %s: %d %q is not a problem: %s", r.Method, r.URL, answer.StatusCode, answer.Header.Get("Content-Type"), body)
		}
	}
	if answer.StatusCode == http.StatusMethodNotAllowed || strings.Contains(string(body), "nothing at this address") {
		return
	}
	ok, problems := validatorOf(t).ValidateHttpResponse(r, answer)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	for _, p := range problems {
		ok = ok || p.IsPathMissingError()
	}
	if !ok {
		t.Errorf("%s %s: answer %d does not match the description: %v\n%s", r.Method, r.URL, answer.StatusCode, problems, body)
	}
}

func decode[T any](t testing.TB, answer *http.Response) T {
	t.Helper()
	var v T
	if err := json.NewDecoder(answer.Body).Decode(&v); err != nil {
		t.Fatalf("%d: %v", answer.StatusCode, err)
	}
	return v
}

func TestOpenAPIIsCurrent(t *testing.T) {
	const path = "../../api/openapi.json"
	raw, err := newBench(t).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	out.WriteByte('\n')
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), out.String()); diff != "" {
		t.Errorf("api/openapi.json is not what is served; run go generate ./internal/api (-have +want):\n%s", diff)
	}
	if ok, problems := validatorOf(t).ValidateDocument(); !ok {
		t.Errorf("the description is not valid OpenAPI: %v", problems)
	}
}

func TestAnswers(t *testing.T) {
	const one = Base + "/environments/kq7wm2xd"
	for name, c := range map[string]struct {
		method, target, body string
		headers              []string
		want                 int
		header, value        string // one header of the answer
		has                  string // part of its body
	}{
		"up, idle for no time":    {"POST", Base + "/environments", `{"idle":"soon"}`, nil, 422, "", "", `"field":"idle"`},
		"up makes one":            {"POST", Base + "/environments", `{"owner":"bob","profile":"daskhub","ttl":"2d"}`, nil, 202, "Location", Base + "/environments/new00002", `"state":"pending"`},
		"up finds the one":        {"POST", Base + "/environments", `{"owner":"alice","profile":"daskhub"}`, nil, 200, "ETag", `"v3-`, `"id":"kq7wm2xd"`},
		"up twice in one key":     {"POST", Base + "/environments", `{"owner":"alice","profile":"daskhub"}`, []string{"Idempotency-Key", "k-1"}, 200, "", "", ""},
		"list":                    {"GET", Base + "/environments?owner=alice&state=ready,failed&limit=10", "", nil, 200, "Cache-Control", "private, no-cache", `"next":""`},
		"list, empty":             {"GET", Base + "/environments?owner=nobody", "", nil, 200, "", "", `"items":[]`},
		"get":                     {"GET", one, "", nil, 200, "ETag", `"v3-`, `"verdict":"idle"`},
		"get, described":          {"GET", one + "?describe=true", "", nil, 200, "", "", `"version":"2026.1.1"`},
		"get, changed":            {"GET", one, "", []string{"If-None-Match", `"v2", "v3"`}, 200, "", "", ""},
		"down":                    {"DELETE", one, "", nil, 202, "", "", `"state":"deleted"`},
		"down, gone":              {"DELETE", Base + "/environments/zz9failx", "", nil, 200, "", "", ""},
		"down, expected":          {"DELETE", one, "", []string{"If-Match", `"v3"`}, 202, "", "", ""},
		"down, one of several":    {"DELETE", one, "", []string{"If-Match", `"v1", "v3"`}, 202, "", "", ""},
		"down, moved on":          {"DELETE", one, "", []string{"If-Match", `"v2"`}, 412, "", "", `"code":"conflict"`},
		"down, weak tag":          {"DELETE", one, "", []string{"If-Match", `W/"v3"`}, 412, "", "", `"field":"If-Match"`},
		"down, tag of others":     {"DELETE", one, "", []string{"If-Match", `"abc"`}, 412, "", "", ""},
		"extend":                  {"POST", one + "/extend", `{"duration":"2h"}`, nil, 202, "ETag", `"v4-`, `"expiresAt":"2026-11-23T18:00:00Z"`},
		"extend, nonsense":        {"POST", one + "/extend", `{"duration":"soon"}`, nil, 422, "", "", `"field":"duration"`},
		"scale":                   {"POST", one + "/scale", `{"workers":4}`, nil, 202, "", "", `"workers":4`},
		"scale, below nothing":    {"POST", one + "/scale", `{"workers":-1}`, nil, 422, "", "", `"example":4`},
		"packages":                {"POST", one + "/packages", `{"add":["s3fs"]}`, nil, 202, "", "", `"s3fs"`},
		"upgrade":                 {"POST", one + "/upgrade", "", nil, 202, "", "", ""},
		"keep":                    {"POST", one + "/keep", `{"for":"1h"}`, nil, 200, "ETag", `"v4-`, `"keepUntil":"2026-11-23T13:00:00Z"`},
		"keep, nonsense":          {"POST", one + "/keep", `{"for":"soon"}`, nil, 422, "", "", `"field":"for"`},
		"protect":                 {"POST", one + "/protect", `{}`, nil, 200, "", "", `"protected":{"by":"admin"`},
		"protect, moved on":       {"POST", one + "/protect", `{}`, []string{"If-Match", `"v9"`}, 412, "", "", ""},
		"keep, moved on":          {"POST", one + "/keep", `{"for":"1h"}`, []string{"If-Match", `"v9"`}, 412, "", "", ""},
		"keep, as it was":         {"POST", one + "/keep", `{"for":"1h"}`, []string{"If-Match", `"v3-0123456789ab"`}, 200, "ETag", `"v4-`, "keepUntil"},
		"protect, no body":        {"POST", one + "/protect", "", nil, 200, "", "", `"protected":{"by":"admin"`},
		"protect, off":            {"POST", one + "/protect", `{"off":true}`, nil, 200, "", "", ""},
		"protect, by a student":   {"POST", one + "/protect", `{}`, []string{"Authorization", "Bearer alice"}, 403, "", "", ""},
		"get, judged":             {"GET", one, "", nil, 200, "", "", `"next":{"action":"warn"`},
		"get, limits":             {"GET", one, "", nil, 200, "", "", `{"name":"idle","value":"45m","from":"course"}`},
		"costs":                   {"GET", Base + "/costs?by=day&from=2026-11-01", "", nil, 200, "", "", `"key":"alice","environments":2,"usd":1.5`},
		"costs, no day":           {"GET", Base + "/costs?from=soon", "", nil, 422, "", "", `"field":"from"`},
		"costs, by nothing known": {"GET", Base + "/costs?by=planet", "", nil, 422, "", "", `"field":"by"`},
		"touch":                   {"GET", "/keep/kq7wm2xd/" + password + "?for=2h", "", nil, 200, "Cache-Control", "no-store", "Kept until 2026-11-23 14:00 UTC."},
		"touch, posted":           {"POST", "/keep/kq7wm2xd/" + password, "", nil, 200, "", "", "13:00 UTC"},
		"touch, wrong":            {"GET", "/keep/kq7wm2xd/x", "", nil, 404, "Content-Type", problemType, "nothing to keep"},
		"touch, unknown":          {"GET", "/keep/nothere1/" + password, "", nil, 404, "Content-Type", problemType, "nothing to keep"},
		"touch, nonsense":         {"GET", "/keep/kq7wm2xd/" + password + "?for=soon", "", nil, 422, "", "", `"field":"for"`},
		"touch, with DELETE":      {"DELETE", "/keep/kq7wm2xd/" + password, "", nil, 405, "", "", ""},
		"plan":                    {"GET", Base + "/reaper/plan", "", nil, 200, "", "", `"environment":"kq7wm2xd"`},
		"run":                     {"POST", Base + "/reaper/run", `{"confirm":true}`, nil, 200, "", "", `"warned":1`},
		"run, dry":                {"POST", Base + "/reaper/run", `{"dryRun":true}`, nil, 200, "", "", `"held":"12 of 13`},
		"run, no body":            {"POST", Base + "/reaper/run", "", nil, 200, "", "", `"dryRun":false`},
		"orphans, no body":        {"POST", Base + "/orphans/delete", "", nil, 200, "", "", `"name":"pvc-1"`},
		"run, by a student":       {"POST", Base + "/reaper/run", `{}`, []string{"Authorization", "Bearer alice"}, 403, "", "", ""},
		"pause":                   {"POST", Base + "/reaper/pause", "", nil, 200, "", "", `"paused":true`},
		"pause, with a reason":    {"POST", Base + "/reaper/pause", `{"reason":"the hubs are ill"}`, nil, 200, "", "", `"reason":"the hubs are ill"`},
		"pause, by a student":     {"POST", Base + "/reaper/pause", "", []string{"Authorization", "Bearer alice"}, 403, "", "", ""},
		"resume":                  {"POST", Base + "/reaper/resume", "", nil, 200, "", "", `"paused":false`},
		"events":                  {"GET", one + "/events?after=1", "", nil, 200, "", "", `"detail":"for staff"`},
		"events, full page":       {"GET", one + "/events?limit=1", "", nil, 200, "", "", `"next":"1"`},
		"events, by cursor":       {"GET", one + "/events?limit=1&cursor=1", "", nil, 200, "", "", `"items":[{"seq":2,`},
		"hooks, full page":        {"GET", Base + "/hooks?limit=1", "", nil, 200, "", "", `"next":"d1"`},
		"hooks, next page":        {"GET", Base + "/hooks?limit=1&cursor=d1", "", nil, 200, "", "", `"items":[],"next":""`},
		"list, two states":        {"GET", Base + "/environments?state=ready&state=failed", "", nil, 200, "", "", `"id":"zz9failx"`},
		"list, states by commas":  {"GET", Base + "/environments?state=deleted,%20failed", "", nil, 200, "", "", `"id":"zz9failx"`},
		"list, one unknown":       {"GET", Base + "/environments?state=ready&state=redy", "", nil, 422, "", "", `Did you mean`},
		"roster, CSV or any":      {"GET", Base + "/courses/de-2026/members", "", []string{"Accept", "text/csv, */*;q=0.1"}, 200, "Content-Type", "text/csv; charset=utf-8", "alice"},
		"roster, rather JSON":     {"GET", Base + "/courses/de-2026/members", "", []string{"Accept", "text/csv;q=0.5, application/json"}, 200, "Content-Type", "application/json", "alice"},
		"credentials":             {"GET", one + "/credentials", "", nil, 200, "Cache-Control", "no-store", password},
		"kubeconfig":              {"GET", one + "/kubeconfig", "", nil, 200, "Cache-Control", "no-store", "kind: Config"},
		"logs":                    {"GET", one + "/logs?component=hub&tail=7", "", nil, 200, "Content-Type", "text/plain; charset=utf-8", "hub: a line of 7"},
		"logs, none":              {"GET", one + "/logs?component=silent", "", nil, 200, "Content-Type", "text/plain; charset=utf-8", ""},
		"logs, of nothing":        {"GET", one + "/logs?component=nothing", "", nil, 404, "Content-Type", problemType, ""},
		"profiles":                {"GET", Base + "/profiles", "", nil, 200, "", "", `"ttl":"4h"`},
		"me":                      {"GET", Base + "/me", "", nil, 200, "", "", `"role":"admin"`},
		"person, unknown":         {"GET", Base + "/people/alice%40example.edu", "", nil, 200, "", "", `"subject":"alice@example.edu"`},
		"person, stored":          {"PUT", Base + "/people/me", `{"project":"my-credits"}`, nil, 200, "ETag", `"v1"`, `"subject":"admin"`},
		"person, moved on":        {"PUT", Base + "/people/me", `{"project":"my-credits"}`, []string{"If-Match", `"v7"`}, 412, "", "", ""},
		"person, locked project":  {"PUT", Base + "/people/me", `{"project":"locked-project"}`, nil, 409, "", "", "gcloud projects"},
		"slack code":              {"POST", Base + "/people/me/slack-code", "", nil, 200, "", "", "bcdf-ghjk-mnpq"},
		"project usable":          {"POST", Base + "/projects/my-credits/check", "", nil, 200, "", "", `"usable":true`},
		"project locked":          {"POST", Base + "/projects/locked-project/check", "", nil, 409, "", "", "gcloud projects"},
		"token made":              {"POST", Base + "/tokens", `{"role":"student","subject":"alice"}`, nil, 201, "Cache-Control", "no-store", "dbt_secret"},
		"token of no role":        {"POST", Base + "/tokens", `{"role":"king","subject":"alice"}`, nil, 422, "", "", `"field":"role"`},
		"tokens":                  {"GET", Base + "/tokens", "", nil, 200, "", "", `"items":[]`},
		"tokens, not for all":     {"GET", Base + "/tokens", "", []string{"Authorization", "Bearer alice"}, 403, "", "", `"code":"forbidden"`},
		"token unknown":           {"DELETE", Base + "/tokens/none", "", nil, 404, "", "", ""},
		"of another":              {"GET", Base + "/environments/nothere1", "", []string{"Authorization", "Bearer alice"}, 404, "", "", ""},
		"id that cannot be one":   {"GET", Base + "/environments/..%2f..", "", nil, 404, "", "", ""},
		"no token":                {"GET", one, "", []string{"Authorization", ""}, 401, "WWW-Authenticate", `Bearer realm="daskbot"`, ""},
		"wrong token":             {"GET", one, "", []string{"Authorization", "Bearer x"}, 401, "WWW-Authenticate", `Bearer realm="daskbot", error="invalid_token"`, ""},
		"basic":                   {"GET", one, "", []string{"Authorization", "Basic admin"}, 401, "", "", ""},
		"no such path":            {"GET", Base + "/hubs", "", nil, 404, "Content-Type", problemType, ""},
		"no such method":          {"PATCH", one, "{}", nil, 405, "Allow", "", `"code":"invalid"`},
		"unknown profile":         {"POST", Base + "/environments", `{"profile":"daskhab"}`, nil, 422, "", "", `"field":"profile"`},
		"broken JSON":             {"POST", Base + "/environments", `{"profile":`, nil, 400, "", "", "not valid JSON"},
		"no body":                 {"POST", Base + "/environments", ``, nil, 400, "", "", ""},
		"wrong type":              {"POST", Base + "/environments", `{"workers":"` + password + `"}`, nil, 422, "", "", `"field":"workers"`},
		"unknown field":           {"POST", Base + "/environments", `{"worker":3}`, nil, 422, "", "", "no such field"},
		"two wrong":               {"POST", Base + "/environments", `{"workers":-1,"packages":"x"}`, nil, 422, "", "", `"errors":[`},
		"unknown query":           {"GET", Base + "/environments?onwer=alice", "", nil, 422, "", "", `"field":"onwer"`},
		"unknown state":           {"GET", Base + "/environments?state=redy", "", nil, 422, "", "", `Did you mean`},
		"form":                    {"POST", Base + "/environments", `a=b`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "", "", ""},
		"too large":               {"POST", Base + "/environments", `{"owner":"` + strings.Repeat("x", 20_000) + `"}`, nil, 413, "", "", `"code":"invalid"`},
		"control characters":      {"GET", Base + "/environments?owner=a%00b", "", nil, 400, "", "", ""},
		"unreadable query":        {"GET", Base + "/environments?owner=%zz", "", nil, 400, "", "", ""},
		"the address alone":       {"GET", "/", "", []string{"Authorization", ""}, 200, "Content-Type", "application/json; charset=utf-8", `"docs":"/docs"`},
		"its headers":             {"HEAD", "/", "", []string{"Authorization", ""}, 200, "", "", ""},
		"nothing to change":       {"POST", "/", "", nil, 405, "", "", `"code":"invalid"`},
		"process":                 {"GET", "/healthz", "", nil, 200, "", "", `"ok"`},
		"ready":                   {"GET", "/readyz", "", nil, 200, "", "", `"ready"`},
		"metrics":                 {"GET", "/metrics", "", nil, 200, "", "", "metrics 1"},
		"description":             {"GET", "/openapi.json", "", nil, 200, "", "", `"openapi":"3.1.0"`},
		"description, YAML":       {"GET", "/openapi.yaml", "", nil, 200, "", "", "openapi: 3.1.0"},
		"docs":                    {"GET", "/docs", "", nil, 200, "Content-Type", "text/html; charset=utf-8", "docs.js"},
		"request id of the proxy": {"GET", "/healthz", "", []string{"X-Request-Id", "abc-1"}, 200, "X-Request-Id", "abc-1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			answer := b.ask(t, c.method, c.target, c.body, c.headers...)
			body, _ := io.ReadAll(answer.Body)
			if answer.StatusCode != c.want || !strings.Contains(string(body), c.has) {
				t.Errorf("got %d %s; want %d with %q", answer.StatusCode, body, c.want, c.has)
			}
			if c.header != "" && c.value != "" && !has(answer.Header.Get(c.header), c.value) {
				t.Errorf("got header %s: %q; want %q", c.header, answer.Header.Get(c.header), c.value)
			}
			if answer.StatusCode >= 400 && strings.Contains(string(body), password) {
				t.Errorf("the problem repeats a value: %s", body)
			}
			if strings.Contains(b.log.String(), password) {
				t.Errorf("the log holds a secret: %s", b.log)
			}
			if answer.Header.Get("X-Request-Id") == "" || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers are missing: %v", answer.Header)
			}
		})
	}
}

// has reports whether a header is what is wanted; of an environment's tag only
// the version can be said beforehand.
func has(got, want string) bool {
	return got == want || strings.HasSuffix(want, "-") && strings.HasPrefix(got, want)
}

func TestEveryCodeIsAProblem(t *testing.T) {
	for code, want := range map[environment.Code]int{
		environment.CodeInvalid: 422, environment.CodeUnauthorized: 401, environment.CodeForbidden: 403, environment.CodeNotFound: 404,
		environment.CodeConflict: 409, environment.CodeQuota: 429, environment.CodeBudget: 402, environment.CodeUnavailable: 503, environment.CodeInternal: 500,
	} {
		b := newBench(t)
		b.double.fail["Up"] = &environment.Error{Code: code, Message: "A sentence.", Err: errors.New("the cause")}
		answer := b.ask(t, "POST", Base+"/environments", `{}`)
		p := decode[Problem](t, answer)
		if answer.StatusCode != want || p.Code != string(code) || p.Detail != "A sentence." {
			t.Errorf("%s: got %d %+v; want %d", code, answer.StatusCode, p, want)
		}
		if logged := strings.Contains(b.log.String(), "the cause"); logged != (want >= 500) {
			t.Errorf("%s: the cause is logged: %v", code, logged)
		}
	}
}

func TestUnknownErrorsStayInTheLog(t *testing.T) {
	b := newBench(t)
	b.double.fail["Get"] = errors.New("pq: connection refused to 10.0.0.1")
	p := decode[Problem](t, b.ask(t, "GET", Base+"/environments/kq7wm2xd", ""))
	if p.Status != 500 || strings.Contains(p.Detail, "10.0.0.1") || !strings.Contains(b.log.String(), "10.0.0.1") || !strings.Contains(b.log.String(), p.RequestID) {
		t.Errorf("got %+v; log %s", p, b.log)
	}
}

func TestPanicIsAProblem(t *testing.T) {
	b := newBench(t)
	b.double.panics = "Get"
	p := decode[Problem](t, b.ask(t, "GET", Base+"/environments/kq7wm2xd", ""))
	if p.Code != "internal" || strings.Contains(p.Detail, "scripted") {
		t.Errorf("got %+v", p)
	}
}

func TestStudentsDoNotSeeWhatIsForStaff(t *testing.T) {
	b := newBench(t)
	for _, target := range []string{"/environments/kq7wm2xd/events", "/environments/zz9failx"} {
		body, _ := io.ReadAll(b.ask(t, "GET", Base+target, "", "Authorization", "Bearer alice").Body)
		if bytes.Contains(body, []byte(`"detail"`)) {
			t.Errorf("%s: %s", target, body)
		}
	}
}

func TestNotReadyIsAProblem(t *testing.T) {
	s, err := New(Config{Service: newDouble(), Log: slog.New(slog.DiscardHandler),
		Ready: func(_ context.Context, cloud bool) error {
			if !cloud {
				return nil
			}
			return environment.Errorf(environment.CodeUnavailable, "The cloud does not answer.")
		}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/readyz": 503, "/readyz?exclude=store": 503, "/readyz?exclude=cloud": 200} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want || (want == 503) != strings.Contains(w.Body.String(), "The cloud does not answer.") {
			t.Errorf("%s: got %d %s; want %d", path, w.Code, w.Body, want)
		}
	}
}
