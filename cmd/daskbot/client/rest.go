package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/api"
)

// largestAnswer bounds what is read of one answer.
const largestAnswer = 64 << 20

// rest speaks to one daemon.
type rest struct {
	http    *http.Client
	address string
	token   string
}

func (w World) rest() (*rest, error) {
	token, err := w.token()
	if err != nil {
		return nil, fmt.Errorf("read the token: %w", err)
	}
	if u, err := url.Parse(w.address()); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, Usage("DASKBOT_URL is not an address, for example %s.", defaultAddress)
	}
	return &rest{http: w.HTTP, address: w.address(), token: token}, nil
}

// answer is what the daemon said: decoded for tables, as it was for JSON.
type answer[T any] struct {
	Value T
	Raw   []byte
	ETag  string
	// Status is the HTTP status.
	Status int
}

// ask sends one request and decodes the answer. The error is *refused when
// the daemon said no, *unreachable when nobody is there, *slow when it did not
// answer in time.
func ask[T any](ctx context.Context, r *rest, method, path string, body any, headers ...string) (answer[T], error) {
	return askWithin[T](ctx, r, answerIn, method, path, body, headers...)
}

// survey is ask for what takes the daemon minutes.
func survey[T any](ctx context.Context, r *rest, method, path string, body any) (answer[T], error) {
	return askWithin[T](ctx, r, surveyIn, method, path, body)
}

func askWithin[T any](ctx context.Context, r *rest, within time.Duration, method, path string, body any, headers ...string) (answer[T], error) {
	ctx, cancel := r.bounded(ctx, within)
	defer cancel()
	var out answer[T]
	resp, err := r.send(ctx, method, path, body, headers...)
	if err != nil {
		return out, err
	}
	defer resp.Body.Close()
	out.Status, out.ETag = resp.StatusCode, resp.Header.Get("ETag")
	if out.Raw, err = io.ReadAll(io.LimitReader(resp.Body, largestAnswer)); err != nil {
		return out, r.away(ctx, err)
	}
	if len(out.Raw) == 0 {
		return out, nil
	}
	if err := json.Unmarshal(out.Raw, &out.Value); err != nil {
		return out, fmt.Errorf("%s answered something that is not daskbot's: %w", r.address, err)
	}
	return out, nil
}

// send sends one request; the caller closes the body. Answers of 400 and
// above are errors.
func (r *rest) send(ctx context.Context, method, path string, body any, headers ...string) (*http.Response, error) {
	reader, kind, err := encoded(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.address+api.Base+path, reader)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, r.away(ctx, err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		defer resp.Body.Close()
		return nil, problemIn(resp)
	}
	return resp, nil
}

// text asks for what is no JSON, and reads all of it.
func (r *rest) text(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := r.bounded(ctx, answerIn)
	defer cancel()
	resp, err := r.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, largestAnswer))
	if err != nil {
		return nil, r.away(ctx, err)
	}
	return got, nil
}

// raw is a body that is sent as it is.
type raw struct {
	kind string // its Content-Type
	text []byte
}

// encoded is a request's body and what kind it is; nothing for nil.
func encoded(body any) (io.Reader, string, error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case raw:
		return bytes.NewReader(b.text), b.kind, nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, "", fmt.Errorf("encode the request: %w", err)
	}
	return bytes.NewReader(text), "application/json", nil
}

// bounded is a context in which the daemon answers in time or is slow.
func (r *rest) bounded(ctx context.Context, within time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, within, &slow{address: r.address, within: within})
}

// away says that there was no answer; an end that was asked for is not that.
func (r *rest) away(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	var late *slow
	switch {
	case errors.Is(cause, context.Canceled):
		return ctx.Err()
	case errors.As(cause, &late):
		return late
	}
	return &unreachable{address: r.address, err: err}
}

// problemIn reads the problem of a refusal; something between us and the
// daemon may have refused without one.
func problemIn(resp *http.Response) error {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	var p api.Problem
	if err := json.Unmarshal(raw, &p); err != nil || p.Code == "" {
		p = api.Problem{Status: resp.StatusCode, Code: "unavailable",
			Detail: fmt.Sprintf("%s answered %s; that does not look like daskbot.", resp.Request.URL.Host, resp.Status)}
	}
	return &refused{problem: p}
}

// environmentPath is the address of an environment below the API's base.
func environmentPath(id string, more ...string) string {
	return "/environments/" + url.PathEscape(id) + strings.Join(append([]string{""}, more...), "/")
}

// all reads every page of a list and returns it as one.
func all[T any](ctx context.Context, r *rest, path string, query url.Values) (answer[api.List[T]], error) {
	return first[T](ctx, r, path, query, 0)
}

// longestPage is the most that the daemon answers at once.
const longestPage = 1000

// first reads so many of a list, 0 for all of it, and returns them as one page.
// Of a part its next tells whoever reads JSON where it goes on.
func first[T any](ctx context.Context, r *rest, path string, query url.Values, count int) (whole answer[api.List[T]], err error) {
	read := api.List[json.RawMessage]{Items: []json.RawMessage{}}
	for more := true; more; {
		if count > 0 {
			query.Set("limit", strconv.Itoa(min(count-len(read.Items), longestPage)))
		}
		page, err := ask[api.List[json.RawMessage]](ctx, r, http.MethodGet, path+"?"+query.Encode(), nil)
		if err != nil {
			return whole, err
		}
		read.Items, read.Next = append(read.Items, page.Value.Items...), page.Value.Next
		query.Set("cursor", read.Next)
		more = read.Next != "" && (count <= 0 || len(read.Items) < count)
	}
	if whole.Raw, err = json.Marshal(read); err != nil {
		return whole, fmt.Errorf("join pages: %w", err)
	}
	return whole, json.Unmarshal(whole.Raw, &whole.Value)
}
