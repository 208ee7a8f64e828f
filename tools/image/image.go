package main

import (
	"context"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// settings are what the Dockerfile says after the files.
func settings() v1.Config {
	return v1.Config{
		User:         fmt.Sprintf("%d:%[1]d", nobody),
		Env:          []string{"HOME=/var/lib/daskbot", "DASKBOT_STATE=/var/lib/daskbot", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"},
		Entrypoint:   []string{"/daskbot"},
		Cmd:          []string{"serve", "--config", "/etc/daskbot/daskbot.yaml"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Volumes:      map[string]struct{}{"/var/lib/daskbot": {}},
	}
}

func (p program) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "daskbot",
		"org.opencontainers.image.description": "Gives each student of a class a Dask environment on Kubernetes on request, and takes it away again",
		"org.opencontainers.image.source":      "https://github.com/daskbot/daskbot",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     p.version,
		"org.opencontainers.image.revision":    p.revision,
		"org.opencontainers.image.created":     p.created.Format("2006-01-02T15:04:05Z"),
	}
}

// built is the image of every platform, and what it is made of.
type built struct {
	version string
	index   v1.ImageIndex
	parts   []part
}

// part is the image of one platform.
type part struct {
	platform v1.Platform
	image    v1.Image
	bill     []byte   // SPDX
	attached v1.Image // the bill as an artifact that refers to the image
}

func build(ctx context.Context, r request) (built, error) {
	dir, err := os.MkdirTemp("", "daskbot-image-")
	if err != nil {
		return built{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is below the system's own folder for that
	files, err := layer(r.created, base()...)
	if err != nil {
		return built{}, err
	}
	all := built{version: r.version, index: mutate.IndexMediaType(empty.Index, types.OCIImageIndex)}
	for _, platform := range r.platforms {
		p, err := r.part(ctx, platform, files, dir)
		if err != nil {
			return built{}, err
		}
		all.parts = append(all.parts, p)
		all.index = mutate.AppendManifests(all.index, mutate.IndexAddendum{Add: p.image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	annotated, ok := mutate.Annotations(all.index, r.labels()).(v1.ImageIndex)
	if !ok {
		return built{}, fmt.Errorf("an annotated index is a %T", all.index)
	}
	all.index = annotated
	return all, nil
}

// part compiles the program for a platform and wraps it.
func (p program) part(ctx context.Context, platform v1.Platform, files v1.Layer, dir string) (part, error) {
	file, err := p.compile(ctx, platform, dir)
	if err != nil {
		return part{}, err
	}
	own, err := programLayer(file, p.created)
	if err != nil {
		return part{}, err
	}
	image, err := p.assemble(platform, files, own)
	if err != nil {
		return part{}, fmt.Errorf("assemble the image for %s: %w", platform, err)
	}
	bill, err := p.bill(file)
	if err != nil {
		return part{}, err
	}
	attached, err := attach(bill, image)
	return part{platform: platform, image: image, bill: bill, attached: attached}, err
}

func (p program) assemble(platform v1.Platform, layers ...v1.Layer) (v1.Image, error) {
	image, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON), layers...)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = platform.OS, platform.Architecture
	config.Created = v1.Time{Time: p.created}
	config.Config = settings()
	config.Config.Labels = p.labels()
	return mutate.ConfigFile(image, config)
}
