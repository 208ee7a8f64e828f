package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Postgres is a server of the tests' own, on a loopback port.
type Postgres struct {
	bin, dir string
	port     int
	made     atomic.Int64
	cmd      *exec.Cmd
	ended    chan struct{}
}

// StartPostgres starts a server; Stop ends it, and so does the end of this
// program, however that comes.
func StartPostgres() (p *Postgres, err error) {
	p = &Postgres{ended: make(chan struct{})}
	if p.bin, err = postgresBinaries(); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "daskbot-postgres-"); err != nil {
		return nil, err
	}
	if err := p.start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.dir))
	}
	if err := p.await(); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

func (p *Postgres) start() error {
	attr, err := unprivileged(p.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(p.dir, "data")
	//nolint:noctx // it ends by itself, within seconds
	initdb := exec.Command(filepath.Join(p.bin, "initdb"), "-D", data, "-U", "daskbot", "-A", "trust", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, p.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	if p.port, err = freePort(); err != nil {
		return err
	}
	//nolint:noctx // Stop ends it, for whichever test is the last
	p.cmd = exec.Command(filepath.Join(p.bin, "postgres"), "-D", data, "-k", p.dir, "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=500", "-c", "fsync=off")
	p.cmd.SysProcAttr, p.cmd.Dir = attr, p.dir
	return p.startBound()
}

// startBound starts the server so that it ends with this program, however that
// ends. The signal for it is bound to the thread that starts the command, which
// therefore stays.
func (p *Postgres) startBound() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer close(p.ended)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	return <-started
}

// Stop ends the server and removes its files.
func (p *Postgres) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGINT) // it may have ended
	<-p.ended
	_ = os.RemoveAll(p.dir) // it lies among what is temporary
}

func postgresBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		real, err := filepath.EvalSymlinks(path) // the others need not be on the path
		return filepath.Dir(real), err
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.New("initdb is not installed (Debian: apt-get install postgresql)")
	}
	return filepath.Dir(slices.Max(found)), nil
}

// unprivileged gives dir to a user that PostgreSQL agrees to run as: it
// refuses root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if os.Getuid() != 0 {
		return attr, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr, os.Chown(dir, int(uid), int(gid)) //nolint:gosec // they were parsed as 32 bits
	}
	return nil, errors.New("root may not run PostgreSQL and there is no user postgres or nobody")
}

// freePort is a port that nobody listens on. It lies below those that the
// kernel gives out by itself: another test would be given one of them before
// the server is there.
func freePort() (port int, err error) {
	for range 100 {
		port = 20000 + rand.IntN(12000)                                    //nolint:gosec // any will do
		l, listening := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)) //nolint:noctx // on loopback, at once
		if err = listening; err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}

func (p *Postgres) url(database string) string {
	return fmt.Sprintf("postgres://daskbot@127.0.0.1:%d/%s?sslmode=disable", p.port, database)
}

// await waits until the server answers, on a machine that others use too.
func (p *Postgres) await() (err error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(3 * time.Minute); ; {
		var out []byte
		out, err = exec.Command(filepath.Join(p.bin, "pg_isready"), "-h", "127.0.0.1", "-p", strconv.Itoa(p.port)).CombinedOutput() //nolint:gosec,noctx // beside initdb; it waits for seconds at most
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-late:
			return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, out)
		}
	}
}

// Fresh gives the URL of an empty database.
func (p *Postgres) Fresh(tb testing.TB) string {
	tb.Helper()
	name := fmt.Sprintf("test%d", p.made.Add(1))
	out, err := exec.CommandContext(tb.Context(), filepath.Join(p.bin, "createdb"), "-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-U", "daskbot", name).CombinedOutput() //nolint:gosec // beside initdb
	if err != nil {
		tb.Fatalf("createdb: %v: %s", err, out)
	}
	return p.url(name)
}
