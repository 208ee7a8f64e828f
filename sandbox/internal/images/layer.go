package images

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
)

// layer is a packed layer as the store remembers it. It is a v1.Layer whose
// content is in the store.
type layer struct {
	Name   string
	Key    string
	Parent string
	Digest v1.Hash // of the compressed archive
	DiffID v1.Hash // of the archive
	Size   int64
}

// blob gives a layer to the image library.
type blob struct {
	layer
	path string
}

var _ v1.Layer = blob{}

func (b blob) Digest() (v1.Hash, error)             { return b.layer.Digest, nil }
func (b blob) DiffID() (v1.Hash, error)             { return b.layer.DiffID, nil }
func (b blob) Size() (int64, error)                 { return b.layer.Size, nil }
func (b blob) MediaType() (types.MediaType, error)  { return types.OCILayerZStd, nil }
func (b blob) Compressed() (io.ReadCloser, error)   { return os.Open(b.path) }
func (b blob) Uncompressed() (io.ReadCloser, error) { return nil, errors.ErrUnsupported }

// packed is what pack found out while writing.
type packed struct {
	digest, diffID v1.Hash
	size           int64
}

// pack writes the tree as a compressed archive. Deletions that overlayfs
// recorded become the marks that image layers use.
func pack(ctx context.Context, tree string, w io.Writer) (packed, error) {
	compressed := &counter{w: w, hash: sha256.New()}
	encoder, err := zstd.NewWriter(compressed, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return packed{}, err
	}
	plain := sha256.New()
	archive := tar.NewWriter(io.MultiWriter(plain, encoder))
	err = filepath.WalkDir(tree, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == tree {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		return add(archive, tree, path)
	})
	if err := errors.Join(err, archive.Close(), encoder.Close()); err != nil {
		return packed{}, err
	}
	return packed{digest: digest(compressed.hash), diffID: digest(plain), size: compressed.n}, nil
}

// add appends one file. Times are kept: compiled Python files are valid for
// the time of their source only.
func add(archive *tar.Writer, tree, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(tree, path)
	if err != nil {
		return err
	}
	sys := info.Sys().(*syscall.Stat_t)
	if info.Mode()&fs.ModeCharDevice != 0 && sys.Rdev == 0 {
		mark := filepath.Join(filepath.Dir(name), ".wh."+filepath.Base(name))
		return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: mark, Mode: 0o600})
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name, h.Uid, h.Gid, h.Uname, h.Gname, h.Format = name, int(sys.Uid), int(sys.Gid), "", "", tar.FormatPAX
	if info.IsDir() {
		h.Name += "/"
	}
	if err := archive.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(archive, f); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return nil
}

// counter counts and hashes what passes.
type counter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.hash.Write(p[:n])
	c.n += int64(n)
	return n, err
}

func digest(h hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}
}
