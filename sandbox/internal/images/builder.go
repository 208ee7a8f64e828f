package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	embedded "github.com/daskbot/daskbot/sandbox/images"
)

// Config says where to build and what with.
type Config struct {
	Dir      string            // the store: blobs, layer trees, downloads
	Programs map[string]string // programs that go into images, by the name recipes use: path on this machine
	Progress io.Writer         // one line for each thing begun or done
}

// Builder builds images into a store.
type Builder struct {
	Config
	store *Store
}

// New returns a builder. It touches nothing.
func New(cfg Config) *Builder { return &Builder{Config: cfg, store: Open(cfg.Dir)} }

// Build makes the images that are missing or out of date, or only the named
// ones. It may be stopped at any time: what is complete stays, and the next
// build goes on from there. An error names the layer it is about; its text
// ends with what the failing script last wrote.
func (b *Builder) Build(ctx context.Context, names ...string) error {
	wanted, err := selected(names)
	if err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	unlock, err := b.store.lock()
	if err != nil {
		return err
	}
	defer unlock()
	made := map[string]layer{}
	for _, r := range recipes() {
		if !slices.ContainsFunc(wanted, func(i Image) bool { return slices.Contains(i.Layers, r.Name) }) {
			continue
		}
		if made[r.Name], err = b.layer(ctx, r, made); err != nil {
			return fmt.Errorf("layer %s: %w", r.Name, err)
		}
	}
	for _, image := range wanted {
		if err := b.assemble(image, made); err != nil {
			return fmt.Errorf("image %s: %w", image.Name, err)
		}
	}
	if len(names) > 0 {
		return nil
	}
	return errors.Join(b.packages(ctx, made["debian"]), b.store.prune(made))
}

// selected are the images of those names, all without any.
func selected(names []string) ([]Image, error) {
	all := Images()
	if len(names) == 0 {
		return all, nil
	}
	var some []Image
	for _, name := range names {
		i := slices.IndexFunc(all, func(i Image) bool { return i.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no image %q; see images list", name)
		}
		some = append(some, all[i])
	}
	return some, nil
}

// layer finds the layer in the store or makes it.
func (b *Builder) layer(ctx context.Context, r recipe, made map[string]layer) (layer, error) {
	key, err := b.key(r, made[r.Parent].Key)
	if err != nil {
		return layer{}, err
	}
	if l, err := b.store.layer(key); err == nil {
		return l, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return layer{}, err
	}
	b.say("building layer %s", r.Name)
	began := time.Now()
	below := lineage(r.Parent, made)
	if err := b.tree(ctx, r, key, below); err != nil {
		return layer{}, err
	}
	l, err := b.store.pack(ctx, key)
	if err != nil {
		return layer{}, err
	}
	l.Name, l.Parent = r.Name, r.Parent
	b.say("built layer %s: %d MB in %s", r.Name, l.Size>>20, time.Since(began).Round(time.Second))
	return l, b.store.keep(l)
}

// key is the hash of everything a layer is made from.
func (b *Builder) key(r recipe, parent string) (string, error) {
	h := sha256.New()
	description, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "%s\n%s\n", parent, description)
	for _, name := range r.Files {
		content, err := embedded.FS.ReadFile(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %x\n", name, sha256.Sum256(content))
	}
	for _, name := range r.Host {
		f, err := os.Open(b.Programs[name])
		if err != nil {
			return "", fmt.Errorf("program %s: %w", name, err)
		}
		_, err = io.Copy(h, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}

// lineage are the layers from the named one down to the first.
func lineage(name string, made map[string]layer) []layer {
	var all []layer
	for name != "" {
		l := made[name]
		all = append(all, l)
		name = l.Parent
	}
	return all
}

// tree makes the directory that holds what the layer adds or changes.
func (b *Builder) tree(ctx context.Context, r recipe, key string, below []layer) error {
	work, err := b.store.workspace()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	build := filepath.Join(work, "build")
	if err := b.provide(r, build); err != nil {
		return err
	}
	upper := filepath.Join(work, "upper")
	if err := os.Mkdir(upper, 0o755); err != nil {
		return err
	}
	if r.Parent == "" {
		if err := b.unpackDebian(ctx, r.Debian, upper); err != nil {
			return err
		}
	}
	room := chroot{work: work, upper: upper, build: build, cache: b.store.downloads()}
	for _, l := range below {
		room.lower = append(room.lower, b.store.tree(l.Key))
	}
	if err := room.run(ctx, r.Script); err != nil {
		return err
	}
	return b.store.keepTree(key, upper)
}

// provide puts into a directory what the script reads: files, programs, pip.
func (b *Builder) provide(r recipe, build string) error {
	if err := os.MkdirAll(filepath.Join(build, "cache"), 0o755); err != nil {
		return err
	}
	for _, name := range r.Files {
		content, err := embedded.FS.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(build, path.Base(name)), content, 0o755); err != nil {
			return err
		}
	}
	for _, name := range r.Host {
		if err := copyFile(b.Programs[name], filepath.Join(build, name)); err != nil {
			return err
		}
	}
	const pip = "#!/bin/sh\nexec python3 /build/cache/pip.whl/pip \"$@\"\n"
	return os.WriteFile(filepath.Join(build, "pip"), []byte(pip), 0o755)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (b *Builder) say(format string, args ...any) {
	if b.Progress != nil {
		fmt.Fprintf(b.Progress, format+"\n", args...)
	}
}
