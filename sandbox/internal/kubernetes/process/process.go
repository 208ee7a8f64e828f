package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	firstDelay = 200 * time.Millisecond
	lastDelay  = 5 * time.Second
	// A process that lived this long was healthy: its next end is a new story.
	settled = 10 * time.Second
	// A log that grew beyond this is started afresh with the process.
	maxLog = 16 << 20
)

// Process is one child to be kept alive.
type Process struct {
	Name  string        // for messages
	Argv  []string      // program and arguments
	Env   []string      // added to the parent's environment
	Log   string        // file that takes standard output and error
	Grace time.Duration // between SIGTERM and SIGKILL; zero kills at once

	Namespaces uintptr             // CLONE_NEW… flags: namespaces of the child's own
	Started    func(pid int) error // called when the child has started; its error ends that child

	pid atomic.Int64
}

// PID is the process id of the running child, 0 while there is none.
func (p *Process) PID() int { return int(p.pid.Load()) }

// Run keeps the child running until ctx is done and returns when it is gone.
// It fails only when the child cannot be started at all (no such program, no
// permission, no room for its log); the caller should then give up, because a
// retry would meet the same wall.
func (p *Process) Run(ctx context.Context, log *slog.Logger) error {
	// The kernel sends the parent-death signal when the thread that forked
	// ends, so that thread must live as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	delay := firstDelay
	for ctx.Err() == nil {
		began := time.Now()
		cause, err := p.once(ctx)
		if err != nil {
			return fmt.Errorf("run %s: %w", p.Name, err)
		}
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > settled {
			delay = firstDelay
		}
		log.Warn("process ended, starting it again", "process", p.Name, "cause", cause, "delay", delay, "log", p.Log)
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
		delay = min(2*delay, lastDelay)
	}
	return nil
}

// once starts the child and waits for its end. cause says how it ended.
func (p *Process) once(ctx context.Context) (cause, err error) {
	out, err := openLog(p.Log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, p.Argv[0], p.Argv[1:]...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = out, out
	// A group of its own keeps the terminal's Ctrl-C away from the child, so
	// that the parent decides the order in which things end.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true, Cloneflags: p.Namespaces}
	cmd.Cancel = func() error {
		if p.Grace == 0 {
			return cmd.Process.Kill()
		}
		return cmd.Process.Signal(syscall.SIGTERM)
	}
	cmd.WaitDelay = p.Grace + time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p.pid.Store(int64(cmd.Process.Pid))
	defer p.pid.Store(0)
	if p.Started != nil {
		if err := p.Started(cmd.Process.Pid); err != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			return err, nil
		}
	}
	cause = cmd.Wait()
	if cause == nil {
		cause = errors.New("exit status 0")
	}
	return cause, nil
}

func openLog(path string) (io.WriteCloser, error) {
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(path, flags, 0o600)
}
