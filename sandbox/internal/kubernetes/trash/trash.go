package trash

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// Bin is a directory for what is to be removed. It must be on the file system
// of what is thrown into it.
type Bin struct {
	dir  string
	full chan struct{}
	log  *slog.Logger
}

// New makes the directory. What a killed process left in it is removed by Run.
func New(dir string, log *slog.Logger) (*Bin, error) {
	b := &Bin{dir: dir, full: make(chan struct{}, 1), log: log}
	b.full <- struct{}{}
	return b, os.MkdirAll(dir, 0o700)
}

// Throw takes path away. A path that does not exist is fine. After an error it
// is where it was.
func (b *Bin) Throw(path string) error {
	err := os.Rename(path, filepath.Join(b.dir, rand.Text()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	select {
	case b.full <- struct{}{}:
	default: // Run will look anyway
	}
	return nil
}

// Run removes what is thrown until ctx is done. What it does not get done, the
// next one does.
func (b *Bin) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.full:
			if err := b.empty(ctx); err != nil && ctx.Err() == nil {
				b.log.Warn("files stay", "dir", b.dir, "error", err)
			}
		}
	}
}

// empty removes everything, and stops between two files when ctx is done.
func (b *Bin) empty(ctx context.Context) error {
	var dirs []string
	err := filepath.WalkDir(b.dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		case path == b.dir:
			return nil
		case entry.IsDir():
			dirs = append(dirs, path)
			return nil
		}
		return os.Remove(path)
	})
	// A directory comes after those above it: backwards, each is empty.
	for i := len(dirs) - 1; i >= 0 && err == nil; i-- {
		err = os.Remove(dirs[i])
	}
	return err
}
