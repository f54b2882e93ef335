package consumer

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/inbox"
)

// item is a record on its way through a chunk, read and judged once.
type item struct {
	msg   Message
	event inbox.Event
	value []byte
	// verdict is why the event may not be applied, nil where it may.
	fault *fault
	// held is set for an event that was read from the database, with how far its
	// retries are.
	held  bool
	retry inbox.Retry
	// pause is set where it failed and is tried again later.
	pause *pause
	// received is when the record was fetched, zero for a held event.
	received time.Time
}

// attemptID is what the attempts of an event are counted by. A tombstone has no
// id, so it goes by where it stands, for as long as it is not settled.
func (it *item) attemptID() string {
	if !it.event.Tombstone {
		return it.event.EventID
	}
	return fmt.Sprintf("tombstone:%s/%d/%d", it.msg.Topic, it.msg.Partition, it.msg.Offset)
}

// fault is why an event is given up.
type fault struct {
	class    Class
	message  string
	attempts int
}

// topicPlan is a subscription in the form that chunks need.
type topicPlan struct {
	Subscription
	bulk map[string]bool
	// goesOn is set where later events of a key do not wait for a dead letter.
	goesOn bool
	// tiers are the pauses of the retry chain, shortest first.
	tiers []tier
	// redrivesFrom is the topic that redrives come by, empty where there is none.
	redrivesFrom string
	// redrives is set for a retry topic, which is read for its redrives alone.
	redrives bool
}

func planTopic(s Subscription, contracts Contracts) *topicPlan {
	p := &topicPlan{Subscription: s, bulk: make(map[string]bool, len(s.BulkTypes))}
	for _, t := range s.BulkTypes {
		p.bulk[t] = true
	}
	if contracts != nil {
		if t, ok := contracts.Topic(s.Topic); ok {
			p.DeadLetterTopic = cmp.Or(p.DeadLetterTopic, t.DeadLetterTopic())
			p.goesOn = t.OnDeadLetter == "continue"
		}
	}
	p.tiers = tiersOf(s, contracts)
	p.redrivesFrom = redriveTopic(s, contracts, p.tiers)
	p.DeadLetterTopic = cmp.Or(p.DeadLetterTopic, deadLetterTopic(s.Topic))
	return p
}

func (p *topicPlan) handles(eventType string) bool {
	return p.bulk[eventType] || p.Handlers[eventType] != nil
}

func (r *Runner) readRecord(p *topicPlan, record *kgo.Record) item {
	it := r.read(p, Message{
		Topic: record.Topic, Partition: record.Partition, Offset: record.Offset,
		Key: record.Key, Headers: headersOf(record), RecordTime: clampTime(record.Timestamp),
	}, record.Value)
	r.awaitUpgrade(p, &it)
	return it
}

func (r *Runner) readHeld(p *topicPlan, h inbox.HeldRecord) (item, error) {
	headers, err := envelope.DecodeHeaders(h.Headers)
	if err != nil {
		return item{}, err
	}
	it := r.read(p, Message{
		Topic: p.Topic, Partition: h.Partition, Offset: h.Offset, Key: h.Key, Headers: headers, RecordTime: h.RecordTime.UTC(),
	}, h.Value)
	it.held, it.retry = true, h.Retry
	it.event.Redriven, it.event.GateEventID = h.Retry.DeadLetterID != "", h.Retry.GateEventID
	r.awaitUpgrade(p, &it)
	return it, nil
}

// read decodes a record once and finds everything that can be wrong with it
// without a database.
func (r *Runner) read(p *topicPlan, m Message, value []byte) item {
	it := item{msg: m, value: value}
	if value == nil && p.Mode == Latest {
		it.event.Tombstone, it.event.Handled = true, p.Handlers[""] != nil
		return it
	}
	raw, err := envelope.DecodeRaw(value)
	if err == nil && len(m.Key) > envelope.MaxKeyBytes {
		err = &envelope.LimitError{What: "key", Size: len(m.Key), Limit: envelope.MaxKeyBytes}
	}
	if err != nil {
		it.fault = &fault{class: SchemaValidationFailed, message: err.Error(), attempts: 1}
		it.event.Fault = inbox.Unreadable
		return it
	}
	it.msg.Raw = raw
	it.event = inbox.Event{
		Aggregate: inbox.Aggregate{TenantID: raw.TenantID, Type: raw.AggregateType, ID: raw.AggregateID},
		Partition: m.Partition, Version: raw.AggregateVersion, EventID: raw.EventID, BlockKey: blockKey(m.Key, raw.AggregateID),
		Handled: p.handles(raw.EventType),
	}
	if it.fault = r.check(p, &it); it.fault != nil {
		it.event.Fault = inbox.Broken
	}
	return it
}

// check is what an event must pass before its handler sees it: known version,
// allowed tenant, kept contract, a version where order rests on it. Of a type
// without handler nothing is asked.
func (r *Runner) check(p *topicPlan, it *item) *fault {
	e := &it.msg.Raw
	if p.Mode == Ordered && e.AggregateVersion < 1 {
		return &fault{SchemaValidationFailed, "aggregateVersion is missing, which an ordered consumer needs", 1}
	}
	if !it.event.Handled {
		return nil
	}
	var violation error
	if r.cfg.Contracts != nil {
		violation = r.cfg.Contracts.Validate(e.EventType, e.EventVersion, it.value)
	}
	var unknown *contract.UnknownEventError
	switch {
	case errors.As(violation, &unknown):
		return &fault{UnknownEventVersion, violation.Error(), 1}
	case !r.cfg.Tenants(e.TenantID):
		return &fault{TenantViolation, fmt.Sprintf("%s may not process events of this tenant", r.cfg.Service), 1}
	case violation != nil:
		return &fault{SchemaValidationFailed, violation.Error(), 1}
	}
	return nil
}

// blockKey is what later events wait by. Records without a key are spread over
// the partitions, so only their aggregate can hold them together.
func blockKey(key []byte, aggregateID string) string {
	if len(key) == 0 {
		return aggregateID
	}
	return string(key)
}

// clampTime keeps a timestamp that any producer may have invented within what
// the database can store.
func clampTime(t time.Time) time.Time {
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	switch {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t.UTC()
}
