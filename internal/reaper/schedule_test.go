package reaper

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daskbot/daskbot/internal/environment"
)

func TestALineComesDueOnceWhateverTheClockDoes(t *testing.T) {
	for name, c := range map[string]struct {
		cron, zone string
		notOn      []string
		from, to   string
		want       []string
	}{
		"an ordinary day":               {"45 7 * * MON", "Europe/Paris", nil, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", []string{"2026-11-23T06:45:00Z"}},
		"Paris skips 02:30":             {"30 2 * * *", "Europe/Paris", nil, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", []string{"2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"}},
		"Paris shows 02:30 twice":       {"30 2 * * *", "Europe/Paris", nil, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		"New York skips 02:30":          {"30 2 * * *", "America/New_York", nil, "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z", []string{"2026-03-08T07:30:00Z"}},
		"New York shows 01:30 twice":    {"30 1 * * *", "America/New_York", nil, "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", []string{"2026-11-01T05:30:00Z"}},
		"class on the morning after":    {"0 8 * * *", "Europe/Paris", nil, "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z", []string{"2026-03-29T06:00:00Z"}},
		"holidays count on the wall":    {"30 0 * * *", "Europe/Paris", []string{"2026-12-24"}, "2026-12-22T23:00:00Z", "2026-12-25T00:00:00Z", []string{"2026-12-22T23:30:00Z", "2026-12-24T23:30:00Z"}},
		"from is out, to is in":         {"0 * * * *", "UTC", nil, "2026-11-23T08:00:00Z", "2026-11-23T10:00:00Z", []string{"2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z"}},
		"a quarter-hour zone":           {"0 8 * * *", "Asia/Kathmandu", nil, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z", []string{"2026-11-23T02:15:00Z"}},
		"an hour skipped does not pile": {"30 2,3 * * *", "Europe/Paris", nil, "2026-03-29T00:00:00Z", "2026-03-29T12:00:00Z", []string{"2026-03-29T01:30:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := parseLine(Schedule{Cron: c.cron, Timezone: c.zone, NotOn: c.notOn})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, at := range l.between(clock(t, c.from), clock(t, c.to)) {
				got = append(got, at.UTC().Format(time.RFC3339))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func clock(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestCheckScheduleRefuses(t *testing.T) {
	for _, s := range []Schedule{
		{Cron: "TZ=UTC", Timezone: "UTC"}, {Cron: "CRON_TZ=UTC 0 8 * * *", Timezone: "UTC"}, {Cron: "@every 10m", Timezone: "UTC"},
		{Cron: "0 8 30 2 *", Timezone: "UTC"}, {Cron: "0 25 * * *", Timezone: "UTC"}, {Cron: "0 8 * * *", Timezone: "Nowhere/Land"},
	} {
		if err := CheckSchedule(s); environment.CodeOf(err) != environment.CodeInvalid {
			t.Errorf("%+v: got %v; want invalid", s, err)
		}
	}
}

// Whatever the zone, the time of day and how often somebody looks, each day
// has each time once, and no look sees what an earlier one saw.
func TestOncePerDayHoweverOftenOneLooks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/Paris", "America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns", "Africa/Cairo"}).Draw(t, "zone")
		hour, minute := rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
		l, err := parseLine(Schedule{Cron: fmt.Sprintf("%d %d * * *", minute, hour), Timezone: zone})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Date(2026, time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"), 12, 0, 0, 0, l.zone)
		const days = 40
		end := start.AddDate(0, 0, days)
		whole := l.between(start, end)
		if n := len(whole); n < days-1 || n > days+1 {
			t.Errorf("%02d:%02d %s came due %d times in %d days", hour, minute, zone, n, days)
		}
		for i := 1; i < len(whole); i++ {
			if gap := whole[i].Sub(whole[i-1]); gap < 21*time.Hour || gap > 27*time.Hour {
				t.Errorf("%02d:%02d %s: %s after %s", hour, minute, zone, whole[i], whole[i-1])
			}
		}
		var looks []time.Time
		for at := start; at.Before(end); {
			next := at.Add(time.Duration(rapid.IntRange(1, 72*60).Draw(t, "look")) * time.Minute)
			if next.After(end) {
				next = end
			}
			looks, at = append(looks, l.between(at, next)...), next
		}
		if !slices.EqualFunc(whole, looks, time.Time.Equal) {
			t.Errorf("looked at piecewise: %v; at once: %v", looks, whole)
		}
	})
}

// school is a Classes that notes who was attended to, when and how.
type school struct {
	mu       sync.Mutex
	subjects []string
	marks    map[string]environment.Mark
	visits   []string
	down     atomic.Bool // the store does not answer
	lessons  []Schedule
	settled  int
}

func (s *school) SettleCourses(context.Context) error { s.settled++; return nil }

func (s *school) Timetables(context.Context) ([]Schedule, error) { return s.lessons, nil }

func (s *school) Enrolled(context.Context, string) ([]string, error) {
	if s.down.Load() {
		return nil, environment.Errorf(environment.CodeUnavailable, "no answer")
	}
	return s.subjects, nil
}

func (s *school) Attend(_ context.Context, o environment.Occasion, subjects []string) (environment.Batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, who := range subjects {
		s.visits = append(s.visits, fmt.Sprintf("%s %s %s %s", time.Now().UTC().Format("15:04"), o.Action, o.At.UTC().Format("15:04"), who))
	}
	return environment.Batch{Course: o.Course}, nil
}

func (s *school) ScheduleMark(_ context.Context, name string) (environment.Mark, error) {
	m := s.marks[name]
	m.Schedule = name
	return m, nil
}

func (s *school) KeepMark(_ context.Context, m environment.Mark) error {
	s.marks[m.Schedule] = m
	return nil
}

func newSchool(subjects ...string) *school {
	return &school{subjects: subjects, marks: map[string]environment.Mark{}}
}

// lessons are a class's hours: bubbles begin at midnight UTC of 2000-01-01.
func lessons(spread time.Duration) []Schedule {
	return []Schedule{
		{Name: "begin", Course: "de", Action: environment.ScheduleUp, Cron: "0 8 * * *", Timezone: "UTC", Spread: spread},
		{Name: "end", Course: "de", Action: environment.ScheduleDown, Cron: "0 10 * * *", Timezone: "UTC"},
	}
}

// run runs a reaper for a while of virtual time.
func run(t *testing.T, c *commands, s *school, schedules []Schedule, d time.Duration) {
	t.Helper()
	s.lessons = schedules
	r, err := New(Config{Commands: c, Schedule: "0 0 1 1 *", Classes: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func TestAClassBeginsAndEndsOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool("alice", "bob")
		run(t, &commands{}, s, lessons(0), 24*time.Hour-time.Second)
		want := []string{"08:00 up 08:00 alice", "08:00 up 08:00 bob", "10:00 down 10:00 alice", "10:00 down 10:00 bob"}
		if diff := cmp.Diff(want, s.visits); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAClassThatBeginsAsAnotherEnds: the end is of the one before, in whatever
// order the two are written.
func TestAClassThatBeginsAsAnotherEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		noon := lessons(0)
		noon[0].Cron, noon[1].Cron = "0 12 * * *", "0 12 * * *"
		for range 2 {
			s := newSchool("alice")
			run(t, &commands{}, s, noon, 24*time.Hour-time.Second)
			if diff := cmp.Diff([]string{"12:00 up 12:00 alice"}, s.visits); diff != "" {
				t.Error(diff)
			}
			slices.Reverse(noon)
			time.Sleep(time.Second) // virtual: midnight again
		}
	})
}

func TestAClassIsSpreadAndEverybodyComesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var class []string
		for i := range 40 {
			class = append(class, fmt.Sprintf("student%02d", i))
		}
		first, second := newSchool(class...), newSchool(class...)
		run(t, &commands{}, first, lessons(20 * time.Minute)[:1], 24*time.Hour)
		run(t, &commands{}, second, lessons(20 * time.Minute)[:1], 24*time.Hour)
		if len(first.visits) != 40 || first.visits[39][:5] > "08:20" {
			t.Errorf("got %d visits, the last %q; want 40 by 08:20", len(first.visits), first.visits[len(first.visits)-1])
		}
		most := 0
		perMinute := map[string]int{}
		for _, v := range first.visits {
			perMinute[v[:5]]++
			most = max(most, perMinute[v[:5]])
		}
		if most > 12 {
			t.Errorf("%d of 40 came in one minute: %v", most, perMinute)
		}
		if diff := cmp.Diff(first.visits, second.visits); diff != "" {
			t.Errorf("another day is another order: %s", diff)
		}
	})
}

func TestWhatWasMissedIsCaughtUpWithinReason(t *testing.T) {
	for name, c := range map[string]struct {
		asleep time.Duration // from 07:30 on
		want   []string
	}{
		"late for class":            {time.Hour, []string{"08:30 up 08:00 alice"}},
		"the end of class is near":  {2*time.Hour + 29*time.Minute, []string{"09:59 up 08:00 alice"}},
		"class is over":             {2*time.Hour + 31*time.Minute, []string{"10:01 down 10:00 alice"}},
		"even the end is long past": {5 * time.Hour, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSchool("alice")
				run(t, &commands{}, s, lessons(0), 7*time.Hour+30*time.Minute)
				time.Sleep(c.asleep) // virtual
				run(t, &commands{}, s, lessons(0), 30*time.Second)
				if diff := cmp.Diff(c.want, s.visits); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestANewOrChangedScheduleDoesNotCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSchool("alice")
		time.Sleep(8*time.Hour + time.Minute)
		run(t, &commands{}, s, lessons(0)[:1], time.Minute)
		changed := lessons(0)[:1]
		changed[0].Cron = "1 8 * * *"
		run(t, &commands{}, s, changed, time.Minute)
		if len(s.visits) > 0 {
			t.Errorf("got %v; want nothing", s.visits)
		}
	})
}

func TestAFailureIsTriedAgainAndAPauseEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := newSchool("alice"), &commands{state: environment.ReaperState{Paused: true}}
		s.down.Store(true)
		go func() { time.Sleep(8*time.Hour + 5*time.Minute - time.Second); s.down.Store(false) }()
		go func() { time.Sleep(10*time.Hour + 7*time.Minute - time.Second); c.resume() }() // as a person does
		run(t, c, s, lessons(0), 24*time.Hour)
		if diff := cmp.Diff([]string{"08:05 up 08:00 alice", "10:07 down 10:00 alice"}, s.visits); diff != "" {
			t.Error(diff)
		}
	})
}
