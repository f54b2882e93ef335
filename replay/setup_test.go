package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/outbox"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

const createTable = `
CREATE TABLE %s (
    tenant_id text NOT NULL,
    id text NOT NULL,
    total numeric(12,2) NOT NULL,
    note text,
    last_version bigint NOT NULL,
    source_event_id text NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
)`

var migrated = factlinetest.PostgresTemplate("replay", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE SCHEMA read; "+fmt.Sprintf(createTable, "read.thing"))
	return err
})

// testContracts knows one topic with events ThingChanged v1, and what a test
// changes about it.
type testContracts struct {
	topic       string
	sideEffects bool
	unsafeEvent bool
	unknown     bool
}

func (c testContracts) Topic(name string) (*contract.Topic, bool) {
	return &contract.Topic{Name: name, OnDeadLetter: "block"}, name == c.topic && !c.unknown
}

func (c testContracts) Event(eventType string, version int) (*contract.Event, bool) {
	known := version == 1 && (eventType == "ThingChanged" || eventType == "ThingSeen")
	return &contract.Event{Type: eventType, Version: version, ReplaySafe: !c.unsafeEvent}, known
}

func (c testContracts) Group(name string) (*contract.Group, bool) {
	return &contract.Group{Name: name, SideEffects: c.sideEffects}, name == testGroup
}

func (c testContracts) Validate(eventType string, version int, value []byte) error {
	if _, ok := c.Event(eventType, version); !ok {
		return &contract.UnknownEventError{EventType: eventType, EventVersion: version}
	}
	if strings.Contains(string(value), "FORBIDDEN") {
		return errors.New("payload.note is not allowed")
	}
	return nil
}

func (c testContracts) Route(string, int, []byte) (contract.Route, error) {
	return contract.Route{}, errors.New("nothing is appended here")
}

const testGroup = "read-service.things.consumer"

// stage is a database with a live table, a broker and a topic.
type stage struct {
	t         *testing.T
	pool      *pgxpool.Pool
	kafka     *factlinetest.Cluster
	topic     string
	contracts testContracts
	versions  map[string]int64
	sent      int64
}

func setup(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, pool: factlinetest.Postgres(t, migrated), kafka: factlinetest.Kafka(t), versions: make(map[string]int64)}
	s.topic = s.kafka.Topic(t, "things") + ".v1"
	s.kafka.CreateTopic(t, s.topic, 4, map[string]string{"retention.ms": "3600000"})
	s.kafka.CreateTopic(t, strings.TrimSuffix(s.topic, ".v1")+".dlt.v1", 1, map[string]string{"retention.ms": "3600000"})
	s.contracts = testContracts{topic: s.topic}
	return s
}

func (s *stage) config() Config {
	return Config{
		Pool: s.pool, Brokers: s.kafka.Addrs(), Contracts: s.contracts, StallTimeout: 5 * time.Second,
		Projection: Projection{
			Name: "thing", Group: testGroup, ReplaySafe: true, Live: pgx.Identifier{"read", "thing"},
			Sources: []Source{{Topic: s.topic, Types: []string{"ThingChanged"}}},
			Create: func(ctx context.Context, tx pgx.Tx, table pgx.Identifier) error {
				_, err := tx.Exec(ctx, fmt.Sprintf(createTable, table.Sanitize()))
				return err
			},
			Apply: applyThings,
		},
	}
}

type change struct {
	ID     string `json:"id"`
	Amount int    `json:"amount"`
	Note   string `json:"note,omitempty"`
}

func applyThings(ctx context.Context, tx pgx.Tx, table pgx.Identifier, ms []consumer.Message) error {
	for _, m := range ms {
		var c change
		if err := json.Unmarshal(m.Payload, &c); err != nil {
			return err
		}
		if c.Note == "FAIL" {
			return consumer.Permanent(errors.New("the handler cannot"))
		}
		_, err := tx.Exec(ctx, `INSERT INTO `+table.Sanitize()+` AS t (tenant_id, id, total, note, last_version, source_event_id, changed_at)
			VALUES ($1, $2, $3, nullif($4, ''), $5, $6, $7)
			ON CONFLICT (tenant_id, id) DO UPDATE SET total = t.total + excluded.total, note = excluded.note,
				last_version = excluded.last_version, source_event_id = excluded.source_event_id, changed_at = excluded.changed_at`,
			m.TenantID, c.ID, c.Amount, c.Note, m.AggregateVersion, m.EventID, m.OccurredAt)
		if err != nil {
			return err
		}
	}
	return nil
}

// event makes the next event of a thing.
func (s *stage) event(id string, amount int, note string) envelope.Event[change] {
	s.versions[id]++
	return envelope.Event[change]{
		EventID: envelope.NewID(), EventType: "ThingChanged", EventVersion: 1,
		OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(s.versions[id]) * time.Second),
		Producer:   "thing-service", TenantID: "tenant-" + id[:1], AggregateType: "Thing", AggregateID: id,
		AggregateVersion: s.versions[id], Payload: change{ID: id, Amount: amount, Note: note},
	}
}

func (s *stage) send(events ...envelope.Event[change]) {
	s.t.Helper()
	client := s.kafka.Client(s.t)
	var records []*kgo.Record
	for _, e := range events {
		value, err := envelope.Encode(e)
		if err != nil {
			s.t.Fatal(err)
		}
		r := &kgo.Record{Topic: s.topic, Key: []byte(e.AggregateID), Value: value}
		for _, h := range envelope.Headers(e, "") {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		records = append(records, r)
	}
	if err := client.ProduceSync(s.t.Context(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
	s.sent += int64(len(events))
}

// startLive runs the live group until the test, or the returned function, ends it.
func (s *stage) startLive() (stop func()) {
	s.t.Helper()
	ob, err := outbox.New(outbox.Config{Contracts: s.contracts, Producer: "read-service"})
	if err != nil {
		s.t.Fatal(err)
	}
	runner, err := consumer.New(consumer.Config{
		Group: testGroup, Service: "read-service", Pool: s.pool, Brokers: s.kafka.Addrs(), Outbox: ob, Contracts: s.contracts,
		SweepInterval: 20 * time.Millisecond,
		Subscriptions: []consumer.Subscription{{
			Topic: s.topic, BulkTypes: []string{"ThingChanged"},
			Bulk: func(ctx context.Context, tx pgx.Tx, ms []consumer.Message) error {
				return applyThings(ctx, tx, pgx.Identifier{"read", "thing"}, ms)
			},
		}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("live group: %v", err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// awaitLive waits until the live group has read everything sent and holds
// nothing for a missing version.
func (s *stage) awaitLive() {
	s.t.Helper()
	factlinetest.Eventually(s.t, 30*time.Second, "the live group to read all", func() (bool, error) {
		var read, gaps int64
		err := s.pool.QueryRow(s.t.Context(), `SELECT coalesce(sum(next_offset), 0), (SELECT count(*) FROM factline.held_event WHERE reason = 'GAP')
			FROM factline.consumer_offset WHERE consumer = $1`, testGroup).Scan(&read, &gaps)
		return read == s.sent && gaps == 0, err
	})
}

func (s *stage) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.pool.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) count(sql string, args ...any) (n int64) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *stage) mustRun(cfg Config) Report {
	s.t.Helper()
	report, err := Run(s.t.Context(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

// history sends a mixed past: many things of three tenants, repeated records,
// versions out of order, types that are not applied.
func (s *stage) history() {
	s.t.Helper()
	var all []envelope.Event[change]
	for round := range 5 {
		for i := range 40 {
			e := s.event(fmt.Sprintf("%c%02d", "abc"[i%3], i), i+round, strings.Repeat("x", round%2))
			if i%7 == 0 && round == 3 {
				e.EventType = "ThingSeen"
			}
			all = append(all, e)
		}
	}
	// Versions 2 and 3 of one thing change places on the log.
	i := slices.IndexFunc(all, func(e envelope.Event[change]) bool { return e.AggregateID == "b01" && e.AggregateVersion == 2 })
	j := slices.IndexFunc(all, func(e envelope.Event[change]) bool { return e.AggregateID == "b01" && e.AggregateVersion == 3 })
	all[i], all[j] = all[j], all[i]
	s.send(all...)
	s.send(all[10:30]...)
}
