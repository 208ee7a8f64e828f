package store_test

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// freshPostgres skips the test where no server can be started.
func freshPostgres(tb testing.TB) string {
	tb.Helper()
	server, err := postgres()
	if err != nil {
		tb.Skipf("no PostgreSQL to test with: %v", err)
	}
	return server.fresh(tb)
}

// postgresServer is a server of the tests' own, on a loopback port.
type postgresServer struct {
	port int
	made atomic.Int64
}

// postgres starts the server once for all tests.
var postgres = sync.OnceValues(func() (*postgresServer, error) {
	bin, err := postgresBinaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "daskbot-postgres-")
	if err != nil {
		return nil, err
	}
	atExit(func() { _ = os.RemoveAll(dir) })
	attr, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "daskbot", "-A", "trust", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=500", "-c", "fsync=off")
	cmd.SysProcAttr, cmd.Dir = attr, dir
	if err := startBound(cmd); err != nil {
		return nil, err
	}
	server := &postgresServer{port: port}
	return server, server.await()
})

func postgresBinaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("initdb is not installed (Debian: apt-get install postgresql)")
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
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr, os.Chown(dir, int(uid), int(gid))
	}
	return nil, fmt.Errorf("root may not run PostgreSQL and there is no user postgres or nobody")
}

// startBound starts cmd so that it ends with this program, however that ends.
// The signal for it is bound to the thread that starts the command, which
// therefore stays.
func startBound(cmd *exec.Cmd) error {
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	atExit(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		<-ended
	})
	return nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (p *postgresServer) url(database string) string {
	return fmt.Sprintf("postgres://daskbot@127.0.0.1:%d/%s?sslmode=disable", p.port, database)
}

func (p *postgresServer) await() error {
	db, err := sql.Open("pgx", p.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 400 {
		if err = db.Ping(); err == nil {
			return nil
		}
		<-tick.C
	}
	return err
}

func (p *postgresServer) fresh(tb testing.TB) string {
	tb.Helper()
	db, err := sql.Open("pgx", p.url("postgres"))
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	name := fmt.Sprintf("test%d", p.made.Add(1))
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		tb.Fatal(err)
	}
	return p.url(name)
}
