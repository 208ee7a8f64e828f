package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// write makes an OCI layout in dir/image, which skopeo, crane, oras and
// containerd read, and the bills of materials beside it.
func (b built) write(dir string) error {
	at := filepath.Join(dir, "image")
	if err := os.RemoveAll(at); err != nil {
		return fmt.Errorf("clear the old layout: %w", err)
	}
	path, err := layout.Write(at, empty.Index)
	if err != nil {
		return fmt.Errorf("begin the layout: %w", err)
	}
	if err := path.AppendIndex(b.index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": b.version})); err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	for _, p := range b.parts {
		if err := path.AppendImage(p.attached); err != nil {
			return fmt.Errorf("write the bill of materials for %s: %w", p.platform, err)
		}
		file := filepath.Join(dir, fmt.Sprintf("daskbot-%s-%s-%s.spdx.json", b.version, p.platform.OS, p.platform.Architecture))
		if err := os.WriteFile(file, p.bill, 0o644); err != nil { //nolint:gosec // it is published
			return fmt.Errorf("write the bill of materials: %w", err)
		}
	}
	return nil
}

// describe prints the digest and how large each platform's image is.
func (b built) describe(out io.Writer) error {
	digest, err := b.index.Digest()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "daskbot:%s %s\n", b.version, digest)
	for _, p := range b.parts {
		packed, unpacked, err := sizes(p.image)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "  %-12s %5.1f MB to download, %5.1f MB on disk\n", p.platform, mega(packed), mega(unpacked))
	}
	return nil
}

func mega(bytes int64) float64 { return float64(bytes) / 1e6 }

// sizes are what a node downloads and what it then holds.
func sizes(image v1.Image) (packed, unpacked int64, err error) {
	layers, err := image.Layers()
	if err != nil {
		return 0, 0, err
	}
	for _, l := range layers {
		size, err := l.Size()
		if err != nil {
			return 0, 0, err
		}
		packed += size
		content, err := l.Uncompressed()
		if err != nil {
			return 0, 0, err
		}
		n, err := io.Copy(io.Discard, content)
		_ = content.Close() // it was read to its end
		if err != nil {
			return 0, 0, err
		}
		unpacked += n
	}
	return packed, unpacked, nil
}

// publish writes the image and its bills of materials to a registry, with the
// credentials that `docker login` or `gcloud auth configure-docker` left.
func (b built) publish(ctx context.Context, repository string, out io.Writer) error {
	tag, err := name.NewTag(repository + ":" + b.version)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.WriteIndex(tag, b.index, options...); err != nil {
		return fmt.Errorf("publish %s: %w", tag, err)
	}
	for _, p := range b.parts {
		digest, err := p.attached.Digest()
		if err != nil {
			return err
		}
		if err := remote.Write(tag.Digest(digest.String()), p.attached, options...); err != nil {
			return fmt.Errorf("publish the bill of materials for %s: %w", p.platform, err)
		}
	}
	digest, err := b.index.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "published %s@%s\n", tag.Context(), digest)
	return err
}
