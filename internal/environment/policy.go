package environment

import (
	"maps"
	"reflect"
	"strings"
	"time"
)

// Policy holds the limits on an environment. Zero means "not set here": Over
// fills it from the next wider policy (environment, profile, course, default).
type Policy struct {
	TTL    time.Duration `json:"ttl"`    // lifetime when none is asked for
	MaxTTL time.Duration `json:"maxTtl"` // the longest lifetime from ready
	Idle   time.Duration `json:"idle"`   // how long idle before it is taken away
	// MaxPerOwner, MaxPerCourse and MaxTotal bound live environments.
	MaxPerOwner  int `json:"maxPerOwner"`
	MaxPerCourse int `json:"maxPerCourse"`
	MaxTotal     int `json:"maxTotal"`
	// Extension is the longest single extension; Extensions how many.
	Extension  time.Duration `json:"extension"`
	Extensions int           `json:"extensions"`
	// Unused is how long one that nobody has ever used is kept; never shorter
	// than Idle.
	Unused time.Duration `json:"unused"`
	// MaxBusy is how long work without a pause counts as use.
	MaxBusy time.Duration `json:"maxBusy"`
	// Warnings are how long before an end its owner is told.
	Warnings []time.Duration `json:"warnings"`
	// Adaptive lets what was learnt move the idle limit between IdleMin and
	// IdleMax; Idle holds until something was learnt.
	Adaptive bool          `json:"adaptive"`
	IdleMin  time.Duration `json:"idleMin"`
	IdleMax  time.Duration `json:"idleMax"`
	// QuietHours are those in which nobody is expected, "22:00-07:00" with an
	// IANA time zone behind it: what is idle then goes after IdleMin.
	QuietHours string `json:"quietHours"`
	// Grace is how long what somebody has in a course outlives their place on
	// its roster.
	Grace time.Duration `json:"grace"`
	// WeeklyHours bounds how long an owner's environments run in seven days.
	WeeklyHours int `json:"weeklyHours"`
	// OwnerBudget and CourseBudget bound the estimated cost of a calendar
	// month, in US dollars.
	OwnerBudget  float64 `json:"ownerBudget"`
	CourseBudget float64 `json:"courseBudget"`
}

// Over returns p with what it does not set taken from wider.
func (p Policy) Over(wider Policy) Policy {
	return p.over(wider, nil, "")
}

// Terms are the limits that hold for one environment, and where each came
// from: environment, profile, course or default.
type Terms struct {
	Policy Policy            `json:"policy"`
	From   map[string]string `json:"from"`
}

// TermsOf works out what holds: the profile's own limits, then the course's,
// then the default ones.
func TermsOf(profile, course, wide Policy) Terms {
	from := map[string]string{}
	p := Policy{}.over(profile, from, "profile").over(course, from, "course").over(wide, from, "default")
	return Terms{Policy: p, From: from}
}

// FromEnvironment is where a limit came from that was asked for with the
// environment.
const FromEnvironment = "environment"

// stricter are the terms with the idle limit that was asked for: it may only be
// shorter than policy's, also where policy lets it be learnt.
func (t Terms) stricter(idle time.Duration) Terms {
	if idle == 0 {
		return t
	}
	t.From = maps.Clone(t.From)
	shorten := func(name string, limit *time.Duration) {
		if *limit == 0 || idle < *limit {
			*limit, t.From[name] = idle, FromEnvironment
		}
	}
	shorten("idle", &t.Policy.Idle)
	if t.Policy.Adaptive {
		shorten("idleMin", &t.Policy.IdleMin)
		shorten("idleMax", &t.Policy.IdleMax)
	}
	return t
}

// longestIdle is the most that may be asked for; 0 for anything.
func (p Policy) longestIdle() time.Duration {
	if p.Adaptive {
		return max(p.Idle, p.IdleMax)
	}
	return p.Idle
}

// over fills what p does not set from wider, and notes under each field's
// name, as in the configuration, that it came from there.
func (p Policy) over(wider Policy, from map[string]string, source string) Policy {
	a, b := reflect.ValueOf(&p).Elem(), reflect.ValueOf(wider)
	for i := range a.NumField() {
		if !a.Field(i).IsZero() || b.Field(i).IsZero() {
			continue
		}
		a.Field(i).Set(b.Field(i))
		if from != nil {
			name, _, _ := strings.Cut(a.Type().Field(i).Tag.Get("json"), ",")
			from[name] = source
		}
	}
	return p
}

func first[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}
