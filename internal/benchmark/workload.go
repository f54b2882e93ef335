package benchmark

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/outbox"
)

const (
	// eventBytes is the whole value on the log, publishedAt included.
	eventBytes = 1024
	aggregates = 10_000
	partitions = 12

	producer   = "order-service"
	eventType  = "OrderCaptured"
	schemaRef  = "schema://oms.order.events/OrderCaptured/1"
	tenant     = "tenant_001"
	seed       = 20260702
	traceparts = "00-%s-00f067aa0ba902b7-01"
)

// workload is a number of events, the same for every subject that asks for as
// many: valid OrderCaptured events of 1 KB, spread evenly over the aggregates in
// random order.
type workload struct {
	orders []int32
	ids    []string
	start  time.Time
}

func newWorkload(events int) *workload {
	w := &workload{orders: make([]int32, events), ids: make([]string, events), start: time.Now().Truncate(time.Millisecond)}
	random := rand.New(rand.NewPCG(seed, uint64(events)))
	for i := range w.orders {
		w.orders[i] = int32(random.IntN(aggregates))
		w.ids[i] = envelope.NewID()
	}
	return w
}

// since gives the workload other orders than those before first.
func (w *workload) since(first int32) *workload {
	for i := range w.orders {
		w.orders[i] += first
	}
	return w
}

func (w *workload) len() int { return len(w.ids) }

func orderID(order int32) string { return fmt.Sprintf("ord_%06d", order) }

func (w *workload) orderID(i int) string { return orderID(w.orders[i]) }

// random gives the same event the same noise in every subject.
func (w *workload) random(i int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(i))) }

func hexDigits(random *rand.Rand, n int) string {
	const digits = "0123456789abcdef"
	out := make([]byte, n)
	for i := range out {
		out[i] = digits[random.IntN(16)]
	}
	return string(out)
}

// evidenceDigits brings an event to eventBytes.
const evidenceDigits = 52

func (w *workload) payload(i int) json.RawMessage {
	random := w.random(i)
	return fmt.Appendf(make([]byte, 0, 700), `{"orderId":"%s","quoteId":"q_%06d","customerId":"cust_%06d","capturedAt":"%s","currency":"EUR",`+
		`"totals":{"oneTimeTotal":"%d.00","recurringTotal":"%d.90"},"lineSummaries":[`+
		`{"orderLineId":"ol_1","quoteLineId":"ql_1","offerId":"off_int500","action":"ADD"}],`+
		`"commercialSnapshotHash":"sha256:%s","acceptedEvidenceRef":"evidence:%s"}`,
		w.orderID(i), random.IntN(1_000_000), random.IntN(1_000_000), envelope.FormatTime(w.start),
		100+random.IntN(900), 10+random.IntN(90), hexDigits(random, 64), hexDigits(random, evidenceDigits))
}

func (w *workload) metadata(i int) map[string]string {
	return map[string]string{"sourceCommandId": fmt.Sprintf("cmd_%08d", i), "actorId": "user_42"}
}

// cause is what a business transaction's events share.
func (w *workload) cause(i int) envelope.Cause {
	random := w.random(-1 - i)
	return envelope.Cause{
		TenantID: tenant, CorrelationID: "corr_" + hexDigits(random, 16), CausationID: envelope.NewID(),
		Traceparent: fmt.Sprintf(traceparts, hexDigits(random, 32)),
	}
}

func (w *workload) event(i int) outbox.Event {
	return outbox.Event{
		ID: w.ids[i], Type: eventType, Version: 1, AggregateID: w.orderID(i),
		OccurredAt: w.start, Payload: w.payload(i), Metadata: w.metadata(i),
	}
}

// eventsPerTransaction is how many events a filling transaction appends.
const eventsPerTransaction = 100

// record is an event as it stands on the log.
type record struct {
	id, order           string
	version             int64
	key, headers, value []byte
}

// encoded returns the events as records, ready for tables and topics that are
// filled without an outbox. stamped adds publishedAt, which a relay would.
func (w *workload) encoded(stamped bool) ([]record, error) {
	all := make([]record, w.len())
	versions := map[int32]int64{}
	var cause envelope.Cause
	for i := range all {
		if i%eventsPerTransaction == 0 {
			cause = w.cause(i)
		}
		versions[w.orders[i]]++
		e := envelope.Raw{
			EventID: w.ids[i], EventType: eventType, EventVersion: 1, OccurredAt: w.start, Producer: producer,
			TenantID: tenant, AggregateType: "Order", AggregateID: w.orderID(i), AggregateVersion: versions[w.orders[i]],
			CorrelationID: cause.CorrelationID, CausationID: cause.CausationID, TraceID: cause.TraceID(),
			SchemaRef: schemaRef, Payload: w.payload(i), Metadata: w.metadata(i),
		}
		if stamped {
			e.PublishedAt = w.start
		}
		value, err := envelope.Encode(e)
		if err != nil {
			return nil, err
		}
		all[i] = record{
			id: e.EventID, order: e.AggregateID, version: e.AggregateVersion, key: []byte(e.AggregateID),
			headers: envelope.EncodeHeaders(envelope.Headers(e, cause.Traceparent)), value: value,
		}
	}
	return all, nil
}

func kafkaRecord(topic string, key, headers, value []byte) (*kgo.Record, error) {
	r := &kgo.Record{Topic: topic, Key: key, Value: value, Headers: make([]kgo.RecordHeader, 0, 9)}
	return r, envelope.RangeHeaders(headers, func(key string, value []byte) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: value})
	})
}

// routes sends every event to one topic. It validates nothing: what a schema
// costs is not what is compared.
type routes struct{ topic string }

var errNoOrder = errors.New("the payload does not begin with its orderId")

func (r routes) Route(_ string, _ int, payload []byte) (contract.Route, error) {
	rest, found := bytes.CutPrefix(payload, []byte(`{"orderId":"`))
	key, _, ended := bytes.Cut(rest, []byte(`"`))
	if !found || !ended {
		return contract.Route{}, errNoOrder
	}
	return contract.Route{
		Topic: r.topic, Key: string(key), SchemaRef: schemaRef,
		Producer: producer, AggregateType: "Order",
	}, nil
}

func (routes) Validate(string, int, []byte) error { return nil }

const fillers = 4

// appendAll appends the events through the outbox, as several writers would.
func (w *workload) appendAll(ctx context.Context, pool *pgxpool.Pool, ob *outbox.Outbox) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fillers)
	for from := 0; from < w.len(); from += eventsPerTransaction {
		events := make([]outbox.Event, 0, eventsPerTransaction)
		for i := from; i < min(from+eventsPerTransaction, w.len()); i++ {
			events = append(events, w.event(i))
		}
		group.Go(func() error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				return ob.Append(envelope.WithCause(ctx, w.cause(from)), tx, events...)
			})
		})
	}
	return group.Wait()
}

// counts is how many events each order has.
func (w *workload) counts() map[string]int64 {
	counts := map[string]int64{}
	for i := range w.orders {
		counts[w.orderID(i)]++
	}
	return counts
}
