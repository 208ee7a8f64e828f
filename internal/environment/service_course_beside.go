package environment

import (
	"context"
	"slices"
)

// A course of the configuration is what its file says. Who came from elsewhere,
// by a hook, a launch, a platform's roster or one at a time, is kept beside it:
// in a row of the store with the course's id and OriginConfiguration, which
// holds those members, who left, since when addresses are notified, and the end
// that a platform set. What the file says stays as the file says it.

// joinedBy is a course of the configuration with what is kept beside it.
func (c Course) joinedBy(row Course) Course {
	if row.Origin != OriginConfiguration { // a stored course of the same id, from before the file had it
		row = Course{Version: row.Version}
	}
	c = c.clone()
	for _, m := range row.Members {
		if !slices.ContainsFunc(c.Members, m.clashes) {
			c.Members = append(c.Members, m)
		}
	}
	c.Left = slices.DeleteFunc(slices.Clone(row.Left), func(l Leaver) bool { return c.index(l.Subject) >= 0 })
	if c.EndsAt.IsZero() {
		c.EndsAt = row.EndsAt
	}
	for i, sub := range c.Notifications {
		if j := slices.IndexFunc(row.Notifications, func(k Subscription) bool { return k.URL == sub.URL }); j >= 0 {
			c.Notifications[i].Since = row.Notifications[j].Since
		}
	}
	c.Version = row.Version
	return c
}

// clashes reports whether two members cannot both be on a roster.
func (m Member) clashes(k Member) bool {
	same := func(a, b string) bool { return a != "" && a == b }
	return same(m.Subject, k.Subject) || same(m.Email, k.Email) || same(m.LMSID, k.LMSID) || same(m.SlackID, k.SlackID)
}

// inFile finds a course as the file has it; CodeNotFound when it does not.
func (r registry) inFile(ctx context.Context, id string) (Course, error) {
	if r.configured == nil {
		return Course{}, Errorf(CodeNotFound, "There is no course %q in the configuration.", clip(id))
	}
	return r.configured.Class(ctx, id)
}

// joined adds to a course of the configuration what is kept beside it.
func (r registry) joined(ctx context.Context, c Course) (Course, error) {
	row, err := r.store.Course(ctx, c.ID)
	if CodeOf(err) == CodeNotFound {
		return c, nil
	}
	if err != nil {
		return Course{}, err
	}
	return c.joinedBy(row), nil
}

// named is whom the file has on a course's roster; nobody for a stored course.
func (s *Service) named(ctx context.Context, id string) (Course, error) {
	c, err := s.roster.inFile(ctx, id)
	if CodeOf(err) == CodeNotFound {
		return Course{}, nil
	}
	return c, err
}

// beside is what is written of a course of the configuration.
func (s *Service) beside(ctx context.Context, c Course) (Course, error) {
	file, err := s.named(ctx, c.ID)
	if err != nil {
		return Course{}, err
	}
	members := slices.DeleteFunc(slices.Clone(c.Members), func(m Member) bool { return file.index(m.Subject) >= 0 })
	row := Course{ID: c.ID, Origin: OriginConfiguration, Version: c.Version, Members: members, Left: c.Left, Notifications: c.Notifications}
	if file.EndsAt.IsZero() {
		row.EndsAt = c.EndsAt
	}
	return row, nil
}

// noteNotifications notes since when the addresses of the configuration are
// told: what happened before is not. Until then nothing is sent there.
func (s *Service) noteNotifications(ctx context.Context) error {
	all, err := s.roster.Classes(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if !slices.ContainsFunc(c.Notifications, func(sub Subscription) bool { return sub.Since.IsZero() }) {
			continue
		}
		edit := courseEdit{who: Caller{Subject: "daskbot", Role: RoleAdmin}, id: c.ID, beside: true, change: func(c *Course) error {
			c.Notifications = c.subscribed(c.Notifications, s.clock())
			return nil
		}}
		if _, err := s.editCourse(ctx, edit); err != nil {
			return err
		}
	}
	return nil
}
