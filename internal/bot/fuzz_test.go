package bot

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "up dask for 3h", "up for <@U1|a> with a,b", "extend 2h x", `up "quoted words`, "up <", "‘’", "up „dask“ with ‚a‘ «\u00a0b\u00a0»", "up until tomorrow at 6pm", "up until 6pm tomorrow", "up until today 18:00",
		"up dask until 2026-12-01 08:30 workers 4", "up with “scikit-learn&gt;=1”, xgboost in ml", "scale to 4 dask", "packages add a and b on dask",
		"packages remove <http://dask.org|dask.org>", "logs scheduler of dask", "class up in de-2026", "course down", "link ABCD-efgh-jkmn",
		"packages add numpy<2 dask[array, dataframe],x", "packages add a[b,c", "project none", "help up", "up --help", "lst", "why <!channel>", "up for 1h until 18:00", "extend 99999999h", "scale 99999999999999999999"} {
		f.Add(seed)
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 10, 24, 16, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		cmd, err := parse(text)
		if err != nil {
			checkRefusal(t, text, err)
			return
		}
		if cmd.verb != verbOverview && usage[cmd.verb].example == "" {
			t.Errorf("parse(%q): %q is no command", text, cmd.verb)
		}
		if cmd.span < 0 || cmd.workers != nil && *cmd.workers < 0 {
			t.Errorf("parse(%q): got %+v; want nothing negative", text, cmd)
		}
		if at, err := cmd.until.at(now, paris); err == nil && cmd.until.set && cmd.until.day.IsZero() && at.Before(now) {
			t.Errorf("parse(%q): until %s; want a time to come", text, at)
		}
	})
}

// checkRefusal: whatever was typed, the refusal is a sentence that Slack takes,
// and that calls nobody.
func checkRefusal(t *testing.T, text string, err error) {
	t.Helper()
	if environment.CodeOf(err) != environment.CodeInvalid {
		t.Errorf("parse(%q): got %v; want a refusal with a sentence", text, err)
	}
	a := sorry(err)
	blocks, jsonErr := json.Marshal(a.Blocks)
	if jsonErr != nil || a.Text == "" || len([]rune(a.Text)) > maxText || len(a.Blocks) > maxBlocks {
		t.Errorf("parse(%q): the refusal cannot be sent: %v, %q", text, jsonErr, a.Text)
	}
	for _, call := range []string{"<!", "<@", "<#"} {
		if strings.Contains(a.Text, call) || strings.Contains(string(blocks), call) {
			t.Errorf("parse(%q): the refusal calls somebody: %q", text, a.Text)
		}
	}
}

func FuzzSlash(f *testing.F) {
	f.Add([]byte(`token=x&team_id=T1&team_domain=a&channel_id=C1&channel_name=general&user_id=U1&user_name=ada&command=%2Fdask&text=up+dask&api_app_id=A1&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1%2F2%2F3&trigger_id=13345224609.738474920.8088930838d88f008e0`))
	f.Add([]byte(`team_id=T1&user_id=U1&trigger_id=1.2&text=up&text=down`))
	f.Add([]byte("team_id=T1&user_id=%zz"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, body []byte) {
		if s, err := parseSlash(body); err == nil && (s.from.user == "" || s.from.team == "" || s.trigger == "") {
			t.Errorf("a command without a user, a team or a trigger was taken: %q", body)
		}
	})
}

func FuzzSocketSlash(f *testing.F) {
	f.Add([]byte(`{"team_id":"T1","user_id":"U1","command":"/dask","text":"up","trigger_id":"1.2","response_url":"https://hooks.slack.com/x"}`))
	f.Add([]byte(`{"team_id":1,"user_id":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if s, err := parseSocketSlash(body); err == nil && (s.from.user == "" || s.from.team == "" || s.trigger == "") {
			t.Errorf("a command without a user, a team or a trigger was taken: %q", body)
		}
	})
}

func FuzzInteraction(f *testing.F) {
	for _, seed := range []string{
		`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1"},"trigger_id":"1.1","response_url":"https://hooks.slack.com/x","container":{"type":"message","is_ephemeral":true},"actions":[{"action_id":"stop","value":"kq7wm2xd","action_ts":"1.5"}]}`,
		`{"type":"block_actions","team":null,"user":{"id":"U1","team_id":"T1"},"trigger_id":"1.1","container":{"type":"view"},"actions":[]}`,
		`{"type":"view_submission","team":{"id":"T1"},"user":{"id":"U1"},"view":{"id":"V1","callback_id":"up","private_metadata":"","state":{"values":{"profile":{"profile":{"selected_option":{"value":"dask"}}},"ttl":{"ttl":{"value":"3h"}},"workers":{"workers":{"value":null}}}}}}`,
		`{"type":"view_closed","team":{"id":"T1"},"user":{"id":"U1"},"view":{"id":"V1"}}`,
		`{"type":"shortcut","team":{"id":"T1"},"user":{"id":"U1"},"callback_id":"x"}`,
		`{"type":["block_actions"]}`, `null`, `{"actions":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := parseInteraction(body)
		if err != nil {
			return
		}
		if in.from.user == "" || in.from.team == "" || in.kind == "" || in.kind == clicked && in.trigger == "" {
			t.Errorf("an interaction that nobody could have made was taken: %q", body)
		}
		if again, err := parseInteractionForm(append([]byte("payload="), []byte(url.QueryEscape(string(body)))...)); err != nil || again.from != in.from || again.action != in.action {
			t.Errorf("over HTTP %q reads differently: %+v, %v", body, again, err)
		}
	})
}

func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event_time":1764000000,"event":{"type":"app_home_opened","user":"U1","tab":"home","channel":"D1"}}`,
		`{"type":"event_callback","team_id":"T1","event_id":"Ev2","event_time":1764000000,"event":{"type":"message","channel_type":"im","channel":"D1","user":"U1","text":"hello","ts":"1.2"}}`,
		`{"type":"event_callback","team_id":"T1","event_id":"Ev3","event":{"type":"message","channel_type":"im","channel":"D1","subtype":"message_changed","message":{"user":"U1"}}}`,
		`{"type":"event_callback","team_id":"T1","event_id":"Ev4","event":{"type":"message","channel_type":"im","channel":"D1","user":"U0","bot_id":"B1","text":"mine"}}`,
		`{"type":"event_callback","team_id":"T1","event_id":"Ev5","event_time":1764000000,"event":{"type":"app_uninstalled"}}`,
		`{"type":"event_callback","team_id":"T1","event_id":"Ev6","event_time":1764000000,"event":{"type":"tokens_revoked","tokens":{"oauth":["U1"],"bot":["U0"]}}}`,
		`{"type":"url_verification","token":"x","challenge":"3eZbrw1aB"}`,
		`{"type":"event_callback","team_id":"T1","event_id":"Ev7","event":{"type":"app_home_opened","user":{"id":1},"channel":{"id":"C1"}}}`,
		`{"type":"app_rate_limited","team_id":"T1"}`, `{}`, `7`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		ev, err := parseEvent(body)
		if err != nil || ev.kind == "url_verification" {
			return
		}
		if ev.id == "" || ev.from.team == "" || ev.byPerson && ev.from.user == "" || ev.challenge != "" {
			t.Errorf("an event that could not be told apart was taken: %q", body)
		}
	})
}

// FuzzState: no state but those that were signed here is believed.
func FuzzState(f *testing.F) {
	// A secret for each process: what another one signed is not to be believed.
	o := newOAuth(Config{ClientID: "1.2", ClientSecret: environment.NewSecretValue(), ExternalURL: "https://daskbot.example.edu"})
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	good := o.state(now)
	if !o.believes(good, now) {
		f.Fatal("a state of our own is not believed")
	}
	signed, err := base64.RawURLEncoding.DecodeString(good) // which has other spellings; the cookie is of this one
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[:len(good)-1])
	f.Add(good + "A")
	f.Add("")
	f.Add(strings.Repeat("A", len(good)))
	f.Fuzz(func(t *testing.T, state string) {
		text, _ := base64.RawURLEncoding.DecodeString(state)
		if o.believes(state, now) && !bytes.Equal(text, signed) {
			t.Errorf("believed %q", state)
		}
	})
}
