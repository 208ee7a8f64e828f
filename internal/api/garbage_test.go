package api

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestGarbageIsRefusedWell sends what nobody means: no answer may be a fault,
// and every refusal must be a problem that the description knows.
func TestGarbageIsRefusedWell(t *testing.T) {
	b := newBench(t)
	paths := []string{"/environments", "/environments/{}", "/environments/{}/extend", "/environments/{}/scale", "/environments/{}/packages",
		"/environments/{}/upgrade", "/environments/{}/events", "/environments/{}/credentials", "/environments/{}/logs", "/people/{}", "/tokens",
		"/tokens/{}", "/projects/{}/check", "/profiles", "/me", "/{}",
		"/environments/{}/keep", "/environments/{}/protect", "/reaper/plan", "/reaper/run", "/reaper/pause", "/costs"}
	rapid.Check(t, func(r *rapid.T) {
		path := rapid.SampledFrom(paths).Draw(r, "path")
		name := rapid.OneOf(rapid.Just("kq7wm2xd"), rapid.String(), rapid.StringN(0, 300, 600)).Draw(r, "name")
		target := Base
		for i, part := range strings.Split(path, "{}") {
			if i > 0 {
				target += url.PathEscape(name)
			}
			target += part
		}
		if rapid.Bool().Draw(r, "query") {
			key := rapid.SampledFrom([]string{"owner", "state", "limit", "cursor", "after", "tail", "component", "describe", "by", "from", "x"}).Draw(r, "key")
			target += "?" + key + "=" + url.QueryEscape(rapid.String().Draw(r, "value"))
		}
		method := rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE", "PATCH"}).Draw(r, "method")
		headers := []string{rapid.SampledFrom([]string{"If-Match", "If-None-Match", "Last-Event-ID", "Idempotency-Key", "Content-Type"}).Draw(r, "header"),
			rapid.StringMatching(`[ -~]{0,40}`).Draw(r, "header value")}
		answer := b.ask(t, method, target, garbageBody(r), headers...)
		if answer.StatusCode >= 500 {
			r.Fatalf("%s %q: %d", method, target, answer.StatusCode)
		}
	})
}

// garbageBody is nothing, noise, or JSON with known names and wrong values.
func garbageBody(r *rapid.T) string {
	value := rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.String(), anything[string]), rapid.Map(rapid.Int(), anything[int]),
		rapid.Map(rapid.Float64Range(-1e30, 1e30), anything[float64]), rapid.Map(rapid.Bool(), anything[bool]), rapid.Map(rapid.SliceOf(rapid.String()), anything[[]string]))
	name := rapid.SampledFrom([]string{"owner", "ttl", "until", "workers", "packages", "duration", "add", "remove", "role", "subject", "email", "lmsId", "x"})
	switch rapid.IntRange(0, 2).Draw(r, "kind") {
	case 0:
		return ""
	case 1:
		return rapid.String().Draw(r, "noise")
	default:
		raw, err := json.Marshal(rapid.MapOf(name, value).Draw(r, "body"))
		if err != nil {
			r.Fatal(err)
		}
		return string(raw)
	}
}

func anything[T any](v T) any { return v }
