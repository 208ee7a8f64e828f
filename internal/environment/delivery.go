package environment

import (
	"context"
	"time"
)

// Delivery is one message of a learning platform as it was received: the row
// behind a job of kind JobDelivery, whose ID is the source.
type Delivery struct {
	ID     string
	Source string // the name it came in by, one of the configuration's
	// Key tells copies apart from news: a source's deliveries with the same key
	// are one.
	Key string
	// Within makes Key hold for so long after the last copy, and only while
	// nothing else was received about the same: for senders that give their
	// messages no id, whose contents are the key. 0: it holds as long as the
	// delivery is kept.
	Within time.Duration
	// About is the person or the course it is about, "" when it does not say.
	About string
	// HappenedAt is when the platform says that it happened; zero when it does
	// not say.
	HappenedAt time.Time
	Type       string // what the sender calls it
	// Body is what was proved to come from the source, without the proof.
	ContentType string
	Body        []byte
	ReceivedAt  time.Time
	LastAt      time.Time // when the last copy came
	Copies      int       // how often it came again
	State       DeliveryState
	Tries       int
	Reason      string // a sentence for admins: what it did, or why nothing
	SettledAt   time.Time
}

// DeliveryState is what became of a delivery.
type DeliveryState string

// The states. All but waiting are final, save that an admin may have a parked
// one tried again.
const (
	DeliveryWaiting DeliveryState = "waiting" // received, not yet carried out
	DeliveryDone    DeliveryState = "done"    // carried out
	DeliveryIgnored DeliveryState = "ignored" // nothing to do: unknown, outdated, or none of our business
	DeliveryParked  DeliveryState = "parked"  // cannot be carried out; somebody has to look
)

// DeliveryFilter selects deliveries; empty fields match all.
type DeliveryFilter struct {
	Source string
	State  DeliveryState
	Before string // the id of the last one of the page before
	Limit  int
}

// Inbox keeps deliveries durably, in the store of the rows. Errors are those
// of Store.
type Inbox interface {
	// Receive keeps a delivery and wakes the job of its source, in one
	// transaction. fresh is false when it was received before: then it is
	// counted as a copy and wakes nothing.
	Receive(ctx context.Context, d Delivery) (fresh bool, err error)
	// Waiting lists what of a source is still to be carried out, in the order
	// of receipt, at most limit.
	Waiting(ctx context.Context, source string, limit int) ([]Delivery, error)
	// Overtaken reports whether a delivery of the same source about the same
	// that happened later was carried out already.
	Overtaken(ctx context.Context, d Delivery) (bool, error)
	// Settle writes state, tries and reason of a delivery, and nothing else.
	Settle(ctx context.Context, d Delivery) error
	// Again makes a parked delivery wait once more and wakes its source's job;
	// CodeNotFound when there is none, CodeConflict when it is not parked.
	Again(ctx context.Context, id string) (Delivery, error)
	// Deliveries lists, newest first, without their bodies.
	Deliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error)
	// Forget deletes what was settled before a time, parked ones too.
	Forget(ctx context.Context, before time.Time) (int, error)
}

// Deliveries lists what was received, newest first. Admins only.
func (s *Service) Deliveries(ctx context.Context, who Caller, f DeliveryFilter) ([]Delivery, error) {
	if err := Authorize(who, ActionAdminister, "", ""); err != nil || s.inbox == nil {
		return nil, err
	}
	return s.inbox.Deliveries(ctx, f)
}

// RetryDelivery has a parked delivery tried once more, when what kept it from
// being carried out was mended. CodeNotFound when there is none of this id,
// CodeConflict when it is not parked. Admins only.
func (s *Service) RetryDelivery(ctx context.Context, who Caller, id string) (Delivery, error) {
	if err := Authorize(who, ActionAdminister, "", ""); err != nil {
		return Delivery{}, err
	}
	if s.inbox == nil {
		return Delivery{}, Errorf(CodeNotFound, "There is no delivery %s.", clip(id))
	}
	return s.inbox.Again(ctx, id)
}
