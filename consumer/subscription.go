package consumer

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/envelope"
	"factline.dev/inbox"
)

// Mode says what decides whether an event of a topic is applied.
type Mode = inbox.Mode

const (
	// Ordered applies the events of an aggregate in version order, without a
	// gap, once each.
	Ordered = inbox.Ordered
	// Unordered applies each event id once and looks at no version.
	Unordered = inbox.Unordered
	// Latest applies a record of a current-state topic unless a newer version
	// was applied. Versions may jump. Of several records with one version the
	// last on the log wins.
	Latest = inbox.Latest
)

// Message is one event as it stands on the log. Its byte slices are shared and
// must not be changed.
type Message struct {
	// Raw is the event with its payload as JSON. It is zero in a tombstone.
	envelope.Raw
	Topic     string
	Partition int32
	Offset    int64
	// Key is the record key, nil where the record has none.
	Key []byte
	// Headers are the record's own, in order.
	Headers []envelope.Header
	// RecordTime is the timestamp of the record, which is when it was
	// published, clamped to the years 1 to 9999. Business time is OccurredAt.
	RecordTime time.Time
}

// Cause is what an event inherits that is appended because of m.
func (m Message) Cause() envelope.Cause {
	traceparent, _ := envelope.HeaderValue(m.Headers, envelope.HeaderTraceparent)
	return envelope.CauseOf(m.Raw, string(traceparent))
}

// IsTombstone reports whether m is the deletion of a key on a compacted topic:
// a record without a value. Only [Latest] subscriptions see one.
func (m Message) IsTombstone() bool { return m.EventID == "" }

// Handler gives one event its effect within tx and returns the outcome: nil,
// [Rejected], [Permanent], [RetryAfter], or any other error for a retry.
//
// ctx carries the [envelope.Cause] of the event (tenant, correlation, trace, the
// event as the cause) and the outbox's buffer, so that outbox.Append takes part
// in the transaction. In SQL the setting factline.tenant is the event's tenant
// until the transaction ends, for row-level security. A handler must not commit
// or roll back tx, not use the network, not keep tx or ctx after it returned,
// and may run again for the same event if the transaction does not commit. It
// is called for one event of a record key at a time and concurrently for
// different keys; records without a key have one in common in each partition.
type Handler func(ctx context.Context, tx pgx.Tx, m Message) error

// BulkHandler gives several events of one tenant, in log order, their effect
// within tx. The rules are those of [Handler]; ctx carries a cause with the
// tenant alone, [Message.Cause] has the rest. An error rolls the whole chunk
// back, after which the events come one by one. [Rejected] counts for the
// event alone where it comes alone and is an error otherwise.
type BulkHandler func(ctx context.Context, tx pgx.Tx, ms []Message) error

// Subscription is one topic of a group and what is done with its events.
type Subscription struct {
	// Topic is the full name of the topic. Required.
	Topic string
	// Mode is [Ordered] unless set.
	Mode Mode
	// Handlers by event type. Events of other types only advance the gate. In
	// mode [Latest] the handler of type "" gets tombstones: a message with
	// topic, key and headers, and no event and no tenant; deleting must be
	// harmless when repeated.
	Handlers map[string]Handler
	// Bulk handles the events of BulkTypes, as many at a time as a chunk has of
	// one tenant in a row. Use it for projections, where one statement for many
	// events is several times faster.
	Bulk BulkHandler
	// BulkTypes are the event types that go to Bulk. Required with Bulk.
	BulkTypes []string
	// DeadLetterTopic takes what this subscription gives up. Default the
	// contract's; without contracts base.dlt.v1 for a topic base.v1. Must
	// contain ".dlt.", by which the relay knows topics of large records.
	DeadLetterTopic string
	// RetryTiers are the pauses before the later attempts of an event that failed
	// in place, shortest first; the record that shows what waits goes to a topic
	// each, base.retry.15m.v1 for a topic base.v1. Default the contract's; without
	// contracts 1m, 15m and 1h. Empty and not nil has none: the event is given up
	// after the attempts in place. Redrives come by the contract's shortest retry
	// topic in any case.
	RetryTiers []time.Duration
	// UnknownVersionWait keeps an event of a version that the catalogue does not
	// hold, with its key, for a reader that does: producers may be upgraded first.
	// It is looked at every minute and given up after this long. Default 0, it is
	// given up at once.
	UnknownVersionWait time.Duration
}

// Handle returns a [Handler] that decodes the payload into T. A payload that
// does not decode breaks its contract: the event goes to the dead letters at
// once.
func Handle[T any](fn func(ctx context.Context, tx pgx.Tx, e envelope.Event[T]) error) Handler {
	return func(ctx context.Context, tx pgx.Tx, m Message) error {
		e, err := envelope.As[T](m.Raw)
		if err != nil {
			return &contractError{err: err}
		}
		return fn(ctx, tx, e)
	}
}
