package bot

import (
	"context"

	"github.com/daskbot/daskbot/internal/environment"
)

// project shows, links or unlinks a person's own project. Unlinking is done when
// it is acknowledged. Linking asks Google Cloud first, which may take longer than
// Slack waits: that the command came is kept before it is acknowledged, so that
// it counts once, and what becomes of it is told later. A crash in between leaves
// the project unlinked and "Checking …" the last word; the person sends it again.
func (b *Bot) project(ctx context.Context, r request) (*answer, error) {
	switch r.cmd.word {
	case "":
		return b.projectNow(ctx, r)
	case "none":
		p, err := setProject(ctx, b.changes(r), r.who, "")
		if err != nil {
			return nil, err
		}
		return say(projectLinkedText(p.Project)), nil
	}
	first, err := b.service.First(ctx, "slack", r.once)
	if err != nil {
		return nil, err
	}
	if !first { // delivered again: that is being checked, or was
		return b.projectNow(ctx, r)
	}
	return b.answerLater(r, "Checking …", func(ctx context.Context) *answer {
		p, err := setProject(ctx, b.service, r.who, r.cmd.word)
		if err != nil {
			b.logFault("project", err, r.from)
			return sorry(err)
		}
		return say(projectLinkedText(p.Project))
	})
}

func (b *Bot) projectNow(ctx context.Context, r request) (*answer, error) {
	p, err := b.service.Person(ctx, r.who, r.who.Subject)
	if err != nil {
		return nil, err
	}
	return say(projectText(p.Project)), nil
}

func setProject(ctx context.Context, service *environment.Service, who environment.Caller, id string) (environment.Person, error) {
	p, err := service.Person(ctx, who, who.Subject)
	if err != nil {
		return p, err
	}
	p.Project = id
	return service.PutPerson(ctx, who, p)
}
