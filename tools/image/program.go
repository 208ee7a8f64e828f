package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// program is what goes into the image.
type program struct {
	source, pkg       string
	version, revision string
	created           time.Time
}

// compile builds it for a platform: static, without paths of this machine, and
// with the time zones, which an empty image does not have.
func (p program) compile(ctx context.Context, platform v1.Platform, dir string) (file string, err error) {
	file, err = filepath.Abs(filepath.Join(dir, "daskbot-"+platform.Architecture))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "timetzdata",
		"-ldflags", "-s -w -X main.release="+p.version, "-o", file, p.pkg)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.source, os.Stderr, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+platform.OS, "GOARCH="+platform.Architecture)
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("compile %s for %s: %w", p.pkg, platform, err)
	}
	return file, nil
}
