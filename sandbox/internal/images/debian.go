package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// release is the Debian release that the locks of the Python packages are for.
const release = "12"

// unpackDebian unpacks the packages and what they depend on into root, without
// running any of their scripts.
func (b *Builder) unpackDebian(ctx context.Context, packages []string, root string) error {
	if err := isDebian("/etc/os-release"); err != nil {
		return err
	}
	archives := filepath.Join(b.store.downloads(), "debian")
	if err := b.fetchDebian(ctx, packages, archives); err != nil {
		return err
	}
	if err := skeleton(root); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if strings.HasPrefix(filepath.Base(file), "python3-pip-whl_") {
			if err := b.keepPip(ctx, file); err != nil {
				return err
			}
			continue
		}
		// The archives were written for a system whose /bin is a directory.
		if err := run(ctx, `dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"`, file, root); err != nil {
			return fmt.Errorf("unpack %s: %w", filepath.Base(file), err)
		}
	}
	return nil
}

// isDebian refuses other releases: their Python is another version, for which
// the locked packages do not fit.
func isDebian(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if s := string(text); strings.Contains(s, "\nID=debian\n") && strings.Contains(s, `VERSION_ID="`+release+`"`) {
		return nil
	}
	return fmt.Errorf("images are built from the packages of Debian %s, and this machine is another system", release)
}

// fetchDebian downloads the packages with this machine's apt-get, resolved as
// if nothing were installed.
func (b *Builder) fetchDebian(ctx context.Context, packages []string, archives string) error {
	// What an earlier attempt left may be of another version.
	if err := os.RemoveAll(archives); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(archives, "partial"), 0o755); err != nil {
		return err
	}
	nothing := filepath.Join(b.store.downloads(), "nothing-installed")
	if err := os.WriteFile(nothing, nil, 0o644); err != nil {
		return err
	}
	options := []string{
		"-q", "-y", "--no-install-recommends", "--download-only",
		"-o", "Dir::State::status=" + nothing, "-o", "Dir::Cache::archives=" + archives, "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root",
		"install", "python3-pip-whl",
	}
	command := `apt-get "$@"`
	if err := run(ctx, command, append(options, packages...)...); err != nil {
		// Old package lists name files that are gone.
		if err := run(ctx, "apt-get -q update"); err != nil {
			return err
		}
		return run(ctx, command, append(options, packages...)...)
	}
	return nil
}

// keepPip puts pip where scripts find it.
func (b *Builder) keepPip(ctx context.Context, file string) error {
	const unpack = `dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards './usr/share/python-wheels/pip-*.whl' > "$2.part" && mv "$2.part" "$2"`
	return run(ctx, unpack, file, filepath.Join(b.store.downloads(), "pip.whl"))
}

// skeleton makes the merged-/usr links and the places things are mounted on.
func skeleton(root string) error {
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.MkdirAll(filepath.Join(root, "usr", dir), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+dir, filepath.Join(root, dir)); err != nil {
			return err
		}
	}
	for _, dir := range mountpoints.dirs {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for _, file := range mountpoints.files {
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// run runs a shell command with arguments. The error carries the end of what
// it wrote.
func run(ctx context.Context, command string, args ...string) error {
	cmd := exec.CommandContext(ctx, "/bin/bash", append([]string{"-euo", "pipefail", "-c", command, "sh"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("%w: %s", err, out.text()), ctx.Err())
	}
	return nil
}
