package history

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

var migrated = factlinetest.PostgresTemplate("history", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `
		CREATE SCHEMA orders;
		CREATE TABLE orders.thing (id text PRIMARY KEY, tenant_id text NOT NULL, note text, n int);
		ALTER TABLE orders.thing ENABLE ROW LEVEL SECURITY;
		ALTER TABLE orders.thing FORCE ROW LEVEL SECURITY;
		CREATE POLICY tenant ON orders.thing USING (current_setting('factline.tenant', true) = 'platform');
		CREATE TABLE orders.schema_version (n int);`)
	return err
})

type stage struct {
	pool     *pgxpool.Pool
	kafka    *factlinetest.Cluster
	topic    string
	recorder *Recorder
}

func setup(t *testing.T) *stage {
	t.Helper()
	s := &stage{pool: factlinetest.Postgres(t, migrated), kafka: factlinetest.Kafka(t)}
	s.topic = s.kafka.Topic(t, "things")
	s.kafka.CreateTopic(t, s.topic, 2, map[string]string{"retention.ms": "3600000"})
	var err error
	s.recorder, err = NewRecorder(t.Context(), map[string]string{Orders: factlinetest.DSN(s.pool)}, s.kafka.Addrs(), []string{s.topic})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.recorder.Close)
	return s
}

func (s *stage) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := s.recorder.Pool(Orders).Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func (s *stage) table(t *testing.T, name string) Table {
	t.Helper()
	all, err := s.recorder.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if one.Name == name {
			return one
		}
	}
	t.Fatalf("%s is not among %v", name, all)
	return Table{}
}

func TestTablesSeeEveryChangeOfEveryColumn(t *testing.T) {
	t.Parallel()
	s := setup(t)
	empty := s.table(t, "orders.thing")
	s.exec(t, `INSERT INTO orders.thing VALUES ('a', 't', NULL, 1), ('b', 't', 'x', 2)`)
	before := s.table(t, "orders.thing")
	if empty.Rows != 0 || before.Rows != 2 || before.Hash == empty.Hash {
		t.Errorf("%+v, then %+v", empty, before)
	}
	s.exec(t, `DELETE FROM orders.thing; INSERT INTO orders.thing VALUES ('b', 't', 'x', 2), ('a', 't', NULL, 1)`)
	if again := s.table(t, "orders.thing"); again != before {
		t.Errorf("the order of rows counts: %+v and %+v", before, again)
	}
	for _, change := range []string{`note = '' WHERE id = 'a'`, `n = 3 WHERE id = 'b'`, `tenant_id = 'u' WHERE id = 'b'`} {
		last := s.table(t, "orders.thing")
		s.exec(t, "UPDATE orders.thing SET "+change)
		if now := s.table(t, "orders.thing"); now.Hash == last.Hash || now.Rows != last.Rows {
			t.Errorf("%s is not seen", change)
		}
	}
}

func TestTablesLeaveOutWhatChangesByItself(t *testing.T) {
	t.Parallel()
	s := setup(t)
	all, err := s.recorder.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, one := range all {
		names[one.Name] = true
	}
	for name, want := range map[string]bool{
		"factline.inbox": true, "factline.gate": true, "factline.outbox_event": true, "factline.dead_letter": true,
		"factline.outbox_lane": false, "factline.consumer_offset": false, "factline.schema_version": false, "orders.schema_version": false,
	} {
		if names[name] != want {
			t.Errorf("%s: got %v", name, names[name])
		}
	}
	hashed, err := s.recorder.HashTable(t.Context(), Orders, pgx.Identifier{"orders", "thing"})
	if err != nil || hashed != s.table(t, "orders.thing") {
		t.Errorf("%+v, %v", hashed, err)
	}
}

func TestTheLogIsReadWholeAndInjectedRecordsAreMarked(t *testing.T) {
	t.Parallel()
	s := setup(t)
	value, err := envelope.Encode(envelope.Event[map[string]string]{
		EventID: "e1", EventType: "ThingChanged", EventVersion: 1, TenantID: "t", AggregateType: "Thing", AggregateID: "a", AggregateVersion: 3,
		CausationID: "c1", Payload: map[string]string{"id": "a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := s.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: s.topic, Partition: 1, Value: value, Key: []byte("a")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	log, err := s.recorder.Log(t.Context())
	if err != nil || len(log) != 1 {
		t.Fatalf("%d records, %v", len(log), err)
	}
	if r := log[0]; r.EventID != "e1" || r.Version != 3 || r.AggregateID != "a" || r.Tenant != "t" || r.CausationID != "c1" || r.Partition != 1 || r.Injected || r.At.IsZero() {
		t.Errorf("%+v", r)
	}
	again, err := s.recorder.Inject(t.Context(), s.topic, 1, log[0].Raw)
	if err != nil || !again.Injected || again.Offset != 1 || again.EventID != "e1" {
		t.Fatalf("%+v, %v", again, err)
	}
	letter, err := json.Marshal(map[string]any{"eventId": "e1", "sourceTopic": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.recorder.Inject(t.Context(), s.topic, 0, RawRecord{Value: letter}); err != nil {
		t.Fatal(err)
	}
	if log, err = s.recorder.Log(t.Context()); err != nil || len(log) != 3 {
		t.Fatalf("%d records, %v", len(log), err)
	}
	if log[0].EventID != "" || string(log[0].Value) != string(letter) {
		t.Errorf("a dead letter is taken for an event: %+v", log[0])
	}
	if string(log[2].Raw.Key) != "a" || fmt.Sprint(log[1].Injected, log[2].Injected) != "false true" {
		t.Errorf("%+v", log)
	}
}

func TestLibraryTablesAreRead(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx := t.Context()
	s.exec(t, `INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, record_key, value, stamped)
		VALUES (0, 1, 'e1', 'ThingChanged', 't', 'Thing', 'a', 3, 'things', 'k', '{}', true), (0, 2, 'e2', 'ThingChanged', 't', 'Thing', 'a', 4, 'things', NULL, NULL, false)`)
	s.exec(t, `INSERT INTO factline.outbox_receipt VALUES (0, 1, 1, 'things', '{1}', '{0}', '{0}', now())`)
	s.exec(t, `INSERT INTO factline.inbox (consumer, event_id, state, attempts, topic, partition, "offset", processed_at) VALUES ('g', 'e1', 'DONE', 1, 'things', 1, 7, now())`)
	s.exec(t, `INSERT INTO factline.consumer_offset VALUES ('g', 'things', 1, 8, false, now())`)
	committed, err := s.recorder.Committed(ctx)
	if err != nil || len(committed) != 2 {
		t.Fatalf("%+v, %v", committed, err)
	}
	want := Event{
		Service: Orders, EventID: "e1", EventType: "ThingChanged", Tenant: "t", AggregateType: "Thing", AggregateID: "a", Version: 3, Topic: "things",
		At: committed[0].At, Key: []byte("k"), Value: []byte("{}"), Stamped: true,
	}
	if !reflect.DeepEqual(committed[0], want) || time.Since(want.At).Abs() > time.Hour || committed[1].Value != nil || committed[1].Stamped {
		t.Errorf("%+v", committed)
	}
	for id, want := range map[string]bool{"e1": true, "e2": false, "e9": false} {
		if got, err := s.recorder.HasReceipt(ctx, Orders, id); err != nil || got != want {
			t.Errorf("receipt of %s: %v, %v", id, got, err)
		}
	}
	inboxes, err := s.recorder.Inboxes(ctx)
	if err != nil || len(inboxes) != 1 || inboxes[0] != (Settled{Orders, "g", "e1", "DONE", 1, "things", 1, 7, inboxes[0].At}) || inboxes[0].At.IsZero() {
		t.Errorf("%+v, %v", inboxes, err)
	}
	next, err := s.recorder.NextOffsets(ctx)
	if err != nil || next["g"][Place{"things", 1}] != 8 {
		t.Errorf("%v, %v", next, err)
	}
	waiting, err := s.recorder.Waiting(ctx)
	if err != nil || len(waiting) != 1 || waiting[0].Unpublished == 0 {
		t.Errorf("%+v, %v", waiting, err)
	}
	if acts, err := s.recorder.Actions(ctx, Orders, "nothing"); err != nil || len(acts) != 0 {
		t.Errorf("%v, %v", acts, err)
	}
}

func TestScrapeReadsCountersGaugesAndHistograms(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE a_total counter\na_total{group=\"g\"} 3\n# TYPE b gauge\nb 1.5\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 2\nc_sum 0.5\nc_count 2\n")
	}))
	defer server.Close()
	samples, err := Scrape(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, s := range samples {
		got[s.Name+s.Labels["group"]] = s.Value
	}
	if fmt.Sprint(got) != "map[a_totalg:3 b:1.5 c_count:2 c_sum:0.5]" {
		t.Errorf("%v", got)
	}
	if _, err := Scrape(t.Context(), server.URL+"\x7f"); err == nil {
		t.Error("a broken address passes")
	}
}
