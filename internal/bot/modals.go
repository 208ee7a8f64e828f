package bot

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/slack-go/slack"

	"github.com/daskbot/daskbot/internal/environment"
)

// The modals and their fields. A field's block has the field's name, so that
// an error can be shown beside it.
const (
	modalUp     = "dask_up"
	modalExtend = "dask_extend"
	modalLogin  = "dask_login"

	fieldProfile  = "profile"
	fieldTTL      = "ttl"
	fieldWorkers  = "workers"
	fieldPackages = "packages"
	fieldDuration = "duration"
)

// modal keeps within the limits of views. One with nothing to submit is closed.
func modal(callback, heading, submit, metadata string, blocks ...block) slack.ModalViewRequest {
	blocks = present(blocks)
	if len(blocks) > maxViewBlocks {
		blocks = blocks[:maxViewBlocks]
	}
	view := slack.ModalViewRequest{Type: slack.VTModal, CallbackID: callback, PrivateMetadata: metadata, Title: plainText(heading, maxTitle),
		Close: plainText("Close", maxTitle), Blocks: slack.Blocks{BlockSet: blocks}}
	if submit != "" {
		view.Submit, view.Close = plainText(submit, maxTitle), plainText("Cancel", maxTitle)
	}
	return view
}

// loginModal shows what readyMessage does where no message must keep it.
func loginModal(e environment.Environment, c environment.Credentials) slack.ModalViewRequest {
	return modal(modalLogin, "Log in", "", "", section(strings.TrimSpace(title(e)+" is ready. "+endText(e))), section(loginText(c)),
		actions("env:"+e.ID, linkButton(actionLink, "Open", c.URL, "Open "+name(e)+" in the browser")))
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
	course, err := b.service.CourseMeant(ctx, who, b.directory.DefaultCourse(who.Subject))
	if err != nil {
		return err
	}
	offers, err := b.service.Offers(ctx, who, course)
	if err != nil {
		return err
	}
	return b.openView(ctx, in, upModal(offers, b.service.DefaultProfile(ctx, course)))
}

// upModal offers what may be chosen. Where profiles differ, it says so and the
// answer to the form decides.
func upModal(offers []environment.Offer, chosen string) slack.ModalViewRequest {
	var options []*slack.OptionBlockObject
	for _, o := range offers {
		options = append(options, option(o.Profile.Name, o.Profile.Name, o.Profile.Title))
	}
	text := func(name, example string) slack.BlockElement {
		return slack.NewPlainTextInputBlockElement(plainText(example, 150), name)
	}
	workers := perProfile(offers, func(o environment.Offer) string { return fmt.Sprintf("0 to %d", o.Profile.Workers.Max) })
	blocks := []block{input(fieldProfile, "What", "", false, choice(fieldProfile, chosen, options)), lifetimes(offers),
		input(fieldWorkers, "Dask workers", workers+"; the profile's own number when empty.", true, text(fieldWorkers, "2"))}
	if slices.ContainsFunc(offers, func(o environment.Offer) bool { return o.Profile.Packages }) {
		hint := "Separated by commas."
		for _, o := range offers {
			if !o.Profile.Packages {
				hint += " Not with " + o.Profile.Name + "."
			}
		}
		blocks = append(blocks, input(fieldPackages, "Extra Python packages", hint, true, text(fieldPackages, "xgboost, lightgbm==4.5.0")))
	}
	return modal(modalUp, "New environment", "Start", "", blocks...)
}

// perProfile says something of the profiles: once when it is the same for all.
func perProfile(offers []environment.Offer, say func(environment.Offer) string) string {
	var each, words []string
	for _, o := range offers {
		words = append(words, say(o))
		each = append(each, o.Profile.Name+": "+say(o))
	}
	if len(slices.Compact(words)) == 1 {
		return say(offers[0])
	}
	return strings.Join(each, ", ")
}

// lifetimes lets choose among those that some profile allows.
func lifetimes(offers []environment.Offer) block {
	longest, bounded := time.Duration(0), true
	for _, o := range offers {
		longest, bounded = max(longest, o.Policy.MaxTTL), bounded && o.Policy.MaxTTL > 0
	}
	var options []*slack.OptionBlockObject
	for _, d := range spans {
		if !bounded || d.span <= longest {
			options = append(options, option(environment.FormatDuration(d.span), d.text, ""))
		}
	}
	if len(options) == 0 { // every one of them is shorter than half an hour
		options = append(options, option(environment.FormatDuration(longest), environment.FormatDuration(longest), ""))
	}
	hint := "Counted from when it is ready. When nothing is chosen, the usual time: " +
		perProfile(offers, func(o environment.Offer) string { return environment.FormatDuration(o.Policy.TTL) }) + "."
	if bounded {
		hint += " At most " + perProfile(offers, func(o environment.Offer) string { return environment.FormatDuration(o.Policy.MaxTTL) }) + "."
	}
	return input(fieldTTL, "For how long", hint, true, choice(fieldTTL, "", options))
}

// spans are the durations that forms offer, as far as they are allowed.
var spans = []struct {
	span time.Duration
	text string
}{{30 * time.Minute, "30 minutes"}, {time.Hour, "1 hour"}, {2 * time.Hour, "2 hours"}, {4 * time.Hour, "4 hours"}, {8 * time.Hour, "8 hours"},
	{12 * time.Hour, "12 hours"}, {24 * time.Hour, "1 day"}, {7 * 24 * time.Hour, "1 week"}}

func (b *Bot) openExtend(ctx context.Context, in interaction, who environment.Caller) error {
	e, err := b.service.Get(ctx, who, in.value)
	if err != nil {
		return err
	}
	from, longest := environment.AddedTo(e, b.now()), b.service.LongestExtension(who, e)
	if from.After(e.ExpiresAt) { // what may be added becomes less while the form is read
		longest -= formRead
	}
	if longest < time.Minute {
		return environment.Errorf(environment.CodeQuota, "It already lives as long as is allowed; download what you want to keep and start a new one.")
	}
	zone, err := b.zone(ctx, in.from)
	if err != nil {
		zone = nil // the form says less then
	}
	return b.openView(ctx, in, extendModal(e, from, longest, zone))
}

// formRead is how long somebody takes to read a short form and send it.
const formRead = 2 * time.Minute

// extendModal offers what is allowed, added to from; the times are those of the
// reader, and left out when there is no deadline yet or nobody knows the
// reader's zone.
func extendModal(e environment.Environment, from time.Time, longest time.Duration, zone *time.Location) slack.ModalViewRequest {
	var options []*slack.OptionBlockObject
	for _, d := range spans {
		text := d.text
		if !from.IsZero() && zone != nil {
			text += ", until " + from.Add(d.span).In(zone).Format("Mon 15:04")
		}
		if d.span <= longest {
			options = append(options, option(environment.FormatDuration(d.span), text, ""))
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
		refused := refusedField(in.view.callback, err)
		if refused == nil { // a form without a field to say it at
			b.tellLater(in, sorry(err))
		}
		return refused
	}
	if a != nil {
		b.tellLater(in, a)
	}
	return nil
}

func (b *Bot) submit(ctx context.Context, in interaction, who environment.Caller) (*answer, error) {
	r := request{who: who, from: in.from, once: "view:" + in.view.id, inForm: true}
	switch in.view.callback {
	case modalUp:
		r.cmd = command{verb: verbUp, profile: in.view.values[fieldProfile], packages: packageLines(in.view.values[fieldPackages])}
		if text := strings.TrimSpace(in.view.values[fieldTTL]); text != "" {
			d, err := spanOf(fieldTTL, text)
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
	return b.run(ctx, r)
}

// packageLines reads a form's field, whose lines people separate with commas,
// semicolons or blanks.
func packageLines(text string) []string {
	var out []string
	for _, part := range apart(text, func(r rune) bool { return r == ';' || unicode.IsSpace(r) }) {
		out = append(out, names(part)...)
	}
	return out
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
