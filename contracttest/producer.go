package contracttest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/contract"
	"factline.dev/envelope"
)

// Producer is a service under test whose work left events in its outbox. Every
// field without a default is required.
type Producer struct {
	// Catalogue holds the contracts.
	Catalogue *contract.Catalogue
	// Service is the service's name in it.
	Service string
	// Pool reaches the service's database. No relay may have run on it.
	Pool *pgxpool.Pool
	// Brokers are host:port addresses. The topics of the events must exist and be
	// empty.
	Brokers []string
	// Later are own events that wait for a feature, type to feature. Default none.
	// One that is produced must leave.
	Later map[string]string
	// Timeout is how long the publication may take. Default a minute.
	Timeout time.Duration
}

// Check checks every event in the outbox, then publishes them, with a crash in
// between, and returns what does not hold. Bring the service through its work first.
// The error is of the test itself.
func (p Producer) Check(ctx context.Context) (broken []string, err error) {
	if p.Timeout == 0 {
		p.Timeout = time.Minute
	}
	rows, err := p.Pool.Query(ctx, `SELECT event_id, event_type, topic, record_key, headers, value FROM factline.outbox_event WHERE stamped ORDER BY lane, position`)
	if err != nil {
		return nil, fmt.Errorf("contracttest: read the outbox: %w", err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[storedEvent])
	if err != nil {
		return nil, fmt.Errorf("contracttest: read the outbox: %w", err)
	}
	w := waiting{named: map[string]bool{}, later: p.Later, what: "produced"}
	for _, e := range p.Catalogue.Events() {
		if e.OwnerService == p.Service {
			w.named[e.Type] = true
		}
	}
	for _, e := range stored {
		w.done = append(w.done, e.Type)
		for _, problem := range e.check(p.Catalogue, p.Service) {
			broken = append(broken, e.Type+" "+e.ID+": "+problem)
		}
	}
	broken = append(broken, w.problems()...)
	if len(stored) == 0 {
		return broken, nil
	}
	unstable, err := p.republish(ctx, stored)
	return append(broken, unstable...), err
}

type storedEvent struct {
	ID, Type, Topic     string
	Key, Headers, Value []byte
}

func (s storedEvent) check(c *contract.Catalogue, service string) (broken []string) {
	fail := func(what string, args ...any) { broken = append(broken, fmt.Sprintf(what, args...)) }
	raw, err := envelope.DecodeRaw(s.Value)
	if err != nil {
		return []string{err.Error()}
	}
	if err := c.Validate(raw.EventType, raw.EventVersion, s.Value); err != nil {
		fail("%v", err)
	}
	route, err := c.Route(raw.EventType, raw.EventVersion, raw.Payload)
	if err != nil {
		return append(broken, err.Error())
	}
	if raw.EventType != s.Type || raw.Producer != service || route.Producer != service || raw.SchemaRef != route.SchemaRef || raw.AggregateType != route.AggregateType {
		fail("type, producer, aggregate type or schema reference are not the contract's")
	}
	if s.Topic != route.Topic || string(s.Key) != route.Key {
		fail("topic or key are not the contract's")
	}
	if raw.EventID != s.ID {
		fail("the id of the row is not the id of the value")
	}
	headers, err := envelope.DecodeHeaders(s.Headers)
	if err != nil {
		return append(broken, err.Error())
	}
	for _, want := range envelope.Headers(raw, "") {
		if got, ok := envelope.HeaderValue(headers, want.Key); !ok || string(got) != string(want.Value) {
			fail("the header %s is missing or says something else than the value", want.Key)
		}
	}
	for _, name := range []string{envelope.HeaderEventID, envelope.HeaderEventType, envelope.HeaderEventVersion, envelope.HeaderCorrelationID, envelope.HeaderTenantID, envelope.HeaderSchemaRef, envelope.HeaderProducer} {
		if _, ok := envelope.HeaderValue(headers, name); !ok {
			fail("the header %s is missing", name)
		}
	}
	e, _ := c.Event(raw.EventType, raw.EventVersion)
	return append(broken, insufficient(e, raw.Payload)...)
}

// insufficient names the readers that an absent required field makes ask back; that
// it is absent is told without them.
func insufficient(e *contract.Event, payload []byte) (broken []string) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil {
		return []string{"its payload is no object"}
	}
	for _, reader := range e.Consumers {
		for _, read := range reader.Reads {
			top, _, _ := strings.Cut(strings.ReplaceAll(read, "[]", ""), ".")
			f, ok := e.Field(top)
			if _, there := fields[top]; ok && f.Required && !there {
				broken = append(broken, fmt.Sprintf("%s reads %s, which is absent", reader.Group, top))
			}
		}
	}
	return broken
}
