package environment

import "time"

// EndCause is why an environment ends by itself.
type EndCause string

// The causes.
const (
	EndDeadline EndCause = "deadline" // the time it was given is over
	EndMaximum  EndCause = "maximum"  // the longest life that policy allows is over
	EndIdle     EndCause = "idle"     // nobody has used it for the idle limit
	EndUnused   EndCause = "unused"   // nobody has ever used it
	EndClass    EndCause = "class"    // its class is over, by schedule, and nobody uses it
	EndLeft     EndCause = "left"     // its owner is no longer on the course's roster
	EndCourse   EndCause = "course"   // the course has ended
)

// ForWantOfUse reports whether using it would keep it.
func (c EndCause) ForWantOfUse() bool { return c == EndIdle || c == EndUnused || c == EndClass }

// ByCourse reports whether the course sets the end: neither using nor extending
// it keeps it.
func (c EndCause) ByCourse() bool { return c == EndLeft || c == EndCourse }

// Ending is the end that the owner was told of. It is what was promised: an
// environment never ends before it, and an end that moved is told anew.
type Ending struct {
	At    time.Time     `json:"at"`
	Cause EndCause      `json:"cause"`
	Lead  time.Duration `json:"lead"` // which warning it was
	// ToldAt is when; the first of the warnings about this end.
	ToldAt time.Time `json:"toldAt"`
}

// shields reports whether what was told keeps off an earlier end of another
// cause. The maximum and the course's ends come whatever was said; and being
// told of the course's end days ahead is no leave to stand idle until then.
func (told Ending) shields(j Judgement) bool {
	return j.At.Before(told.At) && j.Cause != EndMaximum && !j.Cause.ByCourse() && !told.Cause.ByCourse()
}
