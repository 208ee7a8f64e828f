package bot

import (
	"context"
	"slices"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// looking are the verbs that change nothing and show no secret.
var looking = []verb{verbOverview, verbStatus, verbList, verbWhy, verbCost, verbHelp}

// auditWithin is what is kept of answerWithin for one entry.
const auditWithin = 500 * time.Millisecond

// noteDone appends what came of a command to the audit log: changes, looks at
// secrets, and refusals. An entry that is not taken is logged and undoes
// nothing.
func (b *Bot) noteDone(ctx context.Context, r request, err error) {
	refused := environment.CodeOf(err) == environment.CodeForbidden
	if b.audit == nil || slices.Contains(looking, r.cmd.verb) && !refused {
		return
	}
	end, bounded := ctx.Deadline() // whoever hangs up is written down all the same, but Slack waits no longer
	if !bounded {
		end = time.Now().Add(auditWithin)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), end)
	defer cancel()
	entry := environment.Audited{At: b.now().UTC(), Actor: r.who.Subject, Role: r.who.Role, Via: "slack", Action: string(r.cmd.verb),
		Object: r.cmd.target, Outcome: environment.OutcomeOf(err), Request: environment.TrailOf(ctx).Request}
	if err := b.audit.AppendAudit(ctx, entry); err != nil {
		b.log.ErrorContext(ctx, "audit log", "reason", err.Error(), "action", entry.Action, "subject", entry.Actor)
	}
}
