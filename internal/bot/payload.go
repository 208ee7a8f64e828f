package bot

import (
	"encoding/json"
	"net/url"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// What is read of Slack's payloads: only what is used, so that a block or
// field this version does not know spoils nothing.

// account is a Slack user in a workspace.
type account struct{ team, user string }

// id is how an account is kept with a person.
func (a account) id() string { return a.team + ":" + a.user }

// slash is a slash command.
type slash struct {
	from        account
	text        string
	trigger     string // unique to the delivery; opens a modal within three seconds
	responseURL string
}

// interaction is a click or a submitted modal.
type interaction struct {
	from        account
	kind        string // block_actions, view_submission, view_closed, …
	trigger     string
	responseURL string
	inMessage   bool // clicked in a message that others may see too
	ephemeral   bool
	action      string
	value       string
	actionTS    string
	view        view
}

// view is a modal, with what was filled in.
type view struct {
	id, callback, metadata string
	values                 map[string]string
}

// event is something of the Events API.
type event struct {
	id, kind, tab string
	channel       string // of a message
	byPerson      bool   // a message that a person wrote, in a direct message with the app
	from          account
	takenBack     bool // the app's token works no more
	at            time.Time
	challenge     string // of url_verification
}

func badDelivery(what string) error {
	return environment.Errorf(environment.CodeInvalid, "The delivery is not a Slack %s.", what)
}

// parseSlash reads the verified body of a slash command.
func parseSlash(body []byte) (slash, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return slash{}, badDelivery("command")
	}
	s := slash{from: account{form.Get("team_id"), form.Get("user_id")}, text: form.Get("text"),
		trigger: form.Get("trigger_id"), responseURL: form.Get("response_url")}
	return s, s.check()
}

// isCheck recognises the command that is none: now and then Slack asks whether
// the certificate of the address is good, and wants nothing but 200.
func isCheck(body []byte) bool {
	form, err := url.ParseQuery(string(body))
	return err == nil && form.Get("ssl_check") == "1"
}

func (s slash) check() error {
	if s.from.team == "" || s.from.user == "" || s.trigger == "" {
		return badDelivery("command")
	}
	return nil
}

// parseSocketSlash reads one that came over Socket Mode, as JSON.
func parseSocketSlash(payload []byte) (slash, error) {
	var raw struct {
		TeamID      string `json:"team_id"`
		UserID      string `json:"user_id"`
		Text        string `json:"text"`
		TriggerID   string `json:"trigger_id"`
		ResponseURL string `json:"response_url"`
	}
	if json.Unmarshal(payload, &raw) != nil {
		return slash{}, badDelivery("command")
	}
	s := slash{account{raw.TeamID, raw.UserID}, raw.Text, raw.TriggerID, raw.ResponseURL}
	return s, s.check()
}

// parseInteractionForm reads the verified body of an interaction: the payload
// is taken from there and from nowhere else.
func parseInteractionForm(body []byte) (interaction, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return interaction{}, badDelivery("interaction")
	}
	return parseInteraction([]byte(form.Get("payload")))
}

type rawInteraction struct {
	Type string `json:"type"`
	Team struct {
		ID string `json:"id"`
	} `json:"team"`
	User struct {
		ID     string `json:"id"`
		TeamID string `json:"team_id"`
	} `json:"user"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
	Container   struct {
		Type      string `json:"type"`
		Ephemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Actions []struct {
		ActionID string `json:"action_id"`
		Value    string `json:"value"`
		ActionTS string `json:"action_ts"`
	} `json:"actions"`
	View struct {
		ID         string `json:"id"`
		CallbackID string `json:"callback_id"`
		Metadata   string `json:"private_metadata"`
		State      struct {
			Values map[string]map[string]field `json:"values"`
		} `json:"state"`
	} `json:"view"`
}

// field is one filled-in element of a modal.
type field struct {
	Value    string `json:"value"`
	Selected struct {
		Value string `json:"value"`
	} `json:"selected_option"`
}

func parseInteraction(payload []byte) (interaction, error) {
	var raw rawInteraction
	if json.Unmarshal(payload, &raw) != nil {
		return interaction{}, badDelivery("interaction")
	}
	in := interaction{from: account{raw.Team.ID, raw.User.ID}, kind: raw.Type, trigger: raw.TriggerID, responseURL: raw.ResponseURL,
		inMessage: raw.Container.Type == "message", ephemeral: raw.Container.Ephemeral,
		view: view{id: raw.View.ID, callback: raw.View.CallbackID, metadata: raw.View.Metadata, values: map[string]string{}}}
	if in.from.team == "" {
		in.from.team = raw.User.TeamID
	}
	// Without a trigger, two clicks could not be told from one delivered twice.
	if in.from.team == "" || in.from.user == "" || in.kind == "" || in.kind == clicked && in.trigger == "" {
		return interaction{}, badDelivery("interaction")
	}
	if len(raw.Actions) > 0 {
		in.action, in.value, in.actionTS = raw.Actions[0].ActionID, raw.Actions[0].Value, raw.Actions[0].ActionTS
	}
	for _, block := range raw.View.State.Values {
		for name, f := range block {
			in.view.values[name] = f.Value + f.Selected.Value // an element has one of them
		}
	}
	return in, nil
}

// parseEvent reads an Events API delivery.
func parseEvent(body []byte) (event, error) {
	var raw struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
		TeamID    string `json:"team_id"`
		EventID   string `json:"event_id"`
		EventTime int64  `json:"event_time"`
		Event     struct {
			Type    string          `json:"type"`
			User    json.RawMessage `json:"user"`
			Tab     string          `json:"tab"`
			Channel json.RawMessage `json:"channel"`
			Place   string          `json:"channel_type"`
			Subtype string          `json:"subtype"`
			Bot     string          `json:"bot_id"`
			Tokens  struct {
				Bot []string `json:"bot"`
			} `json:"tokens"`
		} `json:"event"`
	}
	if json.Unmarshal(body, &raw) != nil || raw.Type == "" {
		return event{}, badDelivery("event")
	}
	if raw.Type == "url_verification" {
		return event{kind: raw.Type, challenge: raw.Challenge}, nil
	}
	var user, channel string
	_ = json.Unmarshal(raw.Event.Channel, &channel)
	_ = json.Unmarshal(raw.Event.User, &user) // some events carry an object here, none of ours
	ev := event{id: raw.EventID, kind: raw.Event.Type, tab: raw.Event.Tab, channel: channel, from: account{raw.TeamID, user}}
	// An edit, a deletion or a message of the app's own is not to be answered.
	ev.byPerson = raw.Event.Place == "im" && raw.Event.Subtype == "" && raw.Event.Bot == "" && user != ""
	// A person's token being revoked is not the app's.
	ev.takenBack = ev.kind == "app_uninstalled" || ev.kind == "tokens_revoked" && len(raw.Event.Tokens.Bot) > 0
	if raw.EventTime > 0 {
		ev.at = time.Unix(raw.EventTime, 0)
	}
	if ev.id == "" || ev.from.team == "" {
		return event{}, badDelivery("event")
	}
	return ev, nil
}
