package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"time"

	"factline.dev/contract"
	"factline.dev/envelope"
)

// Event is a fact to be appended. Topic, key, aggregate type, producer and
// schemaRef come from its contract; correlation, causation, trace and tenant
// from the [envelope.Cause] of the context.
type Event struct {
	// ID is the eventId. Default a new ULID.
	ID string
	// Type and Version name the contract. Version defaults to 1.
	Type    string
	Version int
	// TenantID defaults to the tenant of the context's cause.
	TenantID string
	// AggregateID is the entity whose lifecycle the event belongs to.
	AggregateID string
	// ExpectedVersion, when set, is the version the aggregate must have before
	// this call, 0 for one that must not exist yet. Of several events of one
	// aggregate in one call the first one's counts.
	ExpectedVersion *int64
	// OccurredAt is when the fact happened. Default Config.Now.
	OccurredAt time.Time
	// Payload marshals to the JSON object the contract describes.
	Payload any
	// Metadata is added to the metadata of the context's cause.
	Metadata map[string]string
	// Snapshot marks a record of a current-state topic: it repeats the
	// aggregate's version and counts none.
	Snapshot bool
}

// Record is a record for any topic, stored and sent byte by byte: a retry or a
// dead letter. It has no head, no validation and gets no publishedAt.
type Record struct {
	Topic string
	// Key decides partition and order. Nil differs from empty.
	Key     []byte
	Headers []envelope.Header
	// Value of nil is a tombstone.
	Value []byte
	// EventID, EventType and TenantID appear in logs and status, nowhere on the
	// wire. May be empty.
	EventID, EventType, TenantID string
}

// maxForwardBytes is the largest forwarded value: a dead letter carries the
// largest event, perhaps in base64, beside its error.
const maxForwardBytes = 8 << 20

// row is an event or record ready for the append statement.
type row struct {
	hash                              int64
	eventID, eventType, tenantID      string
	aggregateType, aggregateID, topic string
	key, headers, prefix, suffix      []byte
	expected                          *int64
	snapshot                          bool
}

// laneHash spreads (topic, key) over lanes. It must never change: two values of
// one key in different lanes lose their order.
func laneHash(topic string, key []byte) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(topic))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(key)
	// The finalizer of splitmix64: FNV alone leaves short keys badly mixed in
	// the low bits, which are what a modulus by 16 keeps.
	x := h.Sum64()
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return int64((x ^ (x >> 31)) >> 1)
}

func (o *Outbox) prepare(ctx context.Context, e Event) (row, error) {
	r, err := o.rowOf(ctx, e)
	if err != nil {
		o.refusals.count(o.cfg.Contracts, e, err)
	}
	return r, err
}

func (o *Outbox) rowOf(ctx context.Context, e Event) (row, error) {
	cause := envelope.CauseFrom(ctx)
	payload, err := json.Marshal(e.Payload)
	if err != nil {
		return row{}, fmt.Errorf("outbox: append %s: encode its payload: %w", e.Type, err)
	}
	version := cmp.Or(e.Version, 1)
	route, err := o.cfg.Contracts.Route(e.Type, version, payload)
	if err != nil {
		return row{}, fmt.Errorf("outbox: append %s: %w", e.Type, err)
	}
	if route.Producer != "" && route.Producer != o.cfg.Producer {
		return row{}, &ProducerMismatchError{EventType: e.Type, Owner: route.Producer, Producer: o.cfg.Producer}
	}
	full := envelope.Raw{
		EventID: cmp.Or(e.ID, envelope.NewID()), EventType: e.Type, EventVersion: version,
		OccurredAt: e.OccurredAt, Producer: o.cfg.Producer, TenantID: cmp.Or(e.TenantID, cause.TenantID),
		AggregateType: route.AggregateType, AggregateID: e.AggregateID,
		CorrelationID: cause.CorrelationID, CausationID: cause.CausationID, TraceID: cause.TraceID(),
		SchemaRef: route.SchemaRef, Payload: payload, Metadata: merge(cause.Metadata, e.Metadata),
	}
	if full.OccurredAt.IsZero() {
		full.OccurredAt = o.cfg.Now()
	}
	return o.encode(e, full, route, cause.Traceparent)
}

func (o *Outbox) encode(e Event, full envelope.Raw, route contract.Route, traceparent string) (row, error) {
	fail := func(err error) (row, error) { return row{}, fmt.Errorf("outbox: append %s: %w", e.Type, err) }
	if err := full.Check(); err != nil {
		return fail(err)
	}
	if size := len(route.Key); size > envelope.MaxKeyBytes {
		return fail(&envelope.LimitError{What: "key", Size: size, Limit: envelope.MaxKeyBytes})
	}
	template, err := envelope.EncodeTemplate(full)
	if err != nil {
		return fail(err)
	}
	// The version is not known yet; its longest text decides the size.
	sample := template.Value(1)
	if size := len(sample) + 18; size > envelope.MaxValueBytes {
		return fail(&envelope.LimitError{What: "event", Size: size, Limit: envelope.MaxValueBytes})
	}
	if err := envelope.CheckDepth(sample); err != nil {
		return fail(err)
	}
	if err := o.cfg.Contracts.Validate(full.EventType, full.EventVersion, sample); err != nil {
		return fail(err)
	}
	headers := envelope.Headers(full, traceparent)
	if route.CloudEvents {
		headers = append(headers, envelope.CloudEventHeaders(full, route.Key, traceparent)...)
	}
	if err := envelope.CheckHeaders(headers); err != nil {
		return fail(err)
	}
	return row{
		hash: laneHash(route.Topic, []byte(route.Key)), eventID: full.EventID, eventType: full.EventType, tenantID: full.TenantID,
		aggregateType: full.AggregateType, aggregateID: full.AggregateID, topic: route.Topic, key: []byte(route.Key),
		headers: envelope.EncodeHeaders(headers), prefix: template.Prefix, suffix: template.Suffix,
		expected: e.ExpectedVersion, snapshot: e.Snapshot,
	}, nil
}

func merge(base, extra map[string]string) map[string]string {
	if len(extra) == 0 {
		return base
	}
	all := make(map[string]string, len(base)+len(extra))
	maps.Copy(all, base)
	maps.Copy(all, extra)
	return all
}

func prepareRecord(r Record) (row, error) {
	fail := func(err error) (row, error) { return row{}, fmt.Errorf("outbox: forward to %s: %w", r.Topic, err) }
	if err := envelope.CheckID("topic", r.Topic); err != nil {
		return row{}, fmt.Errorf("outbox: forward: %w", err)
	}
	if len(r.Value) > maxForwardBytes {
		return fail(&envelope.LimitError{What: "value", Size: len(r.Value), Limit: maxForwardBytes})
	}
	return row{
		hash: laneHash(r.Topic, r.Key), eventID: r.EventID, eventType: r.EventType, tenantID: r.TenantID,
		topic: r.Topic, key: r.Key, headers: envelope.EncodeHeaders(r.Headers), prefix: r.Value,
	}, nil
}
