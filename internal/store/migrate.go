package store

import (
	"context"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings daskbot's tables and River's up to date. It never goes down.
func (s *Store) migrate(ctx context.Context) error {
	// Numbers 3 and 10 are Go, not SQL: the databases read JSON each in their own
	// way.
	return s.back.alone(ctx, func(ctx context.Context) error {
		files, err := fs.Sub(migrations, "migrations")
		if err != nil {
			return err
		}
		rows, err := goose.NewProvider(s.back.goose, s.db, files, goose.WithDisableGlobalRegistry(true),
			goose.WithGoMigrations(goose.NewGoMigration(3, &goose.GoFunc{RunTx: indexPeople}, nil),
				goose.NewGoMigration(10, &goose.GoFunc{RunTx: indexAccounts}, nil)))
		if err != nil {
			return err
		}
		if _, err := rows.Up(ctx); err != nil {
			return err
		}
		jobs, err := rivermigrate.New(s.back.river, &rivermigrate.Config{Logger: s.riverLog()})
		if err != nil {
			return err
		}
		_, err = jobs.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
}
