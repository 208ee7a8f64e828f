package bot

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// The modals and their fields. A field's block has the field's name, so that
// an error can be shown beside it.
const (
	modalUp     = "dask_up"
	modalExtend = "dask_extend"

	fieldProfile  = "profile"
	fieldTTL      = "ttl"
	fieldWorkers  = "workers"
	fieldPackages = "packages"
	fieldDuration = "duration"
)

// modal keeps within the limits of views.
func modal(callback, heading, submit, metadata string, blocks ...block) slack.ModalViewRequest {
	blocks = present(blocks)
	if len(blocks) > maxViewBlocks {
		blocks = blocks[:maxViewBlocks]
	}
	return slack.ModalViewRequest{Type: slack.VTModal, CallbackID: callback, PrivateMetadata: metadata, Title: plainText(heading, maxTitle),
		Submit: plainText(submit, maxTitle), Close: plainText("Cancel", maxTitle), Blocks: slack.Blocks{BlockSet: blocks}}
}

func input(name, label, hint string, optional bool, element slack.BlockElement) block {
	in := slack.NewInputBlock(name, plainText(label, maxValue), nil, element)
	if hint != "" {
		in.Hint = plainText(hint, maxValue)
	}
	in.Optional = optional
	return in
}

// option is one choice; its description is left out when there is none.
func option(value, text, description string) *slack.OptionBlockObject {
	o := slack.NewOptionBlockObject(value, plainText(text, maxOptionText), nil)
	if description != "" {
		o.Description = plainText(description, maxOptionText)
	}
	return o
}

// choice is a menu with its first option chosen, or the one named.
func choice(name string, chosen string, options []*slack.OptionBlockObject) *slack.SelectBlockElement {
	if len(options) > maxOptions {
		options = options[:maxOptions]
	}
	menu := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plainText("Choose", 150), name, options...)
	for _, o := range options {
		if o.Value == chosen {
			menu.InitialOption = o
		}
	}
	return menu
}

func (b *Bot) openUp(ctx context.Context, in interaction, who environment.Caller) error {
	profiles, err := b.service.Profiles(ctx, who)
	if err != nil {
		return err
	}
	chosen := b.service.DefaultProfile(b.directory.DefaultCourse(who.Subject))
	return b.openView(ctx, in, upModal(profiles, chosen))
}

func upModal(profiles []environment.Profile, chosen string) slack.ModalViewRequest {
	var options []*slack.OptionBlockObject
	for _, p := range profiles {
		options = append(options, option(p.Name, p.Name, p.Title))
	}
	text := func(name, example string) slack.BlockElement {
		return slack.NewPlainTextInputBlockElement(plainText(example, 150), name)
	}
	return modal(modalUp, "New environment", "Start", "",
		input(fieldProfile, "What", "", false, choice(fieldProfile, chosen, options)),
		input(fieldTTL, "For how long", "Counted from when it is ready; the usual time when empty.", true, text(fieldTTL, "3h")),
		input(fieldWorkers, "Dask workers", "The profile's own number when empty.", true, text(fieldWorkers, "2")),
		input(fieldPackages, "Extra Python packages", "Separated by commas.", true, text(fieldPackages, "xgboost, lightgbm==4.5.0")))
}

func (b *Bot) openExtend(ctx context.Context, in interaction, who environment.Caller) error {
	e, err := b.service.Get(ctx, who, in.value)
	if err != nil {
		return err
	}
	longest := b.service.LongestExtension(who, e)
	if longest <= 0 {
		return environment.Errorf(environment.CodeQuota, "It already lives as long as is allowed; download what you want to keep and start a new one.")
	}
	return b.openView(ctx, in, extendModal(e, longest, b.zone(ctx, in.from)))
}

// extendModal offers what is allowed; the times are those of the reader.
func extendModal(e environment.Environment, longest time.Duration, zone *time.Location) slack.ModalViewRequest {
	var options []*slack.OptionBlockObject
	for _, d := range []struct {
		span time.Duration
		text string
	}{{30 * time.Minute, "30 minutes"}, {time.Hour, "1 hour"}, {2 * time.Hour, "2 hours"}, {4 * time.Hour, "4 hours"}, {8 * time.Hour, "8 hours"}, {24 * time.Hour, "1 day"}} {
		until := ""
		if !e.ExpiresAt.IsZero() {
			until = "until " + e.ExpiresAt.Add(d.span).In(zone).Format("Mon 15:04")
		}
		if d.span <= longest {
			options = append(options, option(environment.FormatDuration(d.span), d.text, until))
		}
	}
	if len(options) == 0 {
		all := longest.Truncate(time.Minute)
		options = append(options, option(environment.FormatDuration(all), environment.FormatDuration(all), ""))
	}
	chosen := options[min(1, len(options)-1)].Value
	return modal(modalExtend, "Keep it longer", "Extend", e.ID, section(line(e)),
		input(fieldDuration, "Longer by", "", false, choice(fieldDuration, chosen, options)))
}

// onSubmit carries out a modal. Nil closes it; a refusal is shown beside the
// field at fault, with the modal still open.
func (b *Bot) onSubmit(ctx context.Context, in interaction) any {
	who, err := b.who(ctx, in.from)
	var a *answer
	if err == nil {
		a, err = b.submit(ctx, in, who)
	}
	if err != nil {
		b.logFault("modal", err, in.from)
		return refusedField(in.view.callback, err)
	}
	if a != nil {
		b.tellLater(in, a)
	}
	return nil
}

func (b *Bot) submit(ctx context.Context, in interaction, who environment.Caller) (*answer, error) {
	r := request{who: who, from: in.from, once: "view:" + in.view.id}
	switch in.view.callback {
	case modalUp:
		r.cmd = command{verb: verbUp, profile: in.view.values[fieldProfile], packages: names(strings.ReplaceAll(in.view.values[fieldPackages], " ", ","))}
		if text := strings.TrimSpace(in.view.values[fieldTTL]); text != "" {
			d, err := environment.ParseDuration(fieldTTL, text)
			if err != nil {
				return nil, err
			}
			r.cmd.span = d
		}
		if text := strings.TrimSpace(in.view.values[fieldWorkers]); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return nil, environment.Invalid(fieldWorkers, "%q is not a number, for example 2.", clip(text, 20))
			}
			r.cmd.workers = &n
		}
	case modalExtend:
		d, err := environment.ParseDuration(fieldDuration, in.view.values[fieldDuration])
		if err != nil {
			return nil, err
		}
		r.cmd = command{verb: verbExtend, target: in.view.metadata, span: d}
	default:
		return nil, environment.Errorf(environment.CodeInvalid, "This form is from another version of daskbot; open it again.")
	}
	// Up is told by the message that follows it: no second answer.
	a, err := b.run(ctx, r)
	if r.cmd.verb == verbUp {
		a = nil
	}
	return a, err
}

// refusedField shows an error at its field, else at the modal's first.
func refusedField(callback string, err error) any {
	fields := map[string][]string{modalUp: {fieldProfile, fieldTTL, fieldWorkers, fieldPackages}, modalExtend: {fieldDuration}}[callback]
	if len(fields) == 0 {
		return nil
	}
	at := fields[0]
	for _, f := range fields {
		if fieldOf(err) == f {
			at = f
		}
	}
	return slack.NewErrorsViewSubmissionResponse(map[string]string{at: clip(fmt.Sprint(refusalText(err)), maxSection)})
}
