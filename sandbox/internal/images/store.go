package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ErrNotBuilt is returned for an image that is not in the store; building it
// helps.
var ErrNotBuilt = errors.New("image is not built")

// Store is a directory of built images. Reading needs no rights beyond reading
// the files, and goes on while a build adds to it.
type Store struct{ dir string }

// Open returns the store in dir, which need not exist yet.
func Open(dir string) *Store { return &Store{dir: dir} }

func (s *Store) downloads() string        { return filepath.Join(s.dir, "downloads") }
func (s *Store) tree(key string) string   { return filepath.Join(s.dir, "trees", key) }
func (s *Store) record(key string) string { return filepath.Join(s.dir, "layers", key+".json") }
func (s *Store) image(name string) string { return filepath.Join(s.dir, "images", name+".json") }

// Blob is the file with a layer's compressed archive.
func (s *Store) Blob(digest v1.Hash) string {
	return filepath.Join(s.dir, "blobs", digest.Algorithm, digest.Hex)
}

// lock takes the store for one build. The lock goes with the process.
func (s *Store) lock() (unlock func(), err error) {
	for _, dir := range []string{"downloads", "trees", "layers", "images", "blobs/sha256", "work"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o755); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another build uses %s: %w", s.dir, err), f.Close())
	}
	// What a killed build was working on is of no use to anyone.
	if err := os.RemoveAll(filepath.Join(s.dir, "work")); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// workspace is a fresh directory on the store's file system.
func (s *Store) workspace() (string, error) {
	work := filepath.Join(s.dir, "work")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(work, "layer-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// keepTree moves a finished tree to its place.
func (s *Store) keepTree(key, from string) error {
	// One without a record was left by a build that was killed.
	if err := os.RemoveAll(s.tree(key)); err != nil {
		return err
	}
	return os.Rename(from, s.tree(key))
}

// layer is the layer recorded under the key; fs.ErrNotExist when there is none.
func (s *Store) layer(key string) (layer, error) {
	var l layer
	if err := readJSON(s.record(key), &l); err != nil {
		return l, err
	}
	if _, err := os.Stat(s.Blob(l.Digest)); err != nil {
		return layer{}, err
	}
	return l, nil
}

// pack packs the layer's tree into a blob.
func (s *Store) pack(ctx context.Context, key string) (layer, error) {
	f, err := os.CreateTemp(filepath.Join(s.dir, "work"), "blob-")
	if err != nil {
		return layer{}, err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone once it was moved
	p, err := pack(ctx, s.tree(key), f)
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return layer{}, err
	}
	return layer{Key: key, Digest: p.digest, DiffID: p.diffID, Size: p.size}, os.Rename(f.Name(), s.Blob(p.digest))
}

// keep records a layer: from now on it is complete.
func (s *Store) keep(l layer) error { return writeJSON(s.record(l.Key), l) }

// built is what the store remembers of an image: how to put it together.
type built struct {
	Image  Image
	Layers []layer
}

// assemble records an image.
func (b *Builder) assemble(image Image, made map[string]layer) error {
	r := built{Image: image}
	for _, name := range image.Layers {
		r.Layers = append(r.Layers, made[name])
	}
	return writeJSON(b.store.image(image.Name), r)
}

// prune deletes layers that no recipe makes any more.
func (s *Store) prune(made map[string]layer) error {
	keep := map[string]bool{}
	for _, l := range made {
		keep[s.tree(l.Key)], keep[s.record(l.Key)], keep[s.Blob(l.Digest)] = true, true, true
	}
	for _, pattern := range []string{"trees/*", "layers/*", "blobs/sha256/*"} {
		files, err := filepath.Glob(filepath.Join(s.dir, pattern))
		if err != nil {
			return err
		}
		for _, file := range files {
			if keep[file] {
				continue
			}
			if err := os.RemoveAll(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// Image puts an image together, with env added to its environment. It returns
// ErrNotBuilt when the image, or a part of it, is not there.
func (s *Store) Image(name string, env ...string) (v1.Image, error) {
	var r built
	if err := readJSON(s.image(name), &r); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", name, ErrNotBuilt)
	} else if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, l := range r.Layers {
		var err error
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: blob{l, s.Blob(l.Digest)}, MediaType: types.OCILayerZStd, History: v1.History{CreatedBy: "layer " + l.Name},
		})
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", name, err)
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", name, err)
	}
	config = config.DeepCopy()
	// The programs in it are this machine's.
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		Entrypoint: r.Image.Entrypoint, Cmd: r.Image.Cmd, User: r.Image.User, WorkingDir: r.Image.Dir, ExposedPorts: map[string]struct{}{},
		Env: append(r.Image.Env, env...),
	}
	for _, port := range r.Image.Ports {
		config.Config.ExposedPorts[port] = struct{}{}
	}
	return mutate.ConfigFile(image, config)
}

// Listed is one line of a listing.
type Listed struct {
	Name   string
	Layers []Part // those that are built
	Built  bool
}

// Part is a layer of a listed image; images share them.
type Part struct {
	Name, Digest string
	Bytes        int64 // compressed
}

// List describes all images, built or not.
func (s *Store) List() ([]Listed, error) {
	var all []Listed
	for _, image := range Images() {
		var r built
		err := readJSON(s.image(image.Name), &r)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		l := Listed{Name: image.Name, Built: err == nil}
		for _, part := range r.Layers {
			l.Layers = append(l.Layers, Part{Name: part.Name, Digest: part.Digest.String(), Bytes: part.Size})
		}
		all = append(all, l)
	}
	return all, nil
}

func readJSON(file string, into any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	return nil
}

func writeJSON(file string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	next := file + ".next"
	if err := os.WriteFile(next, data, 0o644); err != nil {
		return err
	}
	return os.Rename(next, file)
}
