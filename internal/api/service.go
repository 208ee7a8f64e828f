package api

import (
	"context"
	"io"
	"time"

	"github.com/daskbot/daskbot/internal/environment"
)

// Service is what this package needs of the domain. *environment.Service is
// the implementation; its errors are *environment.Error.
type Service interface {
	HookService
	NotificationService
	OrphanService
	CourseService
	PlatformService
	// Authenticate says whose secret this is, or CodeUnauthorized.
	Authenticate(ctx context.Context, secret string) (environment.Caller, error)

	Up(ctx context.Context, who environment.Caller, r environment.Request) (e environment.Environment, created bool, err error)
	Get(ctx context.Context, who environment.Caller, id string) (environment.Environment, error)
	List(ctx context.Context, who environment.Caller, f environment.Filter) (items []environment.Environment, next string, err error)
	Down(ctx context.Context, who environment.Caller, id string, expect int64) (e environment.Environment, already bool, err error)
	Extend(ctx context.Context, who environment.Caller, id string, d time.Duration, expect int64) (environment.Environment, error)
	Scale(ctx context.Context, who environment.Caller, id string, n int, expect int64) (environment.Environment, error)
	ChangePackages(ctx context.Context, who environment.Caller, id string, add, remove []string, expect int64) (environment.Environment, error)
	Upgrade(ctx context.Context, who environment.Caller, id string, expect int64) (environment.Environment, error)
	// Keep is a lease for what nobody can see; Protect keeps the reaper away.
	Keep(ctx context.Context, who environment.Caller, id string, d time.Duration, expect int64) (environment.Environment, error)
	// Touch is Keep with the environment's own secret instead of a token.
	Touch(ctx context.Context, id, secret string, d time.Duration) (time.Time, error)
	Protect(ctx context.Context, who environment.Caller, id string, on bool, expect int64) (environment.Environment, error)

	// Plan is what the reaper would do now; Reaper what people decided about it.
	Plan(ctx context.Context, who environment.Caller) ([]environment.PlanItem, error)
	Reaper(ctx context.Context) (environment.ReaperState, error)
	Costs(ctx context.Context, who environment.Caller, q environment.CostQuery) (environment.CostReport, error)
	Pause(ctx context.Context, who environment.Caller, paused bool, reason string) (environment.ReaperState, error)

	Events(ctx context.Context, who environment.Caller, id string, after int64, limit int) ([]environment.Event, error)
	// Follow emits events as they happen, and returns nil at a terminal state.
	Follow(ctx context.Context, who environment.Caller, id string, after int64, emit func(environment.Event) error) error
	Credentials(ctx context.Context, who environment.Caller, id string) (environment.Credentials, error)
	Kubeconfig(ctx context.Context, who environment.Caller, id string) ([]byte, error)
	Logs(ctx context.Context, who environment.Caller, id, component string, tail int, w io.Writer) error
	// Look is cheap; Describe talks to the environment's cluster.
	Look(ctx context.Context, who environment.Caller, id string) (environment.Look, error)
	Describe(ctx context.Context, who environment.Caller, id string) (environment.SeenWorkloads, error)

	// Courses, CourseStatus, CourseUp and CourseDown are for staff and admins.
	Courses(ctx context.Context, who environment.Caller) ([]environment.Course, error)
	CourseStatus(ctx context.Context, who environment.Caller, course string) (environment.CourseStatus, error)
	CourseUp(ctx context.Context, who environment.Caller, course string) (environment.Batch, error)
	CourseDown(ctx context.Context, who environment.Caller, course string) (environment.Batch, error)

	Profiles(ctx context.Context, who environment.Caller) ([]environment.Profile, error)
	CreateToken(ctx context.Context, who environment.Caller, role environment.Role, subject, course string) (environment.Token, environment.Secret, error)
	Tokens(ctx context.Context, who environment.Caller) ([]environment.Token, error)
	RevokeToken(ctx context.Context, who environment.Caller, id string) error
	Person(ctx context.Context, who environment.Caller, subject string) (environment.Person, error)
	PutPerson(ctx context.Context, who environment.Caller, p environment.Person) (environment.Person, error)
	CheckProject(ctx context.Context, who environment.Caller, project string) error
	// LinkCode makes a code that joins a Slack account to a person.
	LinkCode(ctx context.Context, who environment.Caller, subject string) (code environment.Secret, until time.Time, err error)
}
