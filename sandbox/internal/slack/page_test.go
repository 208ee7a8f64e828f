package slack

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	slackgo "github.com/slack-go/slack"

	"github.com/daskbot/daskbot/sandbox/internal/browsertest"
)

// performer is an app that answers /dask with a plan and opens a modal when a
// button is pressed.
type performer struct {
	s    *stage
	done chan error
}

func (p performer) answer(kind string, form url.Values, body []byte) (int, string) {
	ctx := p.s.t.Context()
	switch {
	case kind == toCommands:
		go func() { p.done <- p.plan(ctx, form.Get("user_id")) }()
		return http.StatusOK, `{"response_type":"ephemeral","text":"On it, <@` + form.Get("user_id") + `>. *Progress* follows in your messages."}`
	case kind == toEvents && strings.Contains(string(body), "app_home_opened"):
		go func() { p.done <- p.home(ctx, string(body)) }()
	case kind == toInteractions && strings.Contains(form.Get("payload"), `"block_actions"`):
		var callback slackgo.InteractionCallback
		if err := json.Unmarshal([]byte(form.Get("payload")), &callback); err != nil {
			return http.StatusBadRequest, err.Error()
		}
		go func() {
			_, err := p.s.api.OpenViewContext(ctx, callback.TriggerID, everyInput())
			p.done <- err
		}()
	}
	return http.StatusOK, ""
}

func plainText(s string) *slackgo.TextBlockObject {
	return slackgo.NewTextBlockObject("plain_text", s, true, false)
}

func planOf(status slackgo.TaskCardStatus) []slackgo.Block {
	extend := slackgo.NewButtonBlockElement("extend", "e1", plainText("Extend")).WithStyle(slackgo.StylePrimary)
	stop := slackgo.NewButtonBlockElement("stop", "e1", plainText("Stop")).WithStyle(slackgo.StyleDanger)
	stop.Confirm = slackgo.NewConfirmationBlockObject(plainText("Stop it?"), plainText("Unsaved work is lost."), plainText("Stop"), plainText("Keep"))
	more := slackgo.NewOverflowBlockElement("more", slackgo.NewOptionBlockObject("logs", plainText("Logs"), nil))
	return []slackgo.Block{
		slackgo.NewHeaderBlock(plainText("Your environment")),
		slackgo.NewPlanBlock("Starting daskhub").WithTasks(
			slackgo.NewTaskCardBlock("cluster", "Create the cluster").WithStatus(slackgo.TaskCardStatusComplete),
			slackgo.NewTaskCardBlock("hub", "Install the hub").WithStatus(status)),
		section("*Time left* <!date^1800000000^{date_short_pretty} at {time}|later> · <https://hub.example|Open> · `code` :hourglass_flowing_sand:"),
		slackgo.NewDividerBlock(),
		slackgo.NewContextBlock("", slackgo.NewTextBlockObject("mrkdwn", "about $0.20 an hour", false, false)),
		slackgo.NewActionBlock("op", extend, stop, more),
	}
}

func (p performer) plan(ctx context.Context, user string) error {
	channel, ts, err := p.s.api.PostMessageContext(ctx, user, slackgo.MsgOptionText("Starting", false), slackgo.MsgOptionBlocks(planOf(slackgo.TaskCardStatusInProgress)...))
	if err != nil {
		return err
	}
	_, _, _, err = p.s.api.UpdateMessageContext(ctx, channel, ts, slackgo.MsgOptionText("Ready", false), slackgo.MsgOptionBlocks(planOf(slackgo.TaskCardStatusComplete)...))
	return err
}

func (p performer) home(ctx context.Context, body string) error {
	view := slackgo.HomeTabViewRequest{Type: "home", Blocks: slackgo.Blocks{BlockSet: append([]slackgo.Block{section("*My environments*")}, planOf("")[2:]...)}}
	user := p.s.people["s1"]
	if !strings.Contains(body, user) {
		user = p.s.people["teacher"]
	}
	_, err := p.s.api.PublishViewContext(ctx, slackgo.PublishViewContextRequest{UserID: user, View: view})
	return err
}

// everyInput is a modal with each kind of input.
func everyInput() slackgo.ModalViewRequest {
	option := func(s string) *slackgo.OptionBlockObject { return slackgo.NewOptionBlockObject(s, plainText(s), nil) }
	size := slackgo.NewOptionsSelectBlockElement("static_select", plainText("Size"), "size", option("small"), option("large"))
	size.InitialOption = option("small")
	in := func(id, label string, e slackgo.BlockElement, optional bool) slackgo.Block {
		return slackgo.NewInputBlock(id, plainText(label), nil, e).WithOptional(optional)
	}
	return slackgo.ModalViewRequest{
		Type: "modal", Title: plainText("New environment"), Submit: plainText("Start"), CallbackID: "up",
		Blocks: slackgo.Blocks{BlockSet: []slackgo.Block{
			in("size", "Size", size, false),
			in("name", "Name", slackgo.NewPlainTextInputBlockElement(plainText("what it is for"), "name"), false),
			in("day", "Until", slackgo.NewDatePickerBlockElement("day"), true),
			in("hour", "At", slackgo.NewTimePickerBlockElement("hour"), true),
			in("with", "Packages", slackgo.NewCheckboxGroupsBlockElement("with", option("xarray"), option("zarr")), true),
			in("workers", "Workers", slackgo.NewNumberInputBlockElement(plainText("2"), "workers", false), true),
		}},
	}
}

// TestPage plays a student in a real browser.
func TestPage(t *testing.T) {
	ctx := browsertest.Start(t)
	s := newStage(t, "")
	p := performer{s, make(chan error, 10)}
	s.app.mu.Lock()
	s.app.answer = p.answer
	s.app.mu.Unlock()
	play := func(steps ...browsertest.Step) {
		t.Helper()
		soon, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		if err := chromedp.Do(soon, steps...); err != nil {
			seen, _ := chromedp.Run(ctx, chromedp.Text("body"))
			t.Fatalf("%v; the page says:\n%s", err, seen)
		}
	}
	app := func() {
		t.Helper()
		if err := <-p.done; err != nil {
			t.Fatal(err)
		}
	}
	play(chromedp.Navigate(s.base+"/?as=s1"), browsertest.Says("#apps", "daskbot"), browsertest.Click(`//nav//button[contains(., "general")]`),
		chromedp.SendKeys("#say", "/dask up\r"), browsertest.Says("#messages", "Only visible to you"), browsertest.Says("#messages", "On it, @s1"), browsertest.Shoot("1-ephemeral"))
	app()
	play(browsertest.Click("#apps button"), browsertest.Says("#messages", "Install the hub – done"), browsertest.Says("#messages", "edited"), browsertest.Shoot("2-plan"))
	play(browsertest.Click(`[data-action=stop]`), browsertest.Says("#confirm", "Unsaved work is lost."), browsertest.Shoot("3-confirm"), browsertest.Click("#confirm-deny"))
	play(browsertest.Click(`[data-action=extend]`), browsertest.Says("#modal", "New environment"))
	app()
	play(browsertest.Click("#modal-submit"), browsertest.Says("#modal", "Please complete this required field."), browsertest.Shoot("4-errors"),
		chromedp.SendKeys("#input-name", "π"), chromedp.SetValue("#input-size", "large"),
		chromedp.Evaluate[chromedp.Void](`document.querySelector("#input-size").dispatchEvent(new Event("change"))`),
		browsertest.Click(`//label[contains(., "zarr")]/input`), browsertest.Click("#modal-submit"),
		chromedp.WaitNotPresent("#modal-submit"))
	values := ""
	for !strings.Contains(values, "view_submission") {
		values = s.next().form.Get("payload")
	}
	for _, want := range []string{`"value":"π"`, `"value":"large"`, `"value":"zarr"`} {
		if !strings.Contains(values, want) {
			t.Errorf("got %s; want %s", values, want)
		}
	}
	play(browsertest.Click("#tab-home"), browsertest.Says("#home", "My environments"), browsertest.Shoot("5-home"))
	play(chromedp.Navigate(s.base+"/?as=s2"), browsertest.Says("#apps", "daskbot"), browsertest.Click(`//nav//button[contains(., "general")]`), browsertest.Shoot("6-other"))
	others, err := chromedp.Run(ctx, chromedp.TextContent("#messages"))
	if err != nil || strings.Contains(others, "On it") {
		t.Errorf("s2 sees what was said to s1: %s, %v", others, err)
	}
}
