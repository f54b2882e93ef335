package consumer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/outbox"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(runChild())
	}
	factlinetest.Main(m)
}

const (
	orders  = "oms.order.events.v1"
	group   = "projection-service.order-read-model.consumer"
	service = "projection-service"
	patient = 20 * time.Second
)

var migrated = factlinetest.PostgresTemplate("consumer", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `
		CREATE SCHEMA app;
		CREATE TABLE app.effect (
			seq bigserial PRIMARY KEY, consumer text NOT NULL, tenant_id text NOT NULL, aggregate_id text NOT NULL,
			version bigint NOT NULL, event_id text NOT NULL, tenant_setting text NOT NULL
		);`)
	return err
})

// rules is a catalogue of one topic: payloads with "bad" break it, version 1
// alone is known.
type rules struct{}

func (rules) Topic(name string) (*contract.Topic, bool) {
	return &contract.Topic{Name: name, OnDeadLetter: "block"}, name == orders
}

func (rules) Route(eventType string, _ int, _ []byte) (contract.Route, error) {
	return contract.Route{Topic: "projection.events.v1", Key: "k", SchemaRef: "schema://x", Producer: service, AggregateType: "Projection"}, nil
}

func (rules) Validate(eventType string, version int, value []byte) error {
	if !strings.HasPrefix(eventType, "Order") && !strings.HasPrefix(eventType, "Projection") {
		return &contract.UnknownEventError{EventType: eventType, EventVersion: version}
	}
	if version > 1 {
		return &contract.UnknownEventError{EventType: eventType, EventVersion: version, Versions: []int{1}}
	}
	if bytes.Contains(value, []byte(`"bad"`)) {
		return &contract.ViolationError{EventType: eventType, EventVersion: version, Violations: []contract.Violation{{Path: "payload.customerId", Message: "is required"}}}
	}
	return nil
}

// continuing is rules whose topic goes on behind a dead letter.
type continuing struct{ rules }

func (continuing) Topic(name string) (*contract.Topic, bool) {
	return &contract.Topic{Name: name, OnDeadLetter: "continue"}, name == orders
}

// bundle is what a test of the runner needs.
type bundle struct {
	t      *testing.T
	pool   *pgxpool.Pool
	kafka  *factlinetest.Cluster
	client *kgo.Client
	outbox *outbox.Outbox
	logs   *logBuffer
	cfg    consumer.Config
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (b *bundle) dsn() string { return factlinetest.DSN(b.pool) }

func setup(t *testing.T, partitions int) *bundle {
	t.Helper()
	b := &bundle{t: t, pool: factlinetest.Postgres(t, migrated), kafka: factlinetest.FakeKafka(t), logs: &logBuffer{}}
	b.kafka.CreateTopic(t, orders, partitions, nil)
	b.client = b.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ob, err := outbox.New(outbox.Config{Contracts: rules{}, Producer: service})
	if err != nil {
		t.Fatal(err)
	}
	b.outbox = ob
	b.cfg = consumer.Config{
		Group: group, Service: service, Pool: b.pool, Brokers: b.kafka.Addrs(), Outbox: ob, Contracts: rules{},
		Subscriptions:   []consumer.Subscription{{Topic: orders, Handlers: map[string]consumer.Handler{"OrderCaptured": record, "OrderChanged": record}}},
		InPlaceAttempts: 5, BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond,
		CommitInterval: 5 * time.Millisecond, SweepInterval: 20 * time.Millisecond,
		Registerer: prometheus.NewRegistry(),
		Logger:     textLogger(b.logs),
	}
	t.Cleanup(func() {
		if t.Failed() && os.Getenv("FACTLINE_TEST_LOGS") != "" {
			t.Log(b.logs.String())
		}
	})
	return b
}

// record is the effect of an event: one row.
func record(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
	_, err := tx.Exec(ctx, `INSERT INTO app.effect (consumer, tenant_id, aggregate_id, version, event_id, tenant_setting)
		VALUES ($1, $2, $3, $4, $5, current_setting('factline.tenant'))`, group, m.TenantID, m.AggregateID, m.AggregateVersion, m.EventID)
	return err
}

func recordBulk(ctx context.Context, tx pgx.Tx, ms []consumer.Message) error {
	for _, m := range ms {
		if err := record(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

// start runs a runner until the test ends or the returned function is called,
// which returns what Run returned.
func (b *bundle) start(change func(*consumer.Config)) (stop func() error) {
	b.t.Helper()
	cfg := b.cfg
	cfg.Subscriptions = slices.Clone(cfg.Subscriptions)
	if change != nil {
		change(&cfg)
	}
	runner, err := consumer.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- runner.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-result:
			return err
		case <-time.After(patient):
			return errors.New("Run did not return after cancellation")
		}
	})
	b.t.Cleanup(func() {
		if err := stop(); err != nil {
			b.t.Errorf("Run: %v", err)
		}
	})
	return stop
}

// order is an event of an order of tenant acme.
func order(id string, version int64) envelope.Raw {
	return envelope.Raw{
		EventID: fmt.Sprintf("evt_%s_%d", id, version), EventType: "OrderCaptured", EventVersion: 1,
		OccurredAt: time.Date(2026, 7, 2, 9, 0, 0, 0, time.UTC), Producer: "order-service", TenantID: "acme",
		AggregateType: "Order", AggregateID: id, AggregateVersion: version,
		CorrelationID: "corr_1", CausationID: "cmd_1", SchemaRef: "schema://oms.order.events/OrderCaptured/1",
		Payload: json.RawMessage(`{"orderId":"` + id + `"}`),
	}
}

func bad(e envelope.Raw) envelope.Raw {
	e.Payload = json.RawMessage(`{"bad":true}`)
	return e
}

const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func (b *bundle) recordOf(e envelope.Raw) *kgo.Record {
	value, err := envelope.Encode(e)
	if err != nil {
		b.t.Fatal(err)
	}
	r := &kgo.Record{Topic: orders, Key: []byte(e.AggregateID), Value: value}
	for _, h := range envelope.Headers(e, traceparent) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
}

// send puts events on partition 0.
func (b *bundle) send(events ...envelope.Raw) {
	b.t.Helper()
	records := make([]*kgo.Record, len(events))
	for i, e := range events {
		records[i] = b.recordOf(e)
	}
	b.sendRecords(records...)
}

func (b *bundle) sendRecords(records ...*kgo.Record) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patient)
	defer cancel()
	if err := b.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// effects are "order/version" in the order in which they happened.
func (b *bundle) effects() []string {
	b.t.Helper()
	return query[string](b, `SELECT aggregate_id || '/' || version FROM app.effect ORDER BY seq`)
}

func query[T any](b *bundle, sql string, args ...any) []T {
	b.t.Helper()
	rows, err := b.pool.Query(b.t.Context(), sql, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

func one[T any](b *bundle, sql string, args ...any) T {
	b.t.Helper()
	all := query[T](b, sql, args...)
	if len(all) != 1 {
		b.t.Fatalf("%s: %d rows, want 1", sql, len(all))
	}
	return all[0]
}

// await polls until cond is true; seen is what a failure shows.
func (b *bundle) await(what string, cond func() (ok bool, seen any)) {
	b.t.Helper()
	factlinetest.Eventually(b.t, patient, what, func() (bool, error) {
		ok, seen := cond()
		if ok {
			return true, nil
		}
		return false, fmt.Errorf("seen: %v", seen)
	})
}

// wantEffects waits for exactly these effects, those of each order in this order.
func (b *bundle) wantEffects(want ...string) {
	b.t.Helper()
	var got []string
	b.await(fmt.Sprintf("effects %v", want), func() (bool, any) {
		got = b.effects()
		return len(got) >= len(want), got
	})
	if !slices.Equal(byOrder(got), byOrder(want)) {
		b.t.Fatalf("effects = %v, want %v", got, want)
	}
}

// byOrder brings the effects of each order together, as they followed.
func byOrder(effects []string) []string {
	orderOf := func(effect string) string { return effect[:strings.LastIndexByte(effect, '/')] }
	return slices.SortedStableFunc(slices.Values(effects), func(a, b string) int { return strings.Compare(orderOf(a), orderOf(b)) })
}

// wantNext waits until the database's next offset of partition 0 is n: all
// before it is dealt with.
func (b *bundle) wantNext(n int64) {
	b.t.Helper()
	b.await(fmt.Sprintf("next offset %d", n), func() (bool, any) {
		at := query[int64](b, `SELECT next_offset FROM factline.consumer_offset WHERE partition = 0`)
		return len(at) == 1 && at[0] == n, at
	})
}

// committed is the group's offset on the broker for partition 0, -1 without one.
func (b *bundle) committed() int64 {
	b.t.Helper()
	fetched, err := kadm.NewClient(b.client).FetchOffsets(b.t.Context(), group)
	if err != nil {
		return -1 // a group that never committed does not exist
	}
	o, ok := fetched.Lookup(orders, 0)
	if !ok {
		return -1
	}
	return o.At
}

func (b *bundle) wantCommitted(n int64) {
	b.t.Helper()
	b.await(fmt.Sprintf("committed offset %d", n), func() (bool, any) {
		at := b.committed()
		return at == n, at
	})
}

func (b *bundle) held() []string {
	b.t.Helper()
	return query[string](b, `SELECT aggregate_id || '/' || aggregate_version || ' ' || reason FROM factline.held_event ORDER BY "offset"`)
}

func (b *bundle) wantHeld(want ...string) {
	b.t.Helper()
	b.await(fmt.Sprintf("held events %v", want), func() (bool, any) {
		got := b.held()
		return slices.Equal(got, want), got
	})
}
