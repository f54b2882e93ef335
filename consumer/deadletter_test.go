package consumer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"factline.dev/consumer"
	"factline.dev/deadletter"
	"factline.dev/envelope"
)

func TestADeadLetterRecordIsComplete(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	now := time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC)
	sent := b.recordOf(bad(order("a", 1)))
	sent.Headers = append(sent.Headers, kgo.RecordHeader{Key: "producer", Value: []byte{0xff}})
	b.sendRecords(sent)
	b.start(func(c *consumer.Config) { c.Now = func() time.Time { return now } })
	b.wantNext(1)
	rows := query[[]byte](b, `SELECT value FROM factline.outbox_event WHERE topic = 'oms.order.events.dlt.v1' AND record_key = 'a'`)
	if len(rows) != 1 {
		t.Fatalf("%d dead letters under the source key, want 1", len(rows))
	}
	var fields map[string]any
	if err := json.Unmarshal(rows[0], &fields); err != nil {
		t.Fatal(err)
	}
	original := fields["originalRecord"].(map[string]any)
	delete(fields, "originalRecord")
	want := map[string]any{
		"failedAt": "2026-07-02T09:00:00.000Z", "sourceTopic": orders, "sourcePartition": 0.0, "sourceOffset": 0.0,
		"consumerGroup": group, "eventId": "evt_a_1", "eventType": "OrderCaptured", "errorClass": "SCHEMA_VALIDATION_FAILED",
		"errorMessage": fields["errorMessage"], "attemptCount": 1.0,
		"deadLetterId": fields["deadLetterId"], "blocksKey": true, "tenantId": "acme", "aggregateType": "Order", "aggregateId": "a", "aggregateVersion": 1.0,
	}
	if !reflect.DeepEqual(fields, want) {
		t.Errorf("dead letter = %v\nwant %v", fields, want)
	}
	if !strings.HasPrefix(fields["deadLetterId"].(string), "dlt_") {
		t.Errorf("deadLetterId = %q, want the name by which it is settled", fields["deadLetterId"])
	}
	if !strings.Contains(fields["errorMessage"].(string), "payload.customerId is required") {
		t.Errorf("errorMessage = %q, want the place and what is wrong", fields["errorMessage"])
	}
	if original["key"] != "a" || original["value"] != string(sent.Value) || original["headers"].(map[string]any)["eventId"] != "evt_a_1" {
		t.Errorf("originalRecord = %v, want the record", original)
	}
	d := b.deadLetter()
	if !bytes.Equal(d.OriginalValue, sent.Value) || len(d.OriginalHeaders) != len(sent.Headers) {
		t.Errorf("decoded = %+v, want every byte and header of the record", d)
	}
	for i, h := range d.OriginalHeaders {
		if h.Key != sent.Headers[i].Key || !bytes.Equal(h.Value, sent.Headers[i].Value) {
			t.Errorf("header %d = %s: %q, want %s: %q", i, h.Key, h.Value, sent.Headers[i].Key, sent.Headers[i].Value)
		}
	}
}

func TestADeadLetterRoundTripsEveryByte(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		maybe := func(name string) []byte {
			if rapid.Bool().Draw(t, name+" is nil") {
				return nil
			}
			return append([]byte{}, rapid.SliceOf(rapid.Byte()).Draw(t, name)...)
		}
		d := consumer.DeadLetter{
			FailedAt: time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC), SourceTopic: orders, ErrorMessage: rapid.String().Draw(t, "message"),
			OriginalKey: maybe("key"), OriginalValue: maybe("value"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			d.OriginalHeaders = append(d.OriginalHeaders, envelope.Header{Key: rapid.StringMatching(`[a-c]`).Draw(t, "name"), Value: maybe("header")})
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var back consumer.DeadLetter
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		sortIfUnordered(&d, text)
		if !reflect.DeepEqual(back, d) {
			t.Fatalf("back = %+v\nwant %+v\nover %s", back, d, text)
		}
	})
}

// sortIfUnordered: headers that an object holds exactly keep no order.
func sortIfUnordered(d *consumer.DeadLetter, text []byte) {
	if bytes.Contains(text, []byte("headersExact")) {
		return
	}
	for i := range d.OriginalHeaders {
		for j := range i {
			if d.OriginalHeaders[i].Key < d.OriginalHeaders[j].Key {
				d.OriginalHeaders[i], d.OriginalHeaders[j] = d.OriginalHeaders[j], d.OriginalHeaders[i]
			}
		}
	}
}

func TestClassesOfWhatIsNeverHandled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*envelope.Raw)
		class  consumer.Class
	}{
		{"a payload that breaks its contract", func(e *envelope.Raw) { e.Payload = json.RawMessage(`{"bad":true}`) }, consumer.SchemaValidationFailed},
		{"a version the catalogue does not hold", func(e *envelope.Raw) { e.EventVersion = 2 }, consumer.UnknownEventVersion},
		{"a tenant the service may not process", func(e *envelope.Raw) { e.TenantID = "globex" }, consumer.TenantViolation},
		{"an event without aggregateVersion", func(e *envelope.Raw) { e.AggregateVersion = 0 }, consumer.SchemaValidationFailed},
		{"an invalid event whose predecessors are missing", func(e *envelope.Raw) {
			e.AggregateVersion, e.Payload = 7, json.RawMessage(`{"bad":true}`)
		}, consumer.SchemaValidationFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			faulty := order("a", 1)
			tt.change(&faulty)
			successor := order("a", faulty.AggregateVersion+1)
			successor.TenantID, successor.EventID = faulty.TenantID, "evt_successor"
			b.send(faulty, successor, order("b", 1), faulty)
			b.start(func(c *consumer.Config) { c.Tenants = func(tenant string) bool { return tenant == "acme" } })
			b.wantEffects("b/1")
			b.wantNext(4)
			if d := b.deadLetter(); d.ErrorClass != tt.class || d.EventID != faulty.EventID {
				t.Errorf("dead letter = %s of %s, want %s of %s", d.ErrorClass, d.EventID, tt.class, faulty.EventID)
			}
			if got := b.held(); len(got) != 1 || !strings.HasSuffix(got[0], "BLOCKED") {
				t.Errorf("held = %v, want the successor alone, BLOCKED", got)
			}
		})
	}
}

func TestAPayloadThatDoesNotDecodeIsAContractViolation(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(order("a", 1))
	b.start(handlers(consumer.Handle(func(context.Context, pgx.Tx, envelope.Event[struct {
		OrderID int `json:"orderId"`
	}],
	) error {
		return nil
	})))
	if d := b.deadLetter(); d.ErrorClass != consumer.SchemaValidationFailed || d.AttemptCount != 1 {
		t.Errorf("dead letter = %s after %d, want SCHEMA_VALIDATION_FAILED after 1", d.ErrorClass, d.AttemptCount)
	}
}

func TestSkippingReleasesWhatWaitedInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.send(order("a", 1), bad(order("a", 2)), order("a", 3), order("a", 4), bad(order("a", 5)), order("a", 6))
	b.wantHeld("a/3 BLOCKED", "a/4 BLOCKED", "a/5 BLOCKED", "a/6 BLOCKED")
	b.skipOpen(4)
	b.wantEffects("a/1", "a/3", "a/4")
	b.wantHeld("a/6 BLOCKED")
	b.skipOpen(1)
	b.wantEffects("a/1", "a/3", "a/4", "a/6")
	b.wantHeld()
	b.send(order("a", 7))
	b.wantEffects("a/1", "a/3", "a/4", "a/6", "a/7")
	if n := one[int64](b, `SELECT count(*) FROM factline.operator_action WHERE reason = 'known bad' AND operator = 'kim'`); n != 2 {
		t.Errorf("%d audited acts, want 2", n)
	}
}

// skipOpen skips the one open dead letter, behind which so many events wait.
func (b *bundle) skipOpen(held int64) {
	b.t.Helper()
	var entries []deadletter.Entry
	b.await("one open dead letter", func() (bool, any) {
		var err error
		entries, err = deadletter.List(b.t.Context(), b.pool, deadletter.Filter{Consumer: group, State: deadletter.Open})
		return err == nil && len(entries) == 1, entries
	})
	result, err := deadletter.Skip(b.t.Context(), b.pool, deadletter.SkipRequest{ID: entries[0].ID, Reason: "known bad", Operator: "kim"})
	if err != nil {
		b.t.Fatal(err)
	}
	if !result.Unblocked || result.HeldEvents != held {
		b.t.Errorf("skip = %+v, want the key free and %d events held", result, held)
	}
}

func TestAConflictIsSettledByASkip(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	rival := order("a", 1)
	rival.EventID = "evt_rival"
	b.send(order("a", 1), rival, order("a", 2), rival)
	b.wantHeld("a/1 CONFLICT", "a/2 BLOCKED")
	b.skipOpen(1)
	b.wantEffects("a/1", "a/2")
	b.send(rival) // settled: neither an effect nor a second block
	b.wantNext(5)
	b.wantHeld()
}

// A letter that the outbox does not take used to be retried for ever.
func TestADeadLetterTooLargeToForwardGoesWithoutItsValue(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	large := b.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(16<<20), kgo.ProducerBatchCompression(kgo.SnappyCompression()))
	value := bytes.Repeat([]byte{0xff}, 7<<20)
	if err := large.ProduceSync(t.Context(), &kgo.Record{Topic: orders, Key: []byte("k"), Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	b.send(order("a", 1))
	b.start(nil)
	b.wantNext(2)
	b.wantEffects("a/1")
	d := b.deadLetter()
	if d.OriginalValue != nil || !reflect.DeepEqual(d.Omitted, []string{"value"}) || string(d.OriginalKey) != "k" {
		t.Errorf("the letter has %d bytes of value, key %q, omitted %v", len(d.OriginalValue), d.OriginalKey, d.Omitted)
	}
	if n := one[int](b, `SELECT octet_length(value) FROM factline.dead_letter`); n != len(value) {
		t.Errorf("the table keeps %d bytes, want %d", n, len(value))
	}
}

func TestALargeValueIsWrittenTheShorterWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		value []byte
		most  int
		exact string
	}{
		{"a small text stays readable", []byte(`"""`), 1 << 10, `"value":"\"\"\""`},
		{"a large text stays readable where that is shorter", bytes.Repeat([]byte("x"), 2<<20), 2<<20 + 1<<10, `"value":"xxx`},
		{"control characters go in base64", bytes.Repeat([]byte{1}, 900<<10), 1300 << 10, `"valueEncoding":"base64"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(consumer.DeadLetter{OriginalValue: c.value})
			if err != nil || len(text) > c.most || !bytes.Contains(text, []byte(c.exact)) {
				t.Errorf("%d bytes, %v; want at most %d with %s", len(text), err, c.most, c.exact)
			}
			var back consumer.DeadLetter
			if err := json.Unmarshal(text, &back); err != nil || !bytes.Equal(back.OriginalValue, c.value) {
				t.Errorf("back are %d bytes, %v; want %d", len(back.OriginalValue), err, len(c.value))
			}
		})
	}
}
