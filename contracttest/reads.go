package contracttest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
)

const declaredAlone = "the declared reads alone"

// undeclaredReads gives each handler the smallest event with nothing but what the
// group declares to read. A handler that fails reads more than its contract says: a
// writer may take that away. So does one whose effects are others than those of the
// whole event. An event that the service owns itself may be read whole.
func (r *consumerRun) undeclaredReads(ctx context.Context, trials []trial) error {
	for _, t := range trials {
		if t.point != missingOptional {
			continue
		}
		m, err := r.declaredOnly(t)
		if err != nil {
			return fmt.Errorf("contracttest: cut %s to what is read: %w", t.event.Type, err)
		}
		err = r.handled(ctx, t, m)
		if err != nil && !consumer.IsRejected(err) {
			r.fail(t.event, declaredAlone, "they do not suffice; declare what else is read: %v", err)
		}
	}
	return r.otherEffects(ctx, trials)
}

func message(t trial) consumer.Message {
	return consumer.Message{Raw: t.raw, Topic: t.event.Topic, Key: []byte(t.raw.AggregateID), Headers: envelope.Headers(t.raw, ""), RecordTime: t.raw.OccurredAt}
}

func (r *consumerRun) declaredOnly(t trial) (consumer.Message, error) {
	m := message(t)
	if t.event.OwnerService == r.Config.Service {
		return m, nil
	}
	var payload any
	d := json.NewDecoder(bytes.NewReader(t.raw.Payload))
	d.UseNumber()
	err := d.Decode(&payload)
	if err == nil {
		m.Payload, err = json.Marshal(only(payload, readsOf(t.event, r.Config.Group)))
	}
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
func (r *consumerRun) handled(ctx context.Context, t trial, m consumer.Message) error {
	tx, err := r.Config.Pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // the outcome is not kept either way
	return r.handle(ctx, tx, t, m)
}

// handle calls the handler of a message where nothing but the database can be
// reached.
func (r *consumerRun) handle(ctx context.Context, tx pgx.Tx, t trial, m consumer.Message) error {
	if _, err := tx.Exec(ctx, `SELECT set_config('factline.tenant', $1, true)`, m.TenantID); err != nil {
		return err
	}
	ctx, seal := sealed(envelope.WithCause(ctx, m.Cause()), r.Config.Pool.Config().ConnConfig)
	defer seal.close()
	s := r.subscription(m.Topic)
	handler, ok := s.Handlers[m.EventType]
	if !ok {
		handler = func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			return s.Bulk(ctx, tx, []consumer.Message{m})
		}
	}
	err := handler(ctx, tx, m)
	if called := seal.broken(); called != "" {
		r.fail(t.event, "no reach but the database", "its handler called %s; give the call to package effect, which makes it after the commit", called)
		return nil
	}
	return err
}
