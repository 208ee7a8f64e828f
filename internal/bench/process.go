package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// process is a program that the bench started, in a process group of its own,
// so that a Ctrl-C reaches the bench alone and it stops them in order.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it ended

	clock *clock // nil: the machine's
}

// launch starts a program; what it writes goes to the file log. The end of ctx
// does not end it: stop does, in the order in which they need each other.
func launch(ctx context.Context, log string, env []string, name string, args ...string) (*process, error) {
	return launchAs(ctx, nil, log, env, name, args...)
}

// launchAs is launch as another user.
func launchAs(ctx context.Context, as *syscall.Credential, log string, env []string, name string, args ...string) (*process, error) {
	return begin(ctx, log, env, func(p *process) error {
		p.cmd.SysProcAttr.Credential = as
		return p.cmd.Start()
	}, name, args...)
}

// launchClocked is launch with a clock of its own.
func launchClocked(ctx context.Context, log string, env []string, name string, args ...string) (*process, error) {
	return begin(ctx, log, env, func(p *process) (err error) {
		p.clock, err = startClocked(p.cmd)
		return err
	}, name, args...)
}

// begin prepares a program for start. What it wrote in an earlier life stays
// in the log.
func begin(ctx context.Context, log string, env []string, start func(*process) error, name string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }() // the program has a copy
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(ctx), name, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = out, out, env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := start(p); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	return p, nil
}

// stop ends the program and everything it started: kindly, and after grace
// not so.
func (p *process) stop(grace time.Duration) error {
	if p == nil {
		return nil
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM) // it may have ended
	select {
	case <-p.done:
		return nil
	case <-late.C:
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
		return fmt.Errorf("%s did not end within %s and was killed", filepath.Base(p.cmd.Path), grace)
	}
}

// answers waits until ask succeeds, the program ends or a minute is over.
func (p *process) answers(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return errors.New(filepath.Base(p.cmd.Path) + " ended:\n" + p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", filepath.Base(p.cmd.Path), err)
		case <-tick.C:
		}
	}
}

// lastWords are the last lines it wrote, or how its panic began.
func (p *process) lastWords() string {
	const lines = 15
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	from := slices.IndexFunc(all, func(line string) bool { return strings.HasPrefix(line, "panic: ") })
	if from < 0 {
		from = max(0, len(all)-lines)
	}
	return strings.Join(all[from:min(from+lines, len(all))], "\n")
}

// freeAddress is a loopback address that nobody listens on just now.
func freeAddress(ctx context.Context) (string, error) {
	var c net.ListenConfig
	l, err := c.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
