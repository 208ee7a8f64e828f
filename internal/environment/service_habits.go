package environment

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// habitsNote is under which key a course's habits are remembered.
func habitsNote(course string) string { return "habits/" + course }

// customs is what this process knows of each course's habits. One look at a
// time changes them: a class that stops at once would otherwise race for the
// course's one note.
type customs struct {
	mu    sync.Mutex
	known map[string]*noted
}

type noted struct {
	habits Habits
	note   Note
	read   time.Time
}

// notedFor is how long a course's habits are believed without being read
// again: another replica may lead and learn.
const notedFor = 10 * time.Minute

// accustom learns from a look, where the policy lets the idle limit be learnt,
// and sets the limit that follows. What cannot be remembered costs precision
// and is tried again with the next news; only a store that does not answer at
// first is an error.
func (s *Service) accustom(ctx context.Context, i *PlanItem, fresh, dry bool) error {
	if !i.Terms.Policy.Adaptive {
		return nil
	}
	s.customs.mu.Lock()
	defer s.customs.mu.Unlock()
	n, err := s.habitsOf(ctx, i.Environment.Course)
	if err != nil {
		return err
	}
	i.Use.Bound(i.Terms.Policy, i.Environment, n.habits)
	if dry || !n.habits.Observe(i.Environment, fresh, i.Use) {
		return nil
	}
	value, err := json.Marshal(n.habits)
	if err != nil {
		return err
	}
	n.note.Value = string(value)
	switch err := s.store.Commit(ctx, Change{Note: &n.note}); {
	case err == nil:
		n.note.Version++
	case CodeOf(err) == CodeConflict: // another process learnt: start from what it knows
		delete(s.customs.known, i.Environment.Course)
	default:
		return err
	}
	return nil
}

// zoneOf is the clock of a course; UTC where it has none, or is gone.
func (s *Service) zoneOf(ctx context.Context, course string) (*time.Location, error) {
	class, err := s.roster.Class(ctx, course)
	switch {
	case CodeOf(err) == CodeNotFound:
		return time.UTC, nil
	case err != nil:
		return nil, err
	}
	zone, err := time.LoadLocation(class.Timezone)
	if err != nil {
		return time.UTC, nil //nolint:nilerr // refused when it was written; a clock that is off costs precision, no look
	}
	return zone, nil
}

// habitsOf reads a course's habits, now and then.
func (s *Service) habitsOf(ctx context.Context, course string) (*noted, error) {
	now := s.clock()
	if n, ok := s.customs.known[course]; ok && now.Sub(n.read) < notedFor {
		return n, nil
	}
	n := &noted{note: Note{Key: habitsNote(course)}, read: now}
	switch note, err := s.store.Note(ctx, n.note.Key); {
	case err == nil:
		n.note = note
		if err := json.Unmarshal([]byte(note.Value), &n.habits); err != nil {
			return nil, &Error{Code: CodeInternal, Message: "What was noted about when people come back cannot be read.", Err: err}
		}
	case CodeOf(err) != CodeNotFound:
		return nil, err
	}
	zone, err := s.zoneOf(ctx, course)
	if err != nil {
		return nil, err
	}
	n.habits.Zone = zone
	if s.customs.known == nil {
		s.customs.known = map[string]*noted{}
	}
	s.customs.known[course] = n
	return n, nil
}
