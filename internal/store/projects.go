package store

import (
	"context"
	"fmt"
	"slices"
)

// Linked lists the projects that people have linked, each once. Projects that
// were linked before and in which something was made are with the clusters.
func (s *Store) Linked(ctx context.Context) ([]string, error) {
	rs, err := s.reads.QueryContext(ctx, `SELECT version, document FROM people`)
	if err != nil {
		return nil, translate(fmt.Errorf("list linked projects: %w", err))
	}
	people, err := collect(rs, scanPerson)
	if err != nil {
		return nil, translate(err)
	}
	var projects []string
	for _, p := range people {
		if p.Project != "" && !slices.Contains(projects, p.Project) {
			projects = append(projects, p.Project)
		}
	}
	slices.Sort(projects)
	return projects, nil
}
