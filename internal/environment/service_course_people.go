package environment

import (
	"context"
	"slices"
)

// Teaches adds to who somebody is the courses that name them as staff, or as a
// member with that role. It is for callers who were recognised without a token:
// a token says itself what its holder teaches.
func (s *Service) Teaches(ctx context.Context, who Caller) (Caller, error) {
	all, err := s.roster.Classes(ctx)
	if err != nil {
		return who, err
	}
	who.Courses = slices.Clone(who.Courses)
	for _, c := range all {
		if slices.Contains(c.Teachers(), who.Subject) && !slices.Contains(who.Courses, c.ID) {
			who.Courses = append(who.Courses, c.ID)
		}
	}
	if len(who.Courses) > 0 && who.Role == RoleStudent {
		who.Role = RoleStaff
	}
	return who, nil
}

// CourseMeant is the course that somebody means who names none: the only one
// they teach, else the usual one, else the only one they are a member of; ""
// when that does not say.
func (s *Service) CourseMeant(ctx context.Context, who Caller, usual string) (string, error) {
	if len(who.Courses) == 1 {
		return who.Courses[0], nil
	}
	if usual != "" {
		return usual, nil
	}
	all, err := s.roster.Classes(ctx)
	if err != nil {
		return "", err
	}
	meant := ""
	for _, c := range all {
		if c.index(who.Subject) < 0 || c.Over(s.clock()) {
			continue
		}
		if meant != "" {
			return "", nil
		}
		meant = c.ID
	}
	return meant, nil
}
