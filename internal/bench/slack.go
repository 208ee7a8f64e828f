package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	inProgress = 200
	people     = requests / 2
	// slackWaits is how long Slack waits for an answer.
	slackWaits = 3 * time.Second
)

// workspace is a Slack of the sandbox, with the people of a class.
type workspace struct {
	ID     string
	People []struct{ ID, Name, Email string }
	secret string
}

// slackLoad has a class type commands while others' environments are made.
func slackLoad(ctx context.Context, s *stage) (results, error) {
	w, err := s.startWithSlack(ctx)
	if err != nil {
		return results{}, err
	}
	// Every create hangs, as when a zone is out of machines: the environments
	// stay in progress.
	if err := s.control(ctx, http.MethodPost, "/faults", map[string]any{"kind": "stockout", "project": project, "delay": "1h"}, nil); err != nil {
		return results{}, err
	}
	c := &class{stage: s, workspace: w}
	if err := c.before(ctx); err != nil {
		return results{}, err
	}
	cpu, err := s.cpuPer(requests, func() error {
		return evenly(ctx, func(n int, due time.Time) { c.types(ctx, n, due) })
	})
	if err != nil {
		return results{}, err
	}
	without, err := c.without(ctx)
	if err != nil {
		return results{}, err
	}
	untold, err := c.untold(ctx)
	if err != nil {
		return results{}, err
	}
	slices.Sort(c.took)
	got := results{values: map[string]float64{
		"slack.ack_p50_ms": ms(quantile(c.took, 0.50)), "slack.ack_p99_ms": ms(quantile(c.took, 0.99)),
		"slack.ack_max_ms": ms(quantile(c.took, 1)), "slack.lost": float64(len(c.lost) + without + untold), "slack.cpu_ms": cpu,
	}}
	if len(c.lost) > 0 {
		got.notes = append(got.notes, fmt.Sprintf("%d of %d commands were lost, the first: %s", len(c.lost), requests, c.lost[0]))
	}
	if untold > 0 {
		got.notes = append(got.notes, fmt.Sprintf("%d of %d people were told nothing of their environment within %s", untold, people+inProgress, tellingTakes))
	}
	return got, nil
}

// startWithSlack starts both programs, the daemon as the app of a workspace of
// its own.
func (s *stage) startWithSlack(ctx context.Context) (workspace, error) {
	w, err := s.startWorkspace(ctx, people)
	if err != nil {
		return w, err
	}
	return w, s.startDaemon(ctx)
}

// workspaceDomain names the workspace to the sandbox.
const workspaceDomain = "bench"

// startWorkspace starts the sandbox and makes a workspace with an app and so
// many people; daemons started from then on are that app.
func (s *stage) startWorkspace(ctx context.Context, people int) (workspace, error) {
	if err := s.startSandbox(ctx); err != nil {
		return workspace{}, err
	}
	var made struct {
		Workspace workspace
		App       struct {
			Credentials struct{ BotToken, SigningSecret, API string }
		}
	}
	wanted := map[string]any{"domain": workspaceDomain, "name": "A large class", "mail": "bench.example", "members": people + inProgress}
	if err := s.control(ctx, http.MethodPost, "/slack/workspaces", wanted, &made); err != nil {
		return workspace{}, err
	}
	app, w := made.App.Credentials, made.Workspace
	if len(w.People) < people+inProgress {
		return w, fmt.Errorf("the sandbox made a workspace of %d people; want %d", len(w.People), people+inProgress)
	}
	w.secret = app.SigningSecret
	s.extra = []string{"SLACK_BOT_TOKEN=" + app.BotToken, "SLACK_SIGNING_SECRET=" + app.SigningSecret, "SLACK_API_URL=" + app.API}
	return w, nil
}

// before has others of the workspace ask for an environment each, so that Slack
// is told of them while the class types.
func (c *class) before(ctx context.Context) error {
	for n := range inProgress {
		said, err := c.command(ctx, c.person(people+n), "up", requests+n)
		if err != nil {
			return err
		}
		if !strings.Contains(said, "on its way") {
			return fmt.Errorf("one of those before the class was answered %q", said)
		}
	}
	return c.awaitClusters(ctx, inProgress)
}

// tellingTakes is how long everybody is waited for to be told of theirs. Slack
// takes a few messages a second.
const tellingTakes = 5 * time.Minute

// untold counts who has no direct message in the end.
func (c *class) untold(ctx context.Context) (int, error) {
	waiting := map[string]bool{}
	for n := range people + inProgress {
		waiting[c.person(n)] = true
	}
	for end := time.Now().Add(tellingTakes); len(waiting) > 0 && time.Now().Before(end); {
		for who := range waiting {
			told, err := c.isTold(ctx, who)
			if err != nil {
				return 0, err
			}
			if told {
				delete(waiting, who)
			}
		}
		c.tell("%d people are not told yet", len(waiting))
		if len(waiting) == 0 {
			break
		}
		if err := pause(ctx, 5*time.Second); err != nil {
			return 0, err
		}
	}
	return len(waiting), nil
}

func (c *class) isTold(ctx context.Context, user string) (bool, error) {
	var all []struct {
		For      string
		Metadata struct {
			Payload struct{ Environment string } `json:"event_payload"`
		}
	}
	query := url.Values{"team": {workspaceDomain}, "user": {user}}
	if err := c.control(ctx, http.MethodGet, "/slack/messages?"+query.Encode(), nil, &all); err != nil {
		return false, err
	}
	for _, m := range all {
		if m.For == "" && m.Metadata.Payload.Environment != "" {
			return true, nil
		}
	}
	return false, nil
}

// class is who types the commands.
type class struct {
	*stage
	workspace workspace

	mu   sync.Mutex
	took []time.Duration
	lost []string // what was answered, or came of it
}

// looksAfter is how many people ask before somebody looks how theirs is.
const looksAfter = 50

// line is the nth command: people ask one after the other, and each looks
// some seconds later. The first ones to look have not asked yet.
func (c *class) line(n int) (user, text, want string) {
	at, text, want := n/2, "up", "*daskhub*"
	if n%2 == 1 {
		at, text = n/2-looksAfter, "status"
	}
	if at < 0 {
		at, want = at+people, "You have no environment"
	}
	return c.person(at), text, want
}

func (c *class) person(n int) string { return c.workspace.People[len(c.workspace.People)-1-n].ID }

func (c *class) types(ctx context.Context, n int, due time.Time) {
	user, text, want := c.line(n)
	said, err := c.command(ctx, user, text, n)
	took := time.Since(due)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.took = append(c.took, took)
	switch {
	case err != nil:
		c.lost = append(c.lost, text+": "+err.Error())
	case took > slackWaits:
		c.lost = append(c.lost, fmt.Sprintf("%s: answered after %s", text, took.Round(time.Millisecond)))
	case !strings.Contains(said, want):
		c.lost = append(c.lost, text+": "+said)
	default:
		return
	}
	c.tell("lost: %s", c.lost[len(c.lost)-1])
}

// command sends one as Slack does, and returns what Slack would show.
func (c *class) command(ctx context.Context, user, text string, n int) (string, error) {
	body := url.Values{"team_id": {c.workspace.ID}, "user_id": {user}, "command": {"/dask"}, "text": {text},
		"trigger_id": {fmt.Sprintf("bench.%d", n)}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.daemonURL+"/slack/commands", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(c.workspace.secret))
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", at, body) // a hash takes everything
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Slack-Request-Timestamp", at)
	req.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, answer)
	}
	var said struct{ Text string }
	err = json.Unmarshal(answer, &said)
	return said.Text, err
}

// without counts who asked and has nothing.
func (c *class) without(ctx context.Context) (int, error) {
	missing := 0
	for _, p := range c.workspace.People[len(c.workspace.People)-people:] {
		var got struct{ Items []environment }
		if err := c.rest(ctx, http.MethodGet, "/environments?owner="+url.QueryEscape(p.Email), nil, &got); err != nil {
			return 0, err
		}
		if len(got.Items) == 0 {
			missing++
		}
	}
	return missing, nil
}
