package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
)

func TestMain(m *testing.M) {
	if args := os.Getenv(relayProcessVar); args != "" {
		os.Exit(runRelayProcess(args))
	}
	factlinetest.Main(m)
}

var migrated = factlinetest.PostgresTemplate("outbox", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrate.Up(ctx, pool, migrate.Config{})
})

// testContracts sends every event to one topic, keyed by the payload's id.
type testContracts struct{ topic string }

func (c testContracts) Route(eventType string, version int, payload []byte) (contract.Route, error) {
	var p struct{ ID string }
	if err := json.Unmarshal(payload, &p); err != nil || p.ID == "" {
		return contract.Route{}, errors.New("payload.id is required")
	}
	return contract.Route{
		Topic: c.topic, Key: p.ID, SchemaRef: fmt.Sprintf("schema://%s/%s/%d", c.topic, eventType, version),
		Producer: "test-service", AggregateType: "Thing",
	}, nil
}

func (c testContracts) Validate(_ string, _ int, value []byte) error {
	if strings.Contains(string(value), "FORBIDDEN") {
		return errors.New("payload.note is not allowed")
	}
	return nil
}

type thing struct {
	ID   string `json:"id"`
	Note string `json:"note,omitempty"`
}

// bundle is a database with an outbox and, where asked for, a broker.
type bundle struct {
	t      *testing.T
	pool   *pgxpool.Pool
	outbox *Outbox
	kafka  *factlinetest.Cluster
	topic  string
	made   **Relay // where the next relay is kept, nil for nowhere
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{t: t, pool: factlinetest.Postgres(t, migrated), topic: "test.things.events.v1"}
	b.outbox = b.newOutbox()
	return b
}

func setupKafka(t *testing.T) *bundle {
	t.Helper()
	b := setup(t)
	b.kafka = factlinetest.Kafka(t)
	b.topic = b.kafka.Topic(t, "test.things.events")
	b.kafka.CreateTopic(t, b.topic, 3, nil)
	b.outbox = b.newOutbox()
	return b
}

func (b *bundle) newOutbox() *Outbox {
	b.t.Helper()
	o, err := New(Config{Contracts: testContracts{b.topic}, Producer: "test-service"})
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

func event(id, note string) Event {
	return Event{Type: "ThingHappened", TenantID: "tenant_001", AggregateID: id, Payload: thing{ID: id, Note: note}}
}

// in runs do in a transaction of its own.
func (b *bundle) in(do func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(b.t.Context(), b.pool, do)
}

func (b *bundle) append(events ...Event) {
	b.t.Helper()
	if err := b.in(func(tx pgx.Tx) error { return b.outbox.Append(b.t.Context(), tx, events...) }); err != nil {
		b.t.Fatal(err)
	}
}

// stored is one row of the outbox.
type stored struct {
	Lane             int16
	Position         int64
	AggregateID      string
	AggregateVersion int64
	Value            []byte
}

func (b *bundle) stored() []stored {
	b.t.Helper()
	rows, err := b.pool.Query(b.t.Context(), `SELECT lane, position, aggregate_id, aggregate_version, value
		FROM factline.outbox_event ORDER BY lane, position`)
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[stored])
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// relay runs a relay until the test ends or the returned function stops it.
func (b *bundle) relay(change ...func(*RelayConfig)) (stop func()) {
	b.t.Helper()
	cfg := RelayConfig{Pool: b.pool, Brokers: b.kafka.Addrs(), LeaseTTL: time.Second, Instance: "relay-" + b.t.Name(), Logger: factlinetestLogger(b.t)}
	for _, c := range change {
		c(&cfg)
	}
	r, err := NewRelay(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	r.store.slabs.given = spoil
	if b.made != nil {
		*b.made, b.made = r, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("relay ended with %v", err)
		}
	}
	b.t.Cleanup(stop)
	return stop
}

// published waits for n records and returns them decoded, in log order.
func (b *bundle) published(n int) []envelope.Raw {
	b.t.Helper()
	var events []envelope.Raw
	for _, r := range b.records(n) {
		e, err := envelope.DecodeRaw(r.Value)
		if err != nil {
			b.t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func (b *bundle) records(n int) []*kgo.Record {
	b.t.Helper()
	return factlinetest.Consume(b.t, b.kafka.Addrs(), b.topic, n)
}

// settled waits until nothing is pending.
func (b *bundle) settled() {
	b.t.Helper()
	factlinetest.Eventually(b.t, 20*time.Second, "an empty outbox", func() (bool, error) {
		report, err := Status(b.t.Context(), b.pool)
		return err == nil && report.Pending() == 0, err
	})
}

var namedArgument = regexp.MustCompile(`@[a-z_]+`)
