package environment

import (
	"testing"
	"time"
)

func TestInQuietHours(t *testing.T) {
	at := func(clock string) time.Time {
		parsed, err := time.Parse("2006-01-02 15:04", "2026-11-23 "+clock)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, test := range []struct {
		spec string
		now  string // UTC
		want bool
	}{
		{"", "03:00", false},
		{"22:00-07:00", "21:59", false}, {"22:00-07:00", "22:00", true}, {"22:00-07:00", "00:00", true}, {"22:00-07:00", "06:59", true}, {"22:00-07:00", "07:00", false},
		{"12:00-13:30", "11:59", false}, {"12:00-13:30", "13:29", true}, {"12:00-13:30", "13:30", false},
		{"22:00-07:00 Europe/Paris", "21:00", true}, {"22:00-07:00 Europe/Paris", "06:30", false}, // an hour ahead in winter
	} {
		if got := inQuietHours(test.spec, at(test.now)); got != test.want {
			t.Errorf("%q at %s: got %v; want %v", test.spec, test.now, got, test.want)
		}
	}
	for _, bad := range []string{"22-07", "22:00", "25:00-07:00", "22:00-22:00", "22:00-07:00 Nowhere/Land", "-"} {
		if err := ValidQuietHours("quietHours", bad); CodeOf(err) != CodeInvalid {
			t.Errorf("%q: got %v; want invalid", bad, err)
		}
	}
}

func TestLessIsWaitedForInQuietHoursAndWhenTheBudgetIsSpent(t *testing.T) {
	p := judged
	p.IdleMin = 15 * minute
	tight := quiet(0, 0)
	for _, test := range []struct {
		name string
		p    Policy
		use  Use
		want time.Duration
	}{
		{"by day", p, tight, 45 * minute},
		{"in quiet hours", changing(p, func(p *Policy) { p.QuietHours = "00:00-23:59" }), tight, 15 * minute},
		{"quiet hours never wait longer", changing(p, func(p *Policy) { p.QuietHours, p.IdleMin = "00:00-23:59", 2*time.Hour }), tight, 45 * minute},
		{"the budget is spent", p, Use{Ever: true, IdleLooks: 2, Tight: true, Verdict: tight.Verdict}, 15 * minute},
		{"nobody ever used it, in quiet hours", changing(p, func(p *Policy) { p.QuietHours = "00:00-23:59" }), Use{IdleLooks: 2, Verdict: tight.Verdict}, 15 * minute},
	} {
		if got := Judge(test.p, hub(), test.use, t0); got.At.Sub(t0) != test.want {
			t.Errorf("%s: got an end after %s (%s); want %s", test.name, got.At.Sub(t0), got.Reason, test.want)
		}
	}
}

func changing(p Policy, edit func(*Policy)) Policy {
	edit(&p)
	return p
}
