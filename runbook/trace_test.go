package runbook_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/runbook"
)

const (
	group   = "order.quotes.consumer"
	summary = "read.orders.consumer"
	quoteID = "q_1"
	orderID = "o_1"
)

// bundle is three services with a quote that became an order that is shown.
type bundle struct {
	t                    *testing.T
	quotes, orders, read *pgxpool.Pool
	kafka                *factlinetest.Cluster
	topics               map[string]string
	cfg                  runbook.Config
}

var migrated = factlinetest.PostgresTemplate("runbook", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{Lanes: 2}); err != nil {
		return err
	}
	for _, schema := range []string{"quotes", "orders", "read"} {
		if _, err := pool.Exec(ctx, fmt.Sprintf(`CREATE SCHEMA %s; CREATE TABLE %s.row (root text, id text, state text, note text, version bigint, at timestamptz)`, schema, schema)); err != nil {
			return err
		}
	}
	_, err = pool.Exec(ctx, "UPDATE factline.outbox_lane SET owner = 'relay-1', leased_until = clock_timestamp() + interval '1 hour', low_water = 100")
	return err
})

func execute(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func row(schema string) string {
	return "SELECT root, id, state, note, version, at FROM " + schema + ".row WHERE root = @id OR id = @id"
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{
		t: t, quotes: factlinetest.Postgres(t, migrated), orders: factlinetest.Postgres(t, migrated), read: factlinetest.Postgres(t, migrated),
		kafka: factlinetest.Kafka(t), topics: map[string]string{},
	}
	log, err := runbook.NewLog(b.kafka.Addrs())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	b.cfg = runbook.Config{
		Services: []runbook.Service{{Name: "quote-service", Pool: b.quotes}, {Name: "order-service", Pool: b.orders}, {Name: "read-service", Pool: b.read}},
		Stages: []runbook.Stage{
			{Name: "quote", Service: "quote-service", SQL: row("quotes"), Aggregate: "Quote", HandOver: []string{"QuoteAccepted"}, Until: "not accepted yet"},
			{Name: "order", Service: "order-service", SQL: row("orders"), Aggregate: "Order", Group: group, Ends: []string{"REFUSED"}},
			{Name: "summary", Service: "read-service", SQL: row("read"), Group: summary, Follows: true},
		},
		Log: log, Patience: time.Minute,
	}
	for _, name := range []string{"quotes", "orders"} {
		b.topics[name] = b.kafka.Topic(t, name)
		b.kafka.CreateTopic(t, b.topics[name], 1, nil)
	}
	return b
}

// whole makes every link hold.
func (b *bundle) whole() {
	b.row(b.quotes, "quotes", quoteID, "ACCEPTED", 2)
	b.event(b.quotes, "Quote", quoteID, "QuoteDrafted", 1, b.topics["quotes"])
	b.event(b.quotes, "Quote", quoteID, "QuoteAccepted", 2, b.topics["quotes"])
	b.consumed(b.orders, group, b.topics["quotes"], "QuoteAccepted-2", 2, "DONE")
	b.row(b.orders, "orders", orderID, "CAPTURED", 1)
	b.event(b.orders, "Order", orderID, "OrderCaptured", 1, b.topics["orders"])
	b.consumed(b.read, summary, b.topics["orders"], "OrderCaptured-1", 1, "DONE")
	b.row(b.read, "read", orderID, "CAPTURED", 1)
}

func (b *bundle) row(pool *pgxpool.Pool, schema, id, state string, version int) {
	execute(b.t, pool, fmt.Sprintf("INSERT INTO %s.row VALUES ($1, $2, $3, '', $4, clock_timestamp())", schema), quoteID, id, state, version)
}

// event is appended, published and received by the log.
func (b *bundle) event(pool *pgxpool.Pool, aggregate, id, eventType string, version int64, topic string) {
	b.appended(pool, aggregate, id, eventType, version, topic)
	client := b.kafka.Client(b.t)
	record := &kgo.Record{
		Topic: topic, Key: []byte(id), Value: []byte("{}"),
		Headers: []kgo.RecordHeader{{Key: "eventId", Value: []byte(fmt.Sprintf("%s-%d", eventType, version))}},
	}
	if err := client.ProduceSync(b.t.Context(), record).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
	execute(b.t, pool, `INSERT INTO factline.outbox_receipt VALUES (0, $1::bigint, $1::bigint, $2, ARRAY[$1::bigint], ARRAY[0], ARRAY[$3::bigint], clock_timestamp())`, version, topic, record.Offset)
}

func (b *bundle) appended(pool *pgxpool.Pool, aggregate, id, eventType string, version int64, topic string) {
	execute(b.t, pool, `INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, stamped)
		VALUES (0, $1::bigint, $2, $3, 'tenant_1', $4, $5, $1::bigint, $6, true)`, version, fmt.Sprintf("%s-%d", eventType, version), eventType, aggregate, id, topic)
	execute(b.t, pool, `INSERT INTO factline.outbox_stream (tenant_id, aggregate_type, aggregate_id, version) VALUES ('tenant_1', $1, $2, $3)
		ON CONFLICT (tenant_id, aggregate_type, aggregate_id) DO UPDATE SET version = excluded.version`, aggregate, id, version)
}

func (b *bundle) consumed(pool *pgxpool.Pool, consumer, topic, eventID string, next int64, state string) {
	execute(b.t, pool, `INSERT INTO factline.consumer_offset VALUES ($1, $2, 0, $3, false, clock_timestamp())`, consumer, topic, next)
	execute(b.t, pool, `INSERT INTO factline.inbox VALUES ($1, $2, $3, 1, $4, 0, $5, clock_timestamp())`, consumer, eventID, state, topic, next-1)
}

func (b *bundle) trace(id string) runbook.Report {
	b.t.Helper()
	report, err := runbook.Trace(b.t.Context(), b.cfg, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return report
}

func TestTraceFollowsAWholeChainFromAnyOfItsIDs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.whole()
	for _, id := range []string{quoteID, orderID, "QuoteAccepted-2", "OrderCaptured-1"} {
		report := b.trace(id)
		if first := report.First(); first != nil {
			t.Errorf("trace %s: %s is %s: %s", id, first.Name, first.State, first.Detail)
		}
		var names []string
		for _, l := range report.Links {
			if l.Name != "event" {
				names = append(names, l.Name)
			}
		}
		want := "quote, outbox of quote-service, log, " + group + ", order, outbox of order-service, log, " + summary + ", summary"
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("trace %s looked at\n%s, want\n%s", id, got, want)
		}
	}
}

func TestTraceNamesTheFirstBrokenLink(t *testing.T) {
	t.Parallel()
	topicOf := func(b *bundle, name string) string { return b.topics[name] }
	for _, tt := range []struct {
		name    string
		plant   func(b *bundle)
		link    string
		state   runbook.State
		detail  string
		command string
	}{
		{
			"a state changed without an event", func(b *bundle) {
				b.row(b.quotes, "quotes", quoteID, "ACCEPTED", 1)
			}, "outbox of quote-service", runbook.Broken, "without an event", "",
		},
		{
			"a quote that is not accepted yet", func(b *bundle) {
				b.row(b.quotes, "quotes", quoteID, "DRAFT", 1)
				b.event(b.quotes, "Quote", quoteID, "QuoteDrafted", 1, topicOf(b, "quotes"))
			}, "outbox of quote-service", runbook.Waiting, "not accepted yet", "",
		},
		{
			"an event that no relay publishes", func(b *bundle) {
				b.row(b.quotes, "quotes", quoteID, "ACCEPTED", 1)
				b.appended(b.quotes, "Quote", quoteID, "QuoteAccepted", 1, topicOf(b, "quotes"))
				execute(b.t, b.quotes, "UPDATE factline.outbox_lane SET low_water = 0, leased_until = '-infinity'")
			}, "outbox of quote-service", runbook.Broken, "no relay owns lane 0", "serve quote-service",
		},
		{
			"an event that is being published", func(b *bundle) {
				b.row(b.quotes, "quotes", quoteID, "ACCEPTED", 1)
				b.appended(b.quotes, "Quote", quoteID, "QuoteAccepted", 1, topicOf(b, "quotes"))
				execute(b.t, b.quotes, "UPDATE factline.outbox_lane SET low_water = 0")
			}, "outbox of quote-service", runbook.Waiting, "owned by relay-1", "outbox status --service quote-service",
		},
		{
			"an event that the relay has not published for long", func(b *bundle) {
				b.row(b.quotes, "quotes", quoteID, "ACCEPTED", 1)
				b.appended(b.quotes, "Quote", quoteID, "QuoteAccepted", 1, topicOf(b, "quotes"))
				execute(b.t, b.quotes, "UPDATE factline.outbox_lane SET low_water = 0")
				execute(b.t, b.quotes, "UPDATE factline.outbox_event SET created_at = created_at - interval '1 hour'")
			}, "outbox of quote-service", runbook.Broken, "owned by relay-1", "outbox status --service quote-service",
		},
		{
			"an event that the broker refused", func(b *bundle) {
				b.row(b.quotes, "quotes", quoteID, "ACCEPTED", 1)
				b.appended(b.quotes, "Quote", quoteID, "QuoteAccepted", 1, topicOf(b, "quotes"))
				execute(b.t, b.quotes, `INSERT INTO factline.outbox_parked SELECT lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
					aggregate_version, topic, record_key, headers, value, stamped, created_at, 'MESSAGE_TOO_LARGE', true, clock_timestamp() FROM factline.outbox_event`)
			}, "outbox of quote-service", runbook.Broken, "parked: MESSAGE_TOO_LARGE", "outbox status --service quote-service",
		},
		{
			"a record that the log lost", func(b *bundle) {
				b.whole()
				execute(b.t, b.quotes, "UPDATE factline.outbox_receipt SET offsets = ARRAY[99::bigint] WHERE first_position = 2")
			}, "log", runbook.Broken, "ends before it", "config show",
		},
		{
			"another event at the offset of the receipt", func(b *bundle) {
				b.whole()
				execute(b.t, b.quotes, "UPDATE factline.outbox_receipt SET offsets = ARRAY[0::bigint] WHERE first_position = 2")
			}, "log", runbook.Broken, "event QuoteDrafted-1 stands there", "",
		},
		{
			"a consumer that nobody runs", func(b *bundle) {
				b.whole()
				execute(b.t, b.orders, "UPDATE factline.consumer_offset SET next_offset = 0")
				execute(b.t, b.orders, "DELETE FROM factline.inbox")
			}, group, runbook.Broken, "nobody runs it", "serve order-service",
		},
		{
			"a dead letter", func(b *bundle) {
				b.whole()
				execute(b.t, b.orders, "UPDATE factline.inbox SET state = 'DEAD'")
				b.deadLetter(b.orders, group, "QuoteAccepted-2", 1)
			}, group, runbook.Broken, "HANDLER_FAILED: it broke", "deadletters show dl_1",
		},
		{
			"a dead letter whose corrected event is tried", func(b *bundle) {
				b.whole()
				execute(b.t, b.orders, "UPDATE factline.inbox SET state = 'DEAD'")
				b.deadLetter(b.orders, group, "QuoteAccepted-2", 1)
				b.held(b.orders, "RETRY")
				execute(b.t, b.orders, "UPDATE factline.dead_letter SET state = 'REDRIVEN', event_id = 'corrected-1'")
				execute(b.t, b.orders, "UPDATE factline.held_event SET event_id = 'corrected-1'")
			}, group, runbook.Waiting, "waits for its next attempt", "",
		},
		{
			"an event behind a dead letter of its key", func(b *bundle) {
				b.whole()
				execute(b.t, b.orders, "DELETE FROM factline.inbox")
				b.held(b.orders, "BLOCKED")
				execute(b.t, b.orders, `INSERT INTO factline.blocked_key VALUES ($1, $2, 'tenant_1', 'q_1', 0, 'Quote', 'q_1', 1, 'QuoteDrafted-1', 'dl_7', '', clock_timestamp())`, group, topicOf(b, "quotes"))
			}, group, runbook.Broken, "behind dead letter dl_7", "deadletters show dl_7",
		},
		{
			"an event that failed and is tried again", func(b *bundle) {
				b.whole()
				execute(b.t, b.orders, "UPDATE factline.inbox SET state = 'RETRYING'")
				b.held(b.orders, "RETRY")
				execute(b.t, b.orders, `INSERT INTO factline.blocked_key VALUES ($1, $2, 'tenant_1', 'q_1', 0, 'Quote', 'q_1', 2, 'QuoteAccepted-2', '', 'RETRY', clock_timestamp())`, group, topicOf(b, "quotes"))
			}, group, runbook.Waiting, "failed and waits for its next attempt", "",
		},
		{
			"an event behind one that is tried again", func(b *bundle) {
				b.whole()
				execute(b.t, b.orders, "DELETE FROM factline.inbox")
				b.held(b.orders, "BLOCKED")
				execute(b.t, b.orders, `INSERT INTO factline.blocked_key VALUES ($1, $2, 'tenant_1', 'q_1', 0, 'Quote', 'q_1', 1, 'QuoteDrafted-1', '', 'RETRY', clock_timestamp())`, group, topicOf(b, "quotes"))
			}, group, runbook.Waiting, "behind an event of its key that failed", "trace q_1",
		},
		{
			"an event that waits for an earlier version", func(b *bundle) {
				b.whole()
				execute(b.t, b.orders, "DELETE FROM factline.inbox")
				b.held(b.orders, "GAP")
				execute(b.t, b.orders, "UPDATE factline.held_event SET held_at = held_at - interval '1 hour'")
			}, group, runbook.Broken, "version 1 of Quote q_1 has not arrived", "trace q_1",
		},
		{
			"an applied event that left no row", func(b *bundle) {
				b.whole()
				execute(b.t, b.orders, "DELETE FROM orders.row")
				execute(b.t, b.quotes, "UPDATE factline.outbox_event SET created_at = created_at - interval '1 hour'")
			}, "order", runbook.Broken, "no row in order-service", "",
		},
		{
			"a read model behind its order", func(b *bundle) {
				b.whole()
				execute(b.t, b.orders, "UPDATE orders.row SET version = 2, at = at - interval '1 hour'")
				b.event(b.orders, "Order", orderID, "OrderCompleted", 2, topicOf(b, "orders"))
				execute(b.t, b.read, "UPDATE factline.consumer_offset SET next_offset = 2")
			}, "summary", runbook.Broken, "behind version 2", "consumers lag",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			tt.plant(b)
			report := b.trace(quoteID)
			first := report.First()
			if first == nil {
				t.Fatalf("every link holds: %+v", report.Links)
			}
			if first.Name != tt.link || first.State != tt.state || !strings.Contains(first.Detail, tt.detail) || first.Command != tt.command {
				t.Errorf("first is %+v, want %s %s with %q and command %q", *first, tt.link, tt.state, tt.detail, tt.command)
			}
			if first.Recovery == "" {
				t.Error("it says no recovery")
			}
			if report.Broken() != (tt.state == runbook.Broken) {
				t.Errorf("Broken() = %t with a first link that is %s", report.Broken(), tt.state)
			}
		})
	}
}

func (b *bundle) deadLetter(pool *pgxpool.Pool, consumer, eventID string, offset int64) {
	execute(b.t, pool, `INSERT INTO factline.dead_letter VALUES ('dl_1', $1, $2, 0, $3, 'tenant_1', 'Quote', 'q_1', 2, $4, 'QuoteAccepted',
		'HANDLER_FAILED', 'it broke', 5, true, 'q_1', 'q_1', NULL, '{}', clock_timestamp(), 'OPEN')`, consumer, b.topics["quotes"], offset, eventID)
}

func (b *bundle) held(pool *pgxpool.Pool, reason string) {
	execute(b.t, pool, `INSERT INTO factline.held_event VALUES ($1, $2, 0, 1, 'tenant_1', 'Quote', 'q_1', 2, 'QuoteAccepted-2', 'QuoteAccepted', 'q_1', 'q_1', NULL, '{}',
		clock_timestamp(), $3, clock_timestamp())`, group, b.topics["quotes"], reason)
}

func TestTraceEndsWhereTheBusinessSaidNo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.whole()
	execute(t, b.orders, "UPDATE orders.row SET state = 'REFUSED'")
	report := b.trace(quoteID)
	last := report.Links[len(report.Links)-1]
	if report.First() != nil || last.Name != "order" || !strings.Contains(last.Detail, "business decision") {
		t.Errorf("the last link is %+v", last)
	}
}

func TestTraceOfAnUnknownID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := runbook.Trace(t.Context(), b.cfg, "nothing")
	var unknown *runbook.UnknownIDError
	if !errors.As(err, &unknown) || unknown.ID != "nothing" || len(unknown.Services) != 3 {
		t.Fatalf("got %v", err)
	}
}

func TestTraceFindsAnEventThatOnlyAConsumerHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.deadLetter(b.orders, group, "lost", 7)
	report := b.trace("lost")
	if first := report.First(); first == nil || !report.Broken() || !strings.Contains(first.Detail, "dead letter dl_1") {
		t.Fatalf("got %+v", report)
	}
}

func TestTraceGoesOnWithoutABroker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.whole()
	b.cfg.Log = nil
	report := b.trace(quoteID)
	if first := report.First(); first == nil || first.State != runbook.Unknown || report.Broken() {
		t.Fatalf("first is %+v", first)
	}
	if last := report.Links[len(report.Links)-1]; last.Name != "summary" {
		t.Errorf("the walk ended at %s", last.Name)
	}
}

func TestLag(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.whole()
	b.held(b.orders, "GAP")
	execute(t, b.orders, "UPDATE factline.consumer_offset SET next_offset = 1")
	rows, err := runbook.Lag(t.Context(), b.cfg.Services, b.cfg.Log)
	if err != nil || len(rows) != 2 {
		t.Fatalf("got %+v, %v", rows, err)
	}
	want := runbook.PartitionLag{Service: "order-service", Group: group, Topic: b.topics["quotes"], EndOffset: 2, NextOffset: 1, Committed: -1, LagRecords: 1, HeldEvents: 1}
	if rows[0] != want {
		t.Errorf("got  %+v\nwant %+v", rows[0], want)
	}
	if rows[1].LagRecords != 0 || rows[1].Group != summary {
		t.Errorf("got %+v", rows[1])
	}
}

func TestStatementsPrepare(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	names, err := fs.Glob(runbook.Statements(), "sql/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatalf("no statements (%v)", err)
	}
	for _, name := range names {
		text, err := runbook.Statements().ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := prepare(t.Context(), pool, string(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func prepare(ctx context.Context, pool *pgxpool.Pool, sql string) error {
	return pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		positional, _, err := pgx.NamedArgs{}.RewriteQuery(ctx, c.Conn(), sql, nil)
		if err != nil {
			return err
		}
		_, err = c.Conn().Prepare(ctx, "", positional)
		return err
	})
}

func TestWhatWaitsBehindAnEventThatIsTriedAgainIsNoGap(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.held(b.orders, "BLOCKED")
	execute(t, b.orders, `CREATE TEMP TABLE earlier AS SELECT * FROM factline.held_event;
		UPDATE earlier SET "offset" = 0, aggregate_version = 1, event_id = 'QuoteDrafted-1', reason = 'RETRY';
		INSERT INTO factline.held_event SELECT * FROM earlier`)
	gaps := func() int {
		all, err := runbook.Gaps(t.Context(), b.cfg.Services)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if n := gaps(); n != 0 {
		t.Errorf("%d gaps, want none: version 1 is tried again", n)
	}
	execute(t, b.orders, "DELETE FROM factline.held_event WHERE reason = 'RETRY'")
	if n := gaps(); n != 1 {
		t.Errorf("%d gaps, want one before version 2", n)
	}
}
