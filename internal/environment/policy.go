package environment

import "time"

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
	Extension time.Duration `json:"extension"`
}

// Over returns p with what it does not set taken from wider.
func (p Policy) Over(wider Policy) Policy {
	p.TTL = first(p.TTL, wider.TTL)
	p.MaxTTL = first(p.MaxTTL, wider.MaxTTL)
	p.Idle = first(p.Idle, wider.Idle)
	p.MaxPerOwner = first(p.MaxPerOwner, wider.MaxPerOwner)
	p.MaxPerCourse = first(p.MaxPerCourse, wider.MaxPerCourse)
	p.MaxTotal = first(p.MaxTotal, wider.MaxTotal)
	p.Extension = first(p.Extension, wider.Extension)
	return p
}

func first[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}
