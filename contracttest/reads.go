package contracttest

import (
	"context"
	"encoding/json"
	"fmt"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
)

// undeclaredReads gives each handler the smallest event with nothing but what the
// group declares to read, in a transaction that is rolled back. A handler that
// fails reads more than its contract says: a writer may take that away. An event
// that the service owns itself may be read whole.
func (r *consumerRun) undeclaredReads(ctx context.Context, trials []trial) error {
	for _, t := range trials {
		if t.point != missingOptional || t.event.OwnerService == r.Config.Service {
			continue
		}
		m, err := r.declaredOnly(t)
		if err != nil {
			return fmt.Errorf("contracttest: cut %s to what is read: %w", t.event.Type, err)
		}
		err = r.handled(ctx, r.subscription(t.event.Topic), m)
		if err != nil && !consumer.IsRejected(err) {
			r.fail(t.event, "the declared reads alone", "they do not suffice; declare what else is read: %v", err)
		}
	}
	return nil
}

func (r *consumerRun) declaredOnly(t trial) (consumer.Message, error) {
	var payload any
	if err := json.Unmarshal(t.raw.Payload, &payload); err != nil {
		return consumer.Message{}, err
	}
	text, err := json.Marshal(only(payload, readsOf(t.event, r.Config.Group)))
	m := consumer.Message{Raw: t.raw, Topic: t.event.Topic, Key: []byte(t.raw.AggregateID), Headers: envelope.Headers(t.raw, ""), RecordTime: t.raw.OccurredAt}
	m.Payload = text
	return m, err
}

func readsOf(e *contract.Event, group string) (reads []string) {
	for _, reader := range e.Consumers {
		if reader.Group != group {
			continue
		}
		for _, read := range reader.Reads {
			if read == "*" {
				read = ""
			}
			reads = append(reads, read)
		}
	}
	return reads
}

func (r *consumerRun) subscription(topic string) consumer.Subscription {
	for _, s := range r.Config.Subscriptions {
		if s.Topic == topic {
			return s
		}
	}
	return consumer.Subscription{}
}

// handled calls the handler of a message and takes back what it did.
func (r *consumerRun) handled(ctx context.Context, s consumer.Subscription, m consumer.Message) error {
	tx, err := r.Config.Pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // the outcome is not kept either way
	if _, err := tx.Exec(ctx, `SELECT set_config('factline.tenant', $1, true)`, m.TenantID); err != nil {
		return err
	}
	ctx = envelope.WithCause(ctx, m.Cause())
	if handler, ok := s.Handlers[m.EventType]; ok {
		return handler(ctx, tx, m)
	}
	return s.Bulk(ctx, tx, []consumer.Message{m})
}
