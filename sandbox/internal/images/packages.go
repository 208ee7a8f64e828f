package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Packages is the directory of the Python packages that pods may add.
func (s *Store) Packages() string { return filepath.Join(s.dir, "packages") }

// packages downloads them.
func (b *Builder) packages(ctx context.Context, debian layer) error {
	r := recipe{
		Name: "packages", Parent: debian.Name, Files: []string{"python/extra.lock"},
		Script: "/build/pip download --cache-dir /build/cache/pip --no-deps --require-hashes --progress-bar off -q -r /build/extra.lock -d /build/cache/packages\n",
	}
	key, err := b.key(r, debian.Key)
	if err != nil {
		return err
	}
	stamp := filepath.Join(b.store.Packages(), ".key")
	if have, err := os.ReadFile(stamp); err == nil && string(have) == key {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b.say("downloading the packages that pods may add")
	fresh := filepath.Join(b.store.downloads(), "packages")
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	if err := b.tree(ctx, r, key, []layer{debian}); err != nil {
		return fmt.Errorf("packages: %w", err)
	}
	if err := os.WriteFile(filepath.Join(fresh, ".key"), []byte(key), 0o644); err != nil {
		return err
	}
	if err := os.RemoveAll(b.store.Packages()); err != nil {
		return err
	}
	return os.Rename(fresh, b.store.Packages())
}
