package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/daskbot/daskbot/internal/api"
	"github.com/daskbot/daskbot/internal/environment"
)

// The exit codes of every command.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitNotFound    = 3
	ExitUnreachable = 4
)

// usageError is a command line that cannot be meant as it is.
type usageError struct{ says string }

func (e *usageError) Error() string { return e.says }

// Usage makes the error for a command line that cannot be meant as it is.
func Usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// unreachable is a daemon that does not answer.
type unreachable struct {
	address string
	err     error
}

func (e *unreachable) Error() string {
	return fmt.Sprintf("daskbot does not answer at %s. Is it running? DASKBOT_URL says where to look. (%v)", e.address, e.err)
}

func (e *unreachable) Unwrap() error { return e.err }

// slow is a daemon that is there and did not answer in time.
type slow struct {
	address string
	within  time.Duration
}

func (e *slow) Error() string {
	return fmt.Sprintf("daskbot at %s did not answer within %s. What was asked for may be carried out all the same: look first, and try again in a minute.",
		e.address, environment.FormatDuration(e.within))
}

// refused is an answer that says no.
type refused struct{ problem api.Problem }

func (e *refused) Error() string {
	p := e.problem
	var b strings.Builder
	b.WriteString(p.Detail)
	for _, f := range p.Errors[min(1, len(p.Errors)):] {
		fmt.Fprintf(&b, "\n  also %s: %s", f.Field, f.Message)
	}
	if p.Code == "unauthorized" {
		b.WriteString(" The client reads it from DASKBOT_TOKEN, else from $DASKBOT_STATE/admin.token.")
	}
	if p.Status >= 500 && p.RequestID != "" {
		fmt.Fprintf(&b, " (reference %s)", p.RequestID)
	}
	return b.String()
}

// Execute runs the command that args name, prints its error and returns the
// exit code. It is the one place where an error of a command is shown.
func Execute(ctx context.Context, root *cobra.Command, args []string, w World) int {
	begun := false
	root.PersistentPreRunE = func(*cobra.Command, []string) error { begun = true; return nil }
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitDone
	}
	_, _ = fmt.Fprintln(w.Err, root.Name()+": "+strings.TrimSpace(err.Error()))
	// What fails before a command runs, or for want of a flag, is usage.
	if !begun || strings.HasPrefix(err.Error(), "required flag") {
		return ExitUsage
	}
	return exitCode(err)
}

// exitCode says how a command that ended with err exits.
func exitCode(err error) int {
	var usage *usageError
	var away *unreachable
	var no *refused
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &usage):
		return ExitUsage
	case errors.As(err, &away):
		return ExitUnreachable
	case errors.As(err, &no) && no.problem.Code == "not_found":
		return ExitNotFound
	default:
		return ExitFailed
	}
}
