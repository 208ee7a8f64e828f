package bot

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/daskbot/daskbot/internal/environment"
)

// submit sends a form, whose fields are all text, as U1.
func (w *world) submit(callback string, fields map[string]string) string {
	w.t.Helper()
	values := map[string]map[string]any{}
	for name, text := range fields {
		values[name] = map[string]any{name: map[string]string{"value": text}}
	}
	return w.interact(map[string]any{"type": submitted, "team": map[string]string{"id": "T1"}, "user": map[string]string{"id": "U1"},
		"view": map[string]any{"id": "V1", "callback_id": callback, "state": map[string]any{"values": values}}})
}

func TestFormTakesWhatPeopleWrite(t *testing.T) {
	w := newWorld(t)
	answer := w.submit(modalUp, map[string]string{fieldProfile: "dask", fieldTTL: "3 hours", fieldPackages: "xgboost>=1,<2; lightgbm\n dask-ml, dask[array, dataframe],"})
	envs := w.environments()
	if len(envs) != 1 {
		t.Fatalf("got %d environments and the answer %q; want one", len(envs), answer)
	}
	if got := envs[0].Spec; got.TTL != 3*time.Hour || !cmp.Equal(got.Packages, []string{"dask-ml", "dask[array,dataframe]", "lightgbm", "xgboost>=1,<2"}) {
		t.Errorf("got %v with %q; want 3h with the four packages", got.TTL, got.Packages)
	}
}

func TestFormOfAnotherVersionIsAnswered(t *testing.T) {
	w := newWorld(t)
	if answer := w.submit("dask_later", nil); answer != "" {
		t.Errorf("got %q; want the form closed", answer)
	}
	w.finish()
	if got := w.last().Text; !strings.Contains(got, "open it again") {
		t.Errorf("got %q; want the next step", got)
	}
}

// TestFormOffersWhatIsAllowed: no choice is there that would be refused.
func TestFormOffersWhatIsAllowed(t *testing.T) {
	w := newWorld(t)
	w.click("U1", actionNew, "new", "")
	if len(w.slack.views) != 1 {
		t.Fatalf("got %d forms; want one", len(w.slack.views))
	}
	form := w.slack.views[0]
	for want, there := range map[string]bool{`"value":"12h"`: true, `"value":"1d"`: false, "0 to 8": true, "At most 12h": true, "usual time: 4h": true, fieldPackages: true} {
		if strings.Contains(form, want) != there {
			t.Errorf("%s is in the form: %v; want %v: %s", want, !there, there, form)
		}
	}
	plain := []environment.Offer{{Profile: environment.Profile{Name: "a", Workers: environment.Workers{Max: 2}}}, {Profile: environment.Profile{Name: "b", Workers: environment.Workers{Max: 4}}}}
	text := string(must(json.Marshal(upModal(plain, "a"))))
	if strings.Contains(text, fieldPackages) || !strings.Contains(text, "a: 0 to 2, b: 0 to 4") {
		t.Errorf("got %s; want no packages, and the workers of each", text)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestLoginFromTheHomeStaysNowhere: there is no message that only the asker
// sees, so that the password is shown in a form.
func TestLoginFromTheHomeStaysNowhere(t *testing.T) {
	w, id := readied(t)
	password := w.environments()[0].Secrets[environment.SecretPassword].Reveal()
	before := len(w.slack.messages)
	w.click("U1", actionOpen, id, "")
	w.finish()
	if len(w.slack.views) != 1 || !strings.Contains(w.slack.views[0], password) {
		t.Errorf("got %v; want a form with the login", w.slack.views)
	}
	if got := len(w.slack.messages); got != before {
		t.Errorf("got %d messages more; want none: the last says %s", got-before, w.last().Blocks)
	}
}

// TestLoginThatCannotBeShown: the direct message that takes an answer's place
// keeps no password.
func TestLoginThatCannotBeShown(t *testing.T) {
	w, id := readied(t)
	password := w.environments()[0].Secrets[environment.SecretPassword].Reveal()
	w.slack.strike(func(method string, rw http.ResponseWriter) bool {
		if method == "response" {
			rw.WriteHeader(http.StatusNotFound)
		}
		return method == "response"
	})
	w.now = w.now.Add(time.Minute)
	w.click("U1", actionOpen, id, w.url+"response")
	w.finish()
	if got := w.last(); !strings.Contains(got.Text, "`/dask open`") || strings.Contains(got.Blocks, password) {
		t.Errorf("got %q with %s; want how to see it, and no password", got.Text, got.Blocks)
	}
}

// TestTheFormToExtendKeepsItsWord: past its deadline, which work may outlive,
// time is added to now; and what is offered then is still allowed once somebody
// has read the form.
func TestTheFormToExtendKeepsItsWord(t *testing.T) {
	for name, c := range map[string]struct {
		ready  time.Duration // how long it has been, of 4h that it lives and 12h that it may
		choose string
		offer  string // the choice as the form words it, "" when there is no form
		until  time.Duration
	}{
		"before its deadline":     {3 * time.Hour, "1h", "1 hour", 5 * time.Hour},
		"past its deadline":       {6 * time.Hour, "1h", "1 hour", 7 * time.Hour},
		"with little left to add": {11*time.Hour + 20*time.Minute, "30m", "30 minutes", 11*time.Hour + 50*time.Minute},
		"with less left to add":   {11*time.Hour + 30*time.Minute, "28m", "28m", 0},
		"with nothing left":       {11*time.Hour + 59*time.Minute, "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w, id := readied(t)
			readyAt := w.environments()[0].ReadyAt
			w.now = readyAt.Add(c.ready)
			w.click("U1", actionExtend, id, "")
			w.finish()
			if c.offer == "" {
				if len(w.slack.views) > 0 {
					t.Errorf("got the form %s; want none", w.slack.views)
				}
				return
			}
			if c.until > 0 {
				c.offer += ", until " + readyAt.Add(c.until).In(paris(t)).Format("Mon 15:04")
			}
			if form := strings.Join(w.slack.views, ""); !strings.Contains(form, c.offer) {
				t.Errorf("got the form %s; want %q", form, c.offer)
			}
			w.now = readyAt.Add(c.ready + time.Minute) // it was read
			if refused := w.interact(extendBody(id, c.choose)); refused != "" {
				t.Errorf("got %s; want what was offered", refused)
			}
		})
	}
}

func paris(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// extendBody is the form to extend, sent by U1 with one of its choices.
func extendBody(id, choice string) map[string]any {
	return map[string]any{"type": submitted, "team": map[string]string{"id": "T1"}, "user": map[string]string{"id": "U1"},
		"view": map[string]any{"id": "V7", "callback_id": modalExtend, "private_metadata": id,
			"state": map[string]any{"values": map[string]any{fieldDuration: map[string]any{fieldDuration: map[string]any{"selected_option": map[string]string{"value": choice}}}}}}}
}
