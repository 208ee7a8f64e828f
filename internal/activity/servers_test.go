//go:build linux && !race

package activity

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The race detector has nothing to find in other programs, which are slow.
//
// The real servers are installed under the checkout's .daskbot/servers, once,
// from the package registries. A test that cannot have them says why and skips,
// or fails where DASKBOT_NEED_SERVERS is set, as continuous integration does:
// what was never run must not look as if it had passed.

// without ends a test that cannot have its servers.
func without(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("DASKBOT_NEED_SERVERS") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// python is a set of installed packages and how to run them.
type python struct {
	program string
	env     []string
}

func (p python) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.program, args...)
	cmd.Env = append(os.Environ(), p.env...)
	return cmd
}

// virtual is a virtual environment with packages from PyPI.
func virtual(t *testing.T, name string, packages ...string) python {
	t.Helper()
	dir := install(t, name, strings.Join(packages, " "), func(dir string) [][]string {
		pip := append([]string{filepath.Join(dir, "bin", "pip"), "install", "-q", "--disable-pip-version-check"}, packages...)
		return [][]string{{"python3", "-m", "venv", dir}, pip}
	})
	return python{program: filepath.Join(dir, "bin", "python"), env: []string{"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH")}}
}

// debian is JupyterHub 3.0 with a notebook server as Debian 12 has them,
// unpacked into a folder: nothing is installed on the machine.
func debian(t *testing.T) python {
	t.Helper()
	if release, _ := os.ReadFile("/etc/debian_version"); !strings.HasPrefix(string(release), "12") {
		t.Skip("this is not Debian 12, whose own Python runs its JupyterHub")
	}
	dir := install(t, "debian-12", "jupyterhub python3-ipykernel", func(dir string) [][]string {
		return [][]string{{"bash", "-c", `set -e
			mkdir -p "$1/debs" && cd "$1/debs"
			list() { apt-get install --no-install-recommends -s jupyterhub python3-ipykernel | awk '/^Inst/ && $2 !~ /^(node|libjs|fonts|gdb)/ {print $2}'; }
			packages=$(list) || { apt-get update -q && packages=$(list); }
			apt-get download -q $packages
			for deb in *.deb; do dpkg -x "$deb" ..; done
			cd .. && rm -rf debs`, "bash", dir}}
	})
	// Commands such as jupyterhub-singleuser are not in the way of what the
	// machine has; the unpacked modules come first.
	return python{program: "/usr/bin/python3", env: []string{"PYTHONPATH=" + filepath.Join(dir, "usr/lib/python3/dist-packages"),
		"LD_LIBRARY_PATH=" + filepath.Join(dir, "usr/lib/x86_64-linux-gnu"),
		"JUPYTER_PATH=" + filepath.Join(dir, "usr/share/jupyter"), "PYTHONWARNINGS=ignore"}}
}

// proxy is the program of the hub's proxy, from npm.
func proxy(t *testing.T) string {
	t.Helper()
	dir := install(t, "proxy", "configurable-http-proxy@5", func(dir string) [][]string {
		return [][]string{{"npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir, "configurable-http-proxy@5"}}
	})
	return filepath.Join(dir, "node_modules", ".bin", "configurable-http-proxy")
}

// install runs commands that fill a folder, unless what is in it is what is
// wanted already. Processes that want the same wait for each other.
func install(t *testing.T, name, what string, commands func(dir string) [][]string) string {
	t.Helper()
	root, err := filepath.Abs("../../.daskbot/servers")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, name)
	if err := os.MkdirAll(root, 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(dir + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if done, err := os.ReadFile(dir + ".installed"); err == nil && string(done) == what {
		return dir
	}
	t.Logf("installing %s", what)
	if err := fill(t, dir, commands(dir)); err != nil {
		without(t, "%s cannot be installed here: %v", what, err)
	}
	if err := os.WriteFile(dir+".installed", []byte(what), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fill runs commands that fill a folder, from the beginning and up to three
// times: registries have bad minutes.
func fill(t *testing.T, dir string, commands [][]string) error {
	t.Helper()
	var failed error
	for range 3 {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		failed = nil
		for _, c := range commands {
			if out, err := exec.CommandContext(t.Context(), c[0], c[1:]...).CombinedOutput(); err != nil {
				failed = fmt.Errorf("%w: %s", err, bytes.TrimSpace(out[max(0, len(out)-400):]))
				t.Logf("%s: %v", strings.Join(c, " "), failed)
				break
			}
		}
		if failed == nil {
			return nil
		}
	}
	return failed
}

func TestFillTriesAgain(t *testing.T) {
	dir, once := filepath.Join(t.TempDir(), "into"), filepath.Join(t.TempDir(), "once")
	try := func(script string) error {
		return fill(t, dir, [][]string{{"mkdir", dir}, {"bash", "-c", script, "bash", once}})
	}
	if err := try(`test -e "$1" || { touch "$1"; exit 1; }`); err != nil {
		t.Errorf("a registry that fails once: %v", err)
	}
	if err := try(`echo no such package >&2; exit 1`); err == nil || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("a registry that always fails: got %v; want what it said", err)
	}
}

// start runs a process, and whatever it starts, until the test ends or stop
// is called. Its output is shown when the test fails.
func start(t *testing.T, cmd *exec.Cmd) (stop func()) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stop = startQuietly(t, cmd)
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s:\n%s", strings.Join(cmd.Args, " "), out.Bytes()[max(0, out.Len()-3000):])
		}
	})
	return stop
}

// startQuietly is start for a process whose output somebody else reads.
func startQuietly(t *testing.T, cmd *exec.Cmd) (stop func()) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second // children may hold the output open
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed, and says so
	}
	t.Cleanup(stop)
	return stop
}

// sweep kills every process whose working directory is under dir: a hub's
// proxy, notebooks and kernels have sessions of their own and outlive it.
func sweep(t *testing.T, dir string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && (at == dir || strings.HasPrefix(at, dir+"/")) {
			if pid, err := strconv.Atoi(strings.Split(link, "/")[2]); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended meanwhile
			}
		}
	}
}

// freePort finds a port on loopback that nothing listens on. It lies below those
// that the kernel gives out by itself: somebody else would be given one of them
// before the server is there.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close() // it was only asked for
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// wait polls until check has nothing to complain about.
func wait(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %s: %v", limit, err)
		case <-tick.C:
		}
	}
}

// listens waits until something listens on a port.
func listens(t *testing.T, port int) {
	t.Helper()
	wait(t, time.Minute, func() error {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", local(port))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func needServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("real servers take a while")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		without(t, "there is no python3")
	}
}

// jupyterPackages are a current hub with what it starts.
var jupyterPackages = []string{"jupyterhub==5.*", "jupyter_server", "jupyter_server_terminals", "ipykernel"}

// startJupyter runs the notebook server of the dask chart and returns its port.
func startJupyter(t *testing.T) int {
	t.Helper()
	port := freePort(t)
	cmd := virtual(t, "current", jupyterPackages...).command(t.Context(), "-m", "jupyter_server", "--ip", "127.0.0.1",
		"--port", strconv.Itoa(port), "--no-browser", "--allow-root")
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Env, "JUPYTER_TOKEN="+token, "HOME="+cmd.Dir)
	start(t, cmd)
	listens(t, port)
	return port
}
