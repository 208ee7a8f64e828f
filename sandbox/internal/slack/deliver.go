package slack

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// Patience is how long Slack waits for an app, and how long an app may answer a
// person's action with a modal.
const Patience = 3 * time.Second

// Names of what a person reads when the app did not answer well.
const (
	timedOut       = "operation_timeout"
	dispatchFailed = "dispatch_failed"
)

// An acknowledgement in Socket Mode that belongs to no delivery is listed among
// them, as a kind of its own with this problem.
const (
	acknowledgement = "acknowledgement"
	unknownEnvelope = "unknown_envelope"
)

// Kinds of requests; the last part of the path they go to.
const (
	toCommands     = "commands"
	toInteractions = "interactions"
	toEvents       = "events"
)

// request is something Slack tells an app.
type request struct {
	kind    string
	app     App
	team    string
	payload map[string]any // as Socket Mode sends it
	retry   int
	reason  string // why it is sent again
}

// outcome is how the app took a request.
type outcome struct {
	Status  int
	Body    []byte
	Problem string // timedOut, dispatchFailed or ""
	Reason  string // in the words of X-Slack-Retry-Reason
	NoRetry bool
}

// delivery is one request to an app, kept so that tests can look at it and
// send it again byte for byte.
type delivery struct {
	ID      int               `json:"id"`
	At      time.Time         `json:"at"`
	Team    string            `json:"team"`
	Kind    string            `json:"kind"`
	URL     string            `json:"url,omitempty"` // "" over Socket Mode
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body"`
	Status  int               `json:"status,omitempty"`
	Answer  string            `json:"answer,omitempty"`
	Problem string            `json:"problem,omitempty"`
	Ms      float64           `json:"ms"`
}

// deliveries remembers the newest requests.
type deliveries struct {
	mu   sync.Mutex
	next int
	all  []delivery
}

const rememberedDeliveries = 5000

func (d *deliveries) add(one delivery) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	one.ID = d.next
	d.all = append(d.all, one)
	if len(d.all) > rememberedDeliveries {
		d.all = append([]delivery(nil), d.all[rememberedDeliveries/2:]...)
	}
}

func (d *deliveries) of(team string) []delivery {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := []delivery{}
	for _, one := range d.all {
		if one.Team == team {
			found = append(found, one)
		}
	}
	return found
}

func newClient() *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// deliver sends a request the way the app wants it and waits for the answer
// as long as Slack does.
func (e *Emulator) deliver(ctx context.Context, r request) outcome {
	if r.app.Mode == Socket {
		return e.deliverSocket(ctx, r)
	}
	body, media, err := r.encode()
	if err != nil {
		e.cfg.Log.Error("a payload has no JSON form", "reason", err)
		return outcome{Problem: dispatchFailed}
	}
	if r.app.URL == "" {
		return outcome{Problem: dispatchFailed, Reason: "connection_failed", Body: []byte("nobody told the emulator where the app is: POST /slack/app")}
	}
	headers := map[string]string{"Content-Type": media, "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)"}
	sign(headers, r.app.SigningSecret, body, time.Now())
	if r.retry > 0 {
		headers["X-Slack-Retry-Num"], headers["X-Slack-Retry-Reason"] = strconv.Itoa(r.retry), r.reason
	}
	return e.send(ctx, delivery{Team: r.team, Kind: r.kind, URL: r.app.URL + "/slack/" + r.kind, Headers: headers, Body: string(body)})
}

// sign adds the headers by which an app knows that a request is Slack's.
func sign(headers map[string]string, secret string, body []byte, now time.Time) {
	at := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", at, body) // never fails
	headers["X-Slack-Request-Timestamp"] = at
	headers["X-Slack-Signature"] = "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// encode is the body of a request over HTTP.
func (r request) encode() (body []byte, media string, err error) {
	const form = "application/x-www-form-urlencoded"
	switch r.kind {
	case toCommands:
		values := url.Values{}
		for k, v := range r.payload {
			values.Set(k, fmt.Sprint(v))
		}
		return []byte(values.Encode()), form, nil
	case toInteractions:
		raw, err := json.Marshal(r.payload)
		return []byte(url.Values{"payload": {string(raw)}}.Encode()), form, err
	default:
		raw, err := json.Marshal(r.payload)
		return raw, "application/json", err
	}
}

// send makes one HTTP request and remembers it.
func (e *Emulator) send(ctx context.Context, d delivery) outcome {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Patience)
	defer cancel()
	d.At = time.Now()
	out := e.exchangeHTTP(ctx, d)
	d.Status, d.Answer, d.Problem, d.Ms = out.Status, string(out.Body), out.Problem, float64(time.Since(d.At).Microseconds())/1000
	e.log.add(d)
	return out
}

func (e *Emulator) exchangeHTTP(ctx context.Context, d delivery) outcome {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader([]byte(d.Body)))
	if err != nil {
		return outcome{Problem: dispatchFailed, Reason: "connection_failed"}
	}
	for k, v := range d.Headers {
		req.Header.Set(k, v)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return failed(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return failed(err)
	}
	out := outcome{Status: resp.StatusCode, Body: answer, NoRetry: resp.Header.Get("X-Slack-No-Retry") == "1"}
	if resp.StatusCode/100 != 2 {
		out.Problem, out.Reason = dispatchFailed, "http_error"
	}
	return out
}

func failed(err error) outcome {
	var timeout interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return outcome{Problem: timedOut, Reason: "http_timeout"}
	}
	return outcome{Problem: dispatchFailed, Reason: "connection_failed"}
}

// event is one of the Events API, on its way.
type event struct {
	app     string
	team    string
	payload map[string]any
}

// emit queues an event when the app subscribed to it. The caller holds the lock.
func (e *Emulator) emit(w *Workspace, what map[string]any) {
	app := e.memory.apps[w.App]
	kind, _ := what["type"].(string)
	if !subscribed(app, kind, what) {
		return
	}
	ts, now := e.nextTS()
	what["event_ts"] = ts
	payload := map[string]any{
		"token": app.Verification, "team_id": w.ID, "api_app_id": app.ID, "event": what, "type": "event_callback",
		"event_id": "Ev" + id(), "event_time": now.Unix(), "is_ext_shared_channel": false,
		"authorizations": []map[string]any{{"team_id": w.ID, "user_id": w.BotUser, "is_bot": true, "is_enterprise_install": false}},
	}
	select {
	case e.pending <- event{app: app.ID, team: w.ID, payload: payload}:
	default:
		e.cfg.Log.Error("an event is lost: too many wait", "type", kind)
	}
}

func subscribed(app *App, kind string, what map[string]any) bool {
	name := kind
	if kind == "message" {
		name = fmt.Sprint("message.", what["channel_type"])
	}
	for _, s := range app.Events {
		if s == name {
			return true
		}
	}
	return false
}

// deliverEvent sends an event until the app takes it or Slack would give up.
func (e *Emulator) deliverEvent(ctx context.Context, ev event) {
	reason := ""
	for attempt := 0; ; attempt++ {
		e.mu.Lock()
		app := *e.memory.apps[ev.app]
		e.mu.Unlock()
		out := e.deliver(ctx, request{kind: toEvents, app: app, team: ev.team, payload: ev.payload, retry: attempt, reason: reason})
		if out.Problem == "" || out.NoRetry || attempt >= len(app.Retries) {
			return
		}
		reason = out.Reason
		pause, err := time.ParseDuration(app.Retries[attempt])
		if err != nil {
			pause = time.Minute // POST /slack/app takes durations only
		}
		if !wait(ctx, pause) {
			return
		}
	}
}

// wait says whether the time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
