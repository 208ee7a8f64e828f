package environment

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// budgetMarks are the parts of a budget, in percent, that people are told of.
var budgetMarks = []int{100, 80, 50}

// Budget is a limit on money in one calendar month, and how far it is spent.
type Budget struct {
	Owner, Course string // whose; no owner for the whole course
	USD           float64
	Spent         float64
	Month         time.Time // its first day
}

// percent is the part that is spent.
func (b Budget) percent() int {
	if b.USD <= 0 {
		return 0
	}
	return int(100 * b.Spent / b.USD)
}

// key names the budget among those of its month.
func (b Budget) key() string { return b.Course + "/" + b.Owner }

func (b Budget) whose() string {
	switch {
	case b.Owner == "":
		return "The course " + b.Course
	case b.Course == "":
		return b.Owner
	default:
		return b.Owner + " in the course " + b.Course
	}
}

// sentence says how far it is spent, for people.
func (b Budget) sentence() string {
	return fmt.Sprintf("%s has used about $%.2f of the $%.2f for %s.", b.whose(), b.Spent, b.USD, b.Month.Format("January 2006"))
}

// toOwner is sentence for the owner, who wants to know what follows.
func (b Budget) toOwner(mark int) string {
	in := ""
	if b.Course != "" {
		in = " in the course " + b.Course
	}
	spent := fmt.Sprintf("your budget%s for %s is spent: about $%.2f of $%.2f.", in, b.Month.Format("January 2006"), b.Spent, b.USD)
	if mark < 100 {
		return fmt.Sprintf("%d %% of %s", mark, spent)
	}
	return "All of " + spent + " Nothing new can be made until " + b.Month.AddDate(0, 1, 0).Format("2 January") + ", and what stands idle ends sooner."
}

// toTeacher is sentence for who teaches the course.
func (b Budget) toTeacher(mark int) string {
	said := fmt.Sprintf("%d %% of the budget of the course %s for %s is spent: about $%.2f of $%.2f.", min(mark, 100), b.Course, b.Month.Format("January 2006"), b.Spent, b.USD)
	if mark < 100 {
		return said
	}
	return said + " Nothing new can be made in it until " + b.Month.AddDate(0, 1, 0).Format("2 January") + ", and what stands idle ends sooner, unless an admin raises it."
}

// budgetsOf are the budgets that a policy sets for an owner in a course. An
// owner's counts what the owner spent in the course; without a course, all.
func budgetsOf(p Policy, owner, course string, now time.Time) []Budget {
	var out []Budget
	if p.OwnerBudget > 0 {
		out = append(out, Budget{Owner: owner, Course: course, USD: p.OwnerBudget, Month: monthOf(now)})
	}
	if p.CourseBudget > 0 && course != "" {
		out = append(out, Budget{Course: course, USD: p.CourseBudget, Month: monthOf(now)})
	}
	return out
}

// spent adds up what a budget's environments cost in its month.
func (s *Service) spent(ctx context.Context, b Budget) (float64, error) {
	sum := 0.0
	err := s.ledger(ctx, Filter{Owner: b.Owner, Course: b.Course}, s.pages(ctx), func(n entry) {
		for day, usd := range n.days {
			if day[:len("2026-11")] == b.Month.Format("2006-01") {
				sum += usd
			}
		}
	})
	return sum, err
}

// pages lists for daskbot itself, whoever may see it.
func (s *Service) pages(ctx context.Context) func(Filter) ([]Environment, string, error) {
	return func(f Filter) ([]Environment, string, error) { return s.store.Environments(ctx, f) }
}

// afford refuses a new environment when a budget is spent or the owner's hours
// of the week are. Two requests at once may both pass at the last cent: it is
// a limit on an estimate.
func (s *Service) afford(ctx context.Context, r Request, policy Policy) error {
	now := s.clock()
	for _, b := range budgetsOf(policy, r.Owner, r.Course, now) {
		var err error
		if b.Spent, err = s.spent(ctx, b); err != nil {
			return err
		}
		if b.Spent >= b.USD {
			return Errorf(CodeBudget, "%s That is all of it (list prices of %s); it starts anew on %s. The staff of the course, or whoever runs daskbot, can raise it.",
				b.sentence(), s.listed().AsOf, b.Month.AddDate(0, 1, 0).Format("2 January"))
		}
	}
	return s.checkHours(ctx, r, policy, now)
}

const week = 7 * 24 * time.Hour

// checkHours refuses when the owner's environments ran long enough lately.
func (s *Service) checkHours(ctx context.Context, r Request, p Policy, now time.Time) error {
	if p.WeeklyHours == 0 {
		return nil
	}
	var ran time.Duration
	err := s.ledger(ctx, Filter{Owner: r.Owner, Course: r.Course}, s.pages(ctx), func(n entry) {
		if from := latest(n.e.ReadyAt, now.Add(-week)); !n.e.ReadyAt.IsZero() && n.end.After(from) {
			ran += n.end.Sub(from)
		}
	})
	if err != nil {
		return err
	}
	if limit := time.Duration(p.WeeklyHours) * time.Hour; ran >= limit {
		return Errorf(CodeQuota, "%s has used environments for %s in the last seven days, and %s is the limit. Wait until older hours drop out, or ask the staff of the course.",
			r.Owner, FormatDuration(ran.Truncate(time.Minute)), count(p.WeeklyHours, "hour", "hours"))
	}
	return nil
}

// Budgets tells each owner once a month when 50, 80 and 100 % of a budget are
// spent, as an event of the owner's environment, and those who teach a course
// of the course's, and returns what was told, for the log. It looks only at
// budgets that a live environment counts towards: nothing else spends.
func (s *Service) Budgets(ctx context.Context) ([]string, error) {
	now := s.clock()
	budgets, err := s.weigh(ctx, now)
	if err != nil {
		return nil, err
	}
	told, note, err := s.budgetsTold(ctx, now)
	if err != nil {
		return nil, err
	}
	var says []string
	var events []Event
	raised := false
	for _, b := range budgets {
		mark, before := b.reached(), told[b.key()]
		if mark < before { // it was raised, and its marks are told anew
			raised = true
			told[b.key()] = mark
		}
		if mark <= before {
			continue
		}
		told[b.key()] = mark
		sentence := fmt.Sprintf("%d %% of a budget is spent: %s", mark, b.sentence())
		says = append(says, sentence)
		if b.Owner != "" {
			events = append(events, event(b.newest, EventBudget, "daskbot", b.toOwner(mark), now))
			continue
		}
		if err := s.tellTeachers(ctx, b.Budget, mark, now); err != nil {
			return nil, err
		}
	}
	if len(says) == 0 && !raised {
		return nil, nil
	}
	return says, s.noteBudgets(ctx, note, told, events)
}

// reached is the highest mark that is spent, 0 for none.
func (b Budget) reached() int {
	for _, mark := range budgetMarks {
		if b.percent() >= mark {
			return mark
		}
	}
	return 0
}

// budgetsTold reads which marks were told in the month of now.
func (s *Service) budgetsTold(ctx context.Context, now time.Time) (map[string]int, Note, error) {
	told := map[string]int{}
	note, err := s.store.Note(ctx, "budgets/"+now.Format("2006-01"))
	switch {
	case CodeOf(err) == CodeNotFound:
		return told, Note{Key: "budgets/" + now.Format("2006-01")}, nil
	case err != nil:
		return nil, note, err
	}
	if err := json.Unmarshal([]byte(note.Value), &told); err != nil {
		return nil, note, &Error{Code: CodeInternal, Message: "What was noted about budgets cannot be read.", Err: err}
	}
	return told, note, nil
}

// noteBudgets writes what was told together with the telling, so that nobody
// is told twice.
func (s *Service) noteBudgets(ctx context.Context, note Note, told map[string]int, events []Event) error {
	value, err := json.Marshal(told)
	if err != nil {
		return err
	}
	note.Value = string(value)
	return s.store.Commit(ctx, Change{Note: &note, Events: events})
}
