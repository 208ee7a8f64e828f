package bot

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// stuckStore knows who everybody is; whoever asks for more waits until they
// give up.
type stuckStore struct{ environment.Store }

func (stuckStore) PersonBySlack(_ context.Context, id string) (environment.Person, error) {
	return environment.Person{Subject: "ann", SlackID: id}, nil
}

func (stuckStore) Courses(context.Context, bool) ([]environment.Course, error) { return nil, nil }

func (stuckStore) Note(context.Context, string) (environment.Note, error) {
	return environment.Note{}, environment.Errorf(environment.CodeNotFound, "There is no such note.")
}

func (stuckStore) Environment(ctx context.Context, _ string) (environment.Environment, error) {
	<-ctx.Done()
	return environment.Environment{}, &environment.Error{Code: environment.CodeUnavailable, Message: "The database does not answer.", Err: ctx.Err()}
}

func (stuckStore) Commit(ctx context.Context, _ environment.Change) error {
	<-ctx.Done()
	return &environment.Error{Code: environment.CodeUnavailable, Message: "The database does not answer.", Err: ctx.Err()}
}

// stuckAudit takes nothing either, and remembers how long it was given.
type stuckAudit struct{ waited time.Duration }

func (a *stuckAudit) AppendAudit(ctx context.Context, _ environment.Audited) error {
	start := time.Now()
	<-ctx.Done()
	a.waited = time.Since(start)
	return ctx.Err()
}

func (*stuckAudit) ReadAudit(context.Context, environment.AuditFilter) ([]environment.Audited, error) {
	return nil, nil
}

// stuckWorld is a world whose database does not answer, and whose Slack is a
// function.
func stuckWorld(t *testing.T, serve func(*http.Request) (status int, retryAfter, body string)) *world {
	w := &world{t: t, now: time.Now()}
	service := environment.NewService(environment.ServiceConfig{Store: stuckStore{}, Feed: &environment.Feed{}, Catalogue: catalogue{}, Roster: catalogue{}})
	b, err := New(Config{Service: service, Directory: directory{}, SigningSecret: environment.NewSecret(signingSecret),
		BotToken: environment.NewSecret("xoxb-test"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	http := &http.Client{Transport: transport(serve)}
	b.api = &client{slack: slack.New("xoxb-test", slack.OptionHTTPClient(http), slack.OptionAPIURL("http://slack.test/")), http: http, limits: newLimits(time.Now)}
	w.bot = b
	return w
}

type transport func(*http.Request) (status int, retryAfter, body string)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	status, retryAfter, body := f(r)
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Retry-After": {retryAfter}}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestAcknowledgedWhileTheDatabaseHangs: the work and the audit log together
// take less than Slack waits.
func TestAcknowledgedWhileTheDatabaseHangs(t *testing.T) {
	for name, form := range map[string]url.Values{
		"/slack/commands": {"team_id": {"T1"}, "user_id": {"U1"}, "command": {"/dask"}, "text": {"extend 1h kq7wm2xd"}, "trigger_id": {"1.1"}},
		"/slack/interactions": {"payload": {`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1"},"trigger_id":"2.2",
			"response_url":"http://slack.test/response","actions":[{"action_id":"stop","value":"kq7wm2xd"}]}`}},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := stuckWorld(t, func(*http.Request) (int, string, string) { return http.StatusOK, "", `{"ok":true}` })
			audit := &stuckAudit{}
			w.bot.audit = audit
			start := time.Now()
			rec := w.serve(w.request(name, form.Encode()))
			if took := time.Since(start); took > answerWithin || rec.Code != http.StatusOK {
				t.Errorf("%s: got %d after %s; want 200 within %s", name, rec.Code, took, answerWithin)
			}
			if audit.waited != auditWithin {
				t.Errorf("%s: the audit log was given %s; want %s", name, audit.waited, auditWithin)
			}
			if strings.HasSuffix(name, "commands") && !strings.Contains(rec.Body.String(), "The database does not answer.") {
				t.Errorf("got %s; want the reason", rec.Body)
			}
		})
	}
}

// TestAnswersAreInsistedOn: what a response_url cannot take now it is given a
// little later, and what it does not take at all is told in the direct message.
func TestAnswersAreInsistedOn(t *testing.T) {
	for _, tt := range []struct {
		name     string
		statuses []int // of the response_url, the last one for ever
		answers  int
		direct   bool
		took     time.Duration
	}{
		{"at once", []int{http.StatusOK}, 1, false, 0},
		{"429, then 500", []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusOK}, 3, false, 5 * time.Second},
		{"500 for ever", []int{http.StatusInternalServerError}, 4, true, 7 * time.Second},
		{"used up", []int{http.StatusNotFound}, 1, true, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			answers, direct := 0, 0
			w := stuckWorld(t, func(r *http.Request) (int, string, string) {
				if r.URL.Path != "/response" {
					direct++
					return http.StatusOK, "", `{"ok":true,"channel":"D1","ts":"1.1"}`
				}
				answers++
				return tt.statuses[min(answers, len(tt.statuses))-1], "3", ""
			})
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), answerTime)
			defer cancel()
			w.bot.answer(ctx, account{"T1", "U1"}, "http://slack.test/response", say("Done."))
			if took := time.Since(start); answers != tt.answers || direct > 0 != tt.direct || took != tt.took {
				t.Errorf("%s: %d answers, %d direct messages, after %s; want %d, %v, %s", tt.name, answers, direct, took, tt.answers, tt.direct, tt.took)
			}
		})
	}
}
