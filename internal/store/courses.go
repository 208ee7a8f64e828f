package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"github.com/daskbot/daskbot/internal/environment"
)

const (
	insertCourse = `INSERT INTO courses (id, deleted, document, version) VALUES ($1, $3, $4, $2 + 1)`
	updateCourse = `UPDATE courses SET deleted = $3, document = $4, version = version + 1 WHERE id = $1 AND version = $2`
)

func (s *Store) putCourse(ctx context.Context, tx *sql.Tx, c *environment.Course) error {
	if c == nil {
		return nil
	}
	document, err := encodeOver(ctx, tx, &s.own, *c, c.Version, `SELECT document FROM courses WHERE id = $1`, c.ID)
	if err != nil {
		return fmt.Errorf("encode course %s: %w", c.ID, err)
	}
	gone := !c.DeletedAt.IsZero()
	if err := put(ctx, tx, c.Version, insertCourse, updateCourse, c.ID, c.Version, flag(gone), document); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM course_bindings WHERE course = $1`, c.ID); err != nil {
		return fmt.Errorf("unbind course %s: %w", c.ID, err)
	}
	if gone {
		return nil
	}
	for _, b := range c.LMS {
		const bind = `INSERT INTO course_bindings (source, context, course) VALUES ($1, $2, $3)`
		if _, err := tx.ExecContext(ctx, bind, b.Source, b.Context, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// Course reads one with its members, also when it is deleted. Its lists are
// shared with others who read it: whoever changes them copies them first.
func (s *Store) Course(ctx context.Context, id string) (environment.Course, error) {
	// A roster is long, and read much more often than it is written.
	const text = `SELECT id, version, CASE WHEN version = $2 THEN '' ELSE document END FROM courses WHERE id = $1`
	known := s.courses.at(id)
	c, err := s.scanCourse(s.reads.QueryRowContext(ctx, text, id, known.Version), func(string) environment.Course { return known })
	if err != nil {
		return environment.Course{}, translate(fmt.Errorf("read course: %w", err))
	}
	return c, nil
}

// Courses reads all by id, without the deleted ones unless they are asked for.
// What is said of Course holds for each.
func (s *Store) Courses(ctx context.Context, deleted bool) ([]environment.Course, error) {
	rs, err := s.reads.QueryContext(ctx, `SELECT id, version, document FROM courses WHERE deleted <= $1 ORDER BY id`, flag(deleted))
	if err != nil {
		return nil, translate(fmt.Errorf("list courses: %w", err))
	}
	items, err := collect(rs, func(r row) (environment.Course, error) { return s.scanCourse(r, s.courses.at) })
	return items, translate(err)
}

// CourseByLMS finds the id of the course that is bound to a course of a
// learning platform.
func (s *Store) CourseByLMS(ctx context.Context, b environment.LMSBinding) (id string, err error) {
	const text = `SELECT course FROM course_bindings WHERE source = $1 AND context = $2`
	if err := s.reads.QueryRowContext(ctx, text, b.Source, b.Context).Scan(&id); err != nil {
		return "", translate(fmt.Errorf("find a course: %w", err))
	}
	return id, nil
}

// scanCourse takes what is known of a course if it is still at that version.
func (s *Store) scanCourse(r row, known func(id string) environment.Course) (environment.Course, error) {
	var (
		c        environment.Course
		id       string
		version  int64
		document string
	)
	if err := r.Scan(&id, &version, &document); err != nil {
		return c, err
	}
	if last := known(id); last.Version == version {
		return last, nil
	}
	err := decode(document, &c)
	c.Version = version
	if err == nil {
		s.courses.keep(c)
	}
	return c, err
}

// keptCourses bounds how many are remembered.
const keptCourses = 1000

// courses remembers what was read of each.
type courses struct {
	mu    sync.Mutex
	known map[string]environment.Course
}

// at is what is known of one; its version is 0 when that is nothing.
func (k *courses) at(id string) environment.Course {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known[id]
}

func (k *courses) keep(c environment.Course) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || len(k.known) >= keptCourses {
		k.known = map[string]environment.Course{}
	}
	k.known[c.ID] = c
}
