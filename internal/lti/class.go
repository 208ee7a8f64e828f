package lti

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// classPage is who in a course has what.
type classPage struct {
	Page
	visit
	Session string
	Every   int
	Course  string
	Rows    []classRow
	Having  int
	PerHour string
	Total   string
	Prices  string
	// Problems are what staff should mend.
	Problems []string
}

// classRow is one person's seat.
type classRow struct {
	Who, Name   string
	Environment string
	State       string
	Message     string
	Used        string
	Ends        string
	PerHour     string
	Total       string
	Endable     bool
}

// showClass shows staff the class. It shows nobody's credentials.
func (t *Tool) showClass(ctx context.Context, w http.ResponseWriter, v visit) error {
	status, err := t.service.CourseStatus(ctx, v.caller(), v.Course)
	if err != nil {
		return err
	}
	title := status.Course.Title
	if title == "" {
		title = status.Course.ID
	}
	page := classPage{Page: v.frame(title, 0), visit: v, Session: v.sealed, Every: 5, Course: title,
		PerHour: dollars(status.Cost.USDPerHour), Total: dollars(status.Cost.USDTotal), Prices: status.Cost.PricesAsOf, Problems: status.Problems}
	for _, seat := range status.Seats {
		row := rowOf(v, seat, t.now())
		row.Name = nameOf(status.Course, seat.Subject)
		if row.Environment != "" {
			page.Having++
		}
		page.Rows = append(page.Rows, row)
	}
	return t.show(w, http.StatusOK, v.Frames, "class", page)
}

func rowOf(v visit, seat environment.Seat, now time.Time) classRow {
	row := classRow{Who: seat.Subject, State: "none"}
	e := seat.Environment
	if e == nil {
		return row
	}
	row.Environment, row.State, row.Message = e.ID, string(e.State), e.Message
	row.PerHour, row.Total = dollars(seat.Look.Cost.USDPerHour), dollars(seat.Look.Cost.USDTotal)
	row.Endable = e.Desired == environment.Present && !e.State.Terminal()
	if !e.LastActivityAt.IsZero() {
		row.Used = environment.FormatDuration(max(now.Sub(e.LastActivityAt).Truncate(time.Minute), 0)) + " ago"
	}
	row.Ends = v.clock(e.ExpiresAt)
	return row
}

// nameOf is how a member is called; "" when only the subject is known.
func nameOf(c environment.Course, subject string) string {
	m, _ := c.Member(subject)
	return m.Name
}

func dollars(usd float64) string { return fmt.Sprintf("$%.2f", usd) }

// told says what a command for the class did.
func told(b environment.Batch) string {
	var parts []string
	for _, o := range []environment.Outcome{environment.OutcomeStarted, environment.OutcomeExisting, environment.OutcomeEnded, environment.OutcomeKept, environment.OutcomeRefused} {
		if n := b.Count(o); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if len(parts) == 0 {
		return "There was nothing to do."
	}
	says := "Done: " + strings.Join(parts, ", ") + "."
	for _, item := range b.Items {
		if item.Outcome == environment.OutcomeRefused {
			return says + " " + item.Subject + ": " + item.Reason
		}
	}
	return says
}
