package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
)

// bell tells River within this process that a job is due, so that it neither
// polls ten times a second nor is late. What rings on another replica, or
// rang before a restart, is found by the slow poll.
type bell struct{ rung chan struct{} }

func newBell() *bell { return &bell{make(chan struct{}, 1)} }

// ring never blocks; several at once are one.
func (b *bell) ring() {
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

// roundingMargin is more than what times lose in the database, where River
// keeps milliseconds: a ring just before the due time would be in vain.
const roundingMargin = 5 * time.Millisecond

// ringIn rings for a job that is due after wait; one that is due much later
// is left to River's scheduler.
func (b *bell) ringIn(wait time.Duration) {
	switch {
	case wait <= 0:
		b.ring()
	case wait <= soon:
		time.AfterFunc(wait+roundingMargin, b.ring)
	}
}

// belled is a River driver that listens to the bell instead of the database,
// and does not write notifications that nobody would read.
type belled struct {
	riverdriver.Driver[*sql.Tx]
	bell *bell
}

// GetListener gives River the bell.
func (d belled) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener {
	return listener{d.bell}
}

// SupportsListener says that there is one, whatever the database can do.
func (belled) SupportsListener() bool { return true }

// SupportsListenNotify says that inserts need not notify.
func (belled) SupportsListenNotify() bool { return false }

// listener is the bell as River's Listener. Nothing has to be connected.
type listener struct{ bell *bell }

// WaitForNotification waits for a ring; it is River's news of an insert.
func (l listener) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.bell.rung:
		return &riverdriver.Notification{Topic: "river_insert", Payload: `{"queue":"` + river.QueueDefault + `"}`}, nil
	}
}

// Close does nothing.
func (listener) Close(context.Context) error { return nil }

// Connect does nothing.
func (listener) Connect(context.Context) error { return nil }

// Listen does nothing: every ring is for everybody.
func (listener) Listen(context.Context, string) error { return nil }

// Ping does nothing.
func (listener) Ping(context.Context) error { return nil }

// Schema is the default one.
func (listener) Schema() string { return "" }

// SetAfterConnectExec is for River's own tests.
func (listener) SetAfterConnectExec(string) {}

// Unlisten does nothing.
func (listener) Unlisten(context.Context, string) error { return nil }
