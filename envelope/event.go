package envelope

import (
	"encoding/json"
	"errors"
	"time"
)

// Event is one business fact on its way from the service that owns it to
// everyone who reads it. The field rules are those of the event contract:
// writers fill all fields, readers require the nine of [Event.Check].
type Event[T any] struct {
	// EventID is globally unique and stable over every retry, republication and
	// redrive. A ULID made once, when the event is appended.
	EventID string
	// EventType is the past-tense name of the fact, such as "OrderCaptured".
	EventType string
	// EventVersion is the version of the payload contract, from 1. It is not
	// the version of the aggregate.
	EventVersion int
	// OccurredAt is when the business fact happened. UTC, milliseconds.
	OccurredAt time.Time
	// PublishedAt is when the relay sent the event. It is the only field that
	// may differ between two publications of one event. Zero before that.
	PublishedAt time.Time
	// Producer is the service that owns the event.
	Producer string
	// TenantID is the tenant the fact belongs to, "platform" for operational
	// records of the platform itself.
	TenantID string
	// AggregateType and AggregateID name the entity whose lifecycle this is.
	AggregateType string
	AggregateID   string
	// AggregateVersion is dense: the first event of an aggregate has 1 and each
	// further one adds exactly 1. Zero where a writer does not count.
	AggregateVersion int64
	// CorrelationID follows one business request from end to end.
	CorrelationID string
	// CausationID is the id of the event or command that caused this one.
	CausationID string
	// TraceID is the W3C trace id, 32 hexadecimal digits, or empty.
	TraceID string
	// SchemaRef names the contract: schema://<topic without .v1>/<type>/<version>.
	SchemaRef string
	// Payload is the business content.
	Payload T
	// Metadata is operational context (sourceCommandId, idempotencyKey,
	// actorType, actorId), never domain state.
	Metadata map[string]string
}

// Raw is an event whose payload is still JSON.
type Raw = Event[json.RawMessage]

// WithPayload returns e with another payload and every other field kept.
func WithPayload[T, U any](e Event[T], payload U) Event[U] {
	return Event[U]{
		EventID: e.EventID, EventType: e.EventType, EventVersion: e.EventVersion,
		OccurredAt: e.OccurredAt, PublishedAt: e.PublishedAt,
		Producer: e.Producer, TenantID: e.TenantID,
		AggregateType: e.AggregateType, AggregateID: e.AggregateID, AggregateVersion: e.AggregateVersion,
		CorrelationID: e.CorrelationID, CausationID: e.CausationID, TraceID: e.TraceID,
		SchemaRef: e.SchemaRef, Payload: payload, Metadata: e.Metadata,
	}
}

// As decodes the payload of a raw event into T. Unknown members are ignored,
// as a tolerant reader must. A T that reads and checks itself, as generated types
// do, has the last word. The error is a [*DecodeError].
func As[T any](e Raw) (Event[T], error) {
	var payload T
	if err := json.Unmarshal(e.Payload, &payload); err != nil {
		return Event[T]{}, payloadError(err)
	}
	return WithPayload(e, payload), nil
}

func payloadError(err error) error {
	own, ok := errors.AsType[*DecodeError](err)
	switch {
	case !ok:
		return &DecodeError{Field: "payload", Reason: describe(err)}
	case own.Field == "value":
		return &DecodeError{Field: "payload", Reason: own.Reason}
	}
	return &DecodeError{Field: "payload." + own.Field, Reason: own.Reason}
}
