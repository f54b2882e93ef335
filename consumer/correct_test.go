package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/deadletter"
	"factline.dev/envelope"
)

// owned is rules of events that the order team owns and the read model's reads.
type owned struct{ rules }

func (owned) Topic(name string) (*contract.Topic, bool) {
	return &contract.Topic{Name: name, OnDeadLetter: "block", Owner: "order-service", DeadLetter: contract.DeadLetterPolicy{Owner: "platform-operations"}}, name == orders
}

func (owned) Event(string, int) (*contract.Event, bool) { return nil, false }

func (owned) Events() []*contract.Event {
	return []*contract.Event{{Type: "OrderCaptured", OwnerService: "order-service", ReplaySafe: true}}
}

func (owned) Service(name string) (*contract.Service, bool) {
	team, ok := map[string]string{"order-service": "Orders", service: "Reading", "platform-operations": "Platform", "other-service": "Others"}[name]
	return &contract.Service{Name: name, Team: team}, ok
}

func (owned) Group(string) (*contract.Group, bool) { return nil, false }

// event is a JSON of e as an operator edits it.
func (b *bundle) event(e envelope.Raw, payload string) []byte {
	b.t.Helper()
	e.Payload = json.RawMessage(payload)
	text, err := envelope.Encode(e)
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *bundle) correct(id string, event []byte, change func(*deadletter.CorrectRequest)) (deadletter.Correction, error) {
	b.t.Helper()
	r := deadletter.CorrectRequest{ID: id, Event: event, Contracts: owned{}, Reason: "the customer was lost", Operator: "kim", Team: "Reading"}
	if change != nil {
		change(&r)
	}
	return deadletter.Correct(b.t.Context(), b.pool, r)
}

const good = `{"orderId":"a","customerId":"c"}`

func TestACorrectedEventTakesTheOriginalsPlaceInItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var headers []envelope.Header
	h := func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.AggregateVersion == 2 {
			headers = m.Headers
		}
		return record(ctx, tx, m)
	}
	b.send(order("a", 1), bad(order("a", 2)), order("a", 3), order("b", 1))
	stop := b.start(chained(newClock(), h))
	b.wantEffects("a/1", "b/1")
	id := b.letter()
	c, err := b.correct(id, b.event(order("a", 2), good), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.wantEffects("a/1", "b/1", "a/2", "a/3")
	b.wantHeld()
	b.wantLetter("CORRECTED", 1)
	if got := one[string](b, `SELECT event_id FROM app.effect WHERE version = 2`); got != c.EventID || c.EventID == "evt_a_2" || c.ReplacedID != "evt_a_2" {
		t.Errorf("the effect is of %s, correction %+v; want a new event in the place of evt_a_2", got, c)
	}
	for name, want := range map[string]string{deadletter.HeaderCorrectsEventID: "evt_a_2", envelope.HeaderCausationID: "evt_a_2", envelope.HeaderEventID: c.EventID, "corrects-dead-letter-id": id} {
		if got, _ := envelope.HeaderValue(headers, name); string(got) != want {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
	again, err := b.correct(id, b.event(order("a", 2), good), nil)
	if err != nil || again != c {
		t.Errorf("the second time = %+v, %v, want the same correction", again, err)
	}
	e, err := deadletter.Get(t.Context(), b.pool, id)
	if err != nil || len(e.Corrections) != 1 || e.Corrections[0] != c || e.State != deadletter.Corrected {
		t.Errorf("Get = %+v, %v, want it corrected by that event", e, err)
	}
	var kept envelope.Raw
	if kept, err = envelope.DecodeRaw(one[[]byte](b, `SELECT replaced_value FROM factline.correction`)); err != nil || kept.EventID != "evt_a_2" {
		t.Errorf("kept %s, %v, want the original", kept.EventID, err)
	}
	if audited := one[string](b, `SELECT action || ' ' || operator || ' ' || target || ' ' || (detail->>'eventId') FROM factline.operator_action`); audited != "deadletter.correct kim "+id+" "+c.EventID {
		t.Errorf("audited %q", audited)
	}
	// The original is no conflict when the log is read again.
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.rewindGroup(0)
	b.start(chained(newClock(), h))
	b.send(order("a", 4))
	b.wantEffects("a/1", "b/1", "a/2", "a/3", "a/4")
	b.wantLetter("CORRECTED", 1)
}

func TestACorrectionThatFailsLeavesTheLetterOpenWithTheCorrectedEvent(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	h, healed := healingAll(2)
	b.send(order("a", 1), bad(order("a", 2)), order("a", 3))
	b.start(chained(newClock(), h))
	id := b.letter()
	first, err := b.correct(id, b.event(order("a", 2), good), nil)
	if err != nil {
		t.Fatal(err)
	}
	b.wantLetter("OPEN", 2)
	b.wantHeld("a/3 BLOCKED")
	second, err := b.correct(id, b.event(order("a", 2), `{"orderId":"a","customerId":"d"}`), nil)
	if err != nil || second.ReplacedID != first.EventID {
		t.Fatalf("the second correction = %+v, %v, want it in the place of the first", second, err)
	}
	b.wantLetter("OPEN", 3)
	if cause, err := envelope.DecodeRaw(one[[]byte](b, `SELECT value FROM factline.dead_letter`)); err != nil || cause.CausationID != "evt_a_2" || cause.EventID != second.EventID {
		t.Errorf("the letter holds %s caused by %s, %v; want the second, caused by the original", cause.EventID, cause.CausationID, err)
	}
	healed.Store(true)
	b.redrive("r_1", id, group)
	b.wantEffects("a/1", "a/2", "a/3")
	b.wantLetter("CORRECTED", 3)
}

func TestACorrectionInAnotherModeBlocksNothing(t *testing.T) {
	t.Parallel()
	for _, m := range []consumer.Mode{consumer.Unordered, consumer.Latest} {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			b.send(bad(order("a", 2)))
			b.start(with(chained(newClock(), record), mode(m)))
			if _, err := b.correct(b.letter(), b.event(order("a", 2), good), nil); err != nil {
				t.Fatal(err)
			}
			b.wantEffects("a/2")
			b.wantLetter("CORRECTED", 1)
		})
	}
}

func TestACorrectionIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(bad(order("a", 1)))
	b.start(chained(newClock(), record))
	id := b.letter()
	before := b.snapshot()
	for _, tt := range []struct {
		name   string
		event  []byte
		change func(*deadletter.CorrectRequest)
		want   string
	}{
		{"another aggregate and version", b.event(order("b", 2), good), nil, "aggregateId, aggregateVersion differ"},
		{"another tenant", b.event(func() envelope.Raw { e := order("a", 1); e.TenantID = "other"; return e }(), good), nil, "tenantId differ"},
		{"another type", b.event(func() envelope.Raw { e := order("a", 1); e.EventType = "OrderChanged"; return e }(), good), nil, "eventType differ"},
		{"no event", []byte(`{"payload":{}}`), nil, "the given event cannot be read"},
		{"the same payload", b.event(bad(order("a", 1)), `{"bad": true}`), nil, "redrive it instead"},
		{"a payload that breaks the contract", b.event(order("a", 1), `{"bad":false}`), nil, "payload.customerId"},
		{"a team that has no part in it", b.event(order("a", 1), good), func(r *deadletter.CorrectRequest) { r.Team = "Others" }, "Others may not bring OrderCaptured back to " + group + "; Orders, Platform, Reading may"},
		{"nobody", b.event(order("a", 1), good), func(r *deadletter.CorrectRequest) { r.Operator, r.Team = "", " " }, "CorrectRequest.Team"},
	} {
		if _, err := b.correct(id, tt.event, tt.change); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if after := b.snapshot(); after != before {
		t.Errorf("refusals changed\n%s\nto\n%s", before, after)
	}
	if _, err := b.correct("dlt_none", b.event(order("a", 1), good), nil); !errors.Is(err, deadletter.ErrNotFound) {
		t.Errorf("an unknown letter = %v, want ErrNotFound", err)
	}
	b.execute(`UPDATE factline.dead_letter SET state = 'SKIPPED'`)
	if _, err := b.correct(id, b.event(order("a", 1), good), nil); !errors.Is(err, deadletter.ErrSettled) {
		t.Errorf("a settled letter = %v, want ErrSettled", err)
	}
	b.execute(`UPDATE factline.dead_letter SET state = 'REDRIVEN'`)
	if _, err := b.correct(id, b.event(order("a", 1), good), nil); !errors.Is(err, deadletter.ErrRedriven) {
		t.Errorf("a letter that is tried again = %v, want ErrRedriven", err)
	}
}

// A letter that waits behind an earlier one of its key is corrected for the moment
// when its turn comes.
func TestACorrectionWaitsForTheEarlierLettersOfItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(order("a", 1), bad(order("a", 2)))
	b.start(chained(newClock(), record))
	b.letter()
	b.send(bad(order("a", 3)), order("a", 4))
	b.wantHeld("a/3 BLOCKED", "a/4 BLOCKED")
	if _, err := b.correct(b.letter(), b.event(order("a", 2), good), nil); err != nil {
		t.Fatal(err)
	}
	b.wantEffects("a/1", "a/2")
	b.wantHeld("a/4 BLOCKED")
	if _, err := b.correct(b.letter(), b.event(order("a", 3), good), nil); err != nil {
		t.Fatal(err)
	}
	b.wantEffects("a/1", "a/2", "a/3", "a/4")
	if states := query[string](b, `SELECT DISTINCT state FROM factline.dead_letter`); !slices.Equal(states, []string{"CORRECTED"}) {
		t.Errorf("states = %v", states)
	}
}
