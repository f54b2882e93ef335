package contracttest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/contract"
	"factline.dev/envelope"
)

// Produced checks every event in the outbox of a service and returns what does not
// hold, and the types that it saw. Bring the service through its work first. The
// error is of the test itself.
func Produced(ctx context.Context, pool *pgxpool.Pool, c *contract.Catalogue, service string) (broken, types []string, err error) {
	rows, err := pool.Query(ctx, `SELECT event_id, event_type, topic, record_key, headers, value FROM factline.outbox_event WHERE stamped ORDER BY lane, position`)
	if err != nil {
		return nil, nil, fmt.Errorf("contracttest: read the outbox: %w", err)
	}
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[storedEvent])
	if err != nil {
		return nil, nil, fmt.Errorf("contracttest: read the outbox: %w", err)
	}
	for _, e := range stored {
		types = append(types, e.Type)
		for _, problem := range e.check(c, service) {
			broken = append(broken, e.Type+" "+e.ID+": "+problem)
		}
	}
	slices.Sort(types)
	return broken, slices.Compact(types), nil
}

// Unproduced compares the types that a service was seen to produce with those that
// it owns. later are events that wait for a feature: event type to what it waits
// for. One that is produced all the same must leave the list.
func Unproduced(c *contract.Catalogue, service string, types []string, later map[string]string) (broken []string) {
	owned := map[string]bool{}
	for _, e := range c.Events() {
		if e.OwnerService != service {
			continue
		}
		owned[e.Type] = true
		feature, waits := later[e.Type]
		switch produced := slices.Contains(types, e.Type); {
		case produced && waits:
			broken = append(broken, fmt.Sprintf("%s: is produced although it waits for %s; take it from the list", e.Type, feature))
		case !produced && !waits:
			broken = append(broken, e.Type+": was not produced; bring the service through the work that makes it, or list what it waits for")
		}
	}
	for _, eventType := range slices.Sorted(maps.Keys(later)) {
		if !owned[eventType] {
			broken = append(broken, fmt.Sprintf("%s: waits for %s and is no event of %s", eventType, later[eventType], service))
		}
	}
	return broken
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

// insufficient names readers that would have to ask back: a field that they declare
// is absent although the contract requires it or the writer knows every optional
// field beside it.
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
