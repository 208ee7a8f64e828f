package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// postgres is a server of a benchmark's own, on loopback.
type postgres struct {
	bin, dir, port string
	as             *syscall.Credential // it refuses to run as root
	*process
}

// newPostgres makes an empty database; start starts its server.
func newPostgres(ctx context.Context, dir string) (*postgres, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is right
	if path, err := exec.LookPath("initdb"); err == nil && len(found) == 0 {
		found = []string{path}
	}
	if len(found) == 0 {
		return nil, errors.New("PostgreSQL is not installed (Debian: apt-get install postgresql)")
	}
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	p := &postgres{bin: filepath.Dir(slices.Max(found)), dir: filepath.Join(dir, "postgres")}
	if _, p.port, err = net.SplitHostPort(addr); err != nil {
		return nil, err
	}
	if err := os.Mkdir(p.dir, 0o700); err != nil {
		return nil, err
	}
	if err := p.leaveRoot(dir); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "initdb"), "-D", filepath.Join(p.dir, "data"), "-U", "postgres", "-A", "trust", "--no-sync")
	cmd.Dir, cmd.SysProcAttr = p.dir, &syscall.SysProcAttr{Credential: p.as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return p, nil
}

// leaveRoot gives the files to a user that PostgreSQL agrees to run as.
func (p *postgres) leaveRoot(parent string) error {
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return errors.Join(err1, err2, os.Chmod(parent, 0o711), os.Chown(p.dir, int(uid), int(gid))) //nolint:gosec // it must reach its folder
	}
	return errors.New("root may not run PostgreSQL and there is no user postgres or nobody")
}

func (p *postgres) start(ctx context.Context) error {
	var err error
	p.process, err = launchAs(ctx, p.as, filepath.Join(filepath.Dir(p.dir), "postgres.log"), os.Environ(), filepath.Join(p.bin, "postgres"),
		"-D", filepath.Join(p.dir, "data"), "-k", p.dir, "-p", p.port, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200")
	if err != nil {
		return err
	}
	ready := filepath.Join(p.bin, "pg_isready")
	return p.answers(ctx, func(ctx context.Context) error {
		return exec.CommandContext(ctx, ready, "-h", "127.0.0.1", "-p", p.port).Run()
	})
}

// crash ends the server as a power cut would, but for the disk's cache.
func (p *postgres) crash() error {
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGQUIT); err != nil {
		return err
	}
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	select {
	case <-p.done:
		return nil
	case <-late.C:
		return p.stop(0)
	}
}

// cpu is what the server has used, with the processes of all connections.
func (p *postgres) cpu() (time.Duration, error) { return cpuOfTree(p.cmd.Process.Pid) }

func (p *postgres) url() string { return p.urlOf("postgres") }

func (p *postgres) urlOf(database string) string {
	return "postgres://postgres@127.0.0.1:" + p.port + "/" + database + "?sslmode=disable&connect_timeout=3"
}
