package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program that runs beside the tests.
type process struct {
	cmd  *exec.Cmd
	log  string        // file with what it wrote
	done chan struct{} // closed when it ended
}

// start runs a program; what it writes is appended to the file log.
func start(log string, env []string, name string, args ...string) (*process, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o700); err != nil {
		return nil, err
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.Command(name, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env, p.cmd.Dir = out, out, env, filepath.Dir(log)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // the caller asks ProcessState
		close(p.done)
	}()
	return p, nil
}

// running says whether it has not ended.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// end sends a signal and waits until the program is gone; one that does not
// go within grace is killed, and that is an error.
func (p *process) end(sig syscall.Signal, grace time.Duration) error {
	if !p.running() {
		return nil
	}
	_ = p.cmd.Process.Signal(sig) // it may just have ended
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-p.done:
		return nil
	case <-late.C:
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not end within %s of %s", filepath.Base(p.cmd.Path), grace, sig)
	}
}

// lastWords are the last lines it wrote, without the requests it answered.
func (p *process) lastWords(lines int) string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	all = slices.DeleteFunc(all, func(line string) bool { return strings.Contains(line, `"msg":"request"`) })
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// until asks again and again until done says yes, an error, or ctx ends. A
// context without an end of its own is given one: a story that waits for what
// never comes fails by its name, not with all others when go test gives up.
func until(ctx context.Context, what string, done func() (bool, error)) error {
	if _, ends := ctx.Deadline(); !ends {
		bounded, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		ctx = bounded
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// pause waits for a moment that a story chose at random.
func pause(ctx context.Context, d time.Duration) error {
	moment := time.NewTimer(d)
	defer moment.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-moment.C:
		return nil
	}
}

// freeAddress is a loopback address that nobody listens on. Its port lies below
// those that the kernel gives out by itself: somebody else would be given one of
// them before the program is there.
func freeAddress() (address string, err error) {
	for range 100 {
		address = "127.0.0.1:" + strconv.Itoa(20000+rand.IntN(12000))
		l, listening := net.Listen("tcp", address)
		if err = listening; err == nil {
			return address, l.Close()
		}
	}
	return "", err
}

var errEnded = errors.New("the program ended")
