package bot

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/daskbot/daskbot/internal/environment"
)

// kindClass is the message about a command for a class.
const kindClass = "class"

// Report tells whoever gave a command for a class, in their direct message, how
// it came out. Nobody is told whose Slack account is not linked any more.
func (b *Bot) Report(ctx context.Context, o environment.CourseOrder, remembered string, keep func(context.Context, string) error) error {
	var m memory
	if remembered != "" {
		if err := json.Unmarshal([]byte(remembered), &m); err != nil {
			return err
		}
	}
	b.homeChanged(o.By.Subject)
	person, err := b.service.Person(ctx, itself, o.By.Subject)
	if err != nil || person.SlackID == "" || slices.Contains(m.Told, kindClass) {
		return err
	}
	to := accountOf(person.SlackID)
	api, err := b.client(ctx, to.team)
	if err != nil {
		return err
	}
	// Messages are found again by an id and a time, which an order has too.
	t := &telling{bot: b, api: api, e: environment.Environment{ID: o.ID, CreatedAt: o.At}, user: to.user, m: m, keep: keep}
	return t.once(ctx, kindClass, func(context.Context, string) (message, error) { return orderMessage(o), nil })
}
