package deadletter_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/deadletter"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/outbox"
	"factline.dev/platform/contracts"
)

const (
	retryTopic = "oms.order.events.retry.1m.v1"
	dltTopic   = "oms.order.events.dlt.v1"
)

var operations = factlinetest.PostgresTemplate("operations", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	return migrate.UpDeadLetters(ctx, pool)
})

// groupDatabase is that of a group which takes redrives.
var groupDatabase = factlinetest.PostgresTemplate("group", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `CREATE TABLE public.applied (n bigint GENERATED ALWAYS AS IDENTITY, letter_id text, key text, version bigint, redrive_id text)`)
	return err
})

var catalogue = sync.OnceValues(func() (*contract.Catalogue, error) { return contract.Load(contracts.FS()) })

// bench is a store, the database of the group that failed, and a broker.
type bench struct {
	t         *testing.T
	ops, own  *pgxpool.Pool
	cluster   *factlinetest.Cluster
	contracts *contract.Catalogue
	outbox    *outbox.Outbox
	store     *deadletter.Store
	now       time.Time
	timeout   time.Duration
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		t: t, ops: factlinetest.Postgres(t, operations), own: factlinetest.Postgres(t, groupDatabase),
		now: time.Now().UTC().Truncate(time.Millisecond), timeout: 2 * time.Minute,
	}
	var err error
	if b.contracts, err = catalogue(); err != nil {
		t.Fatal(err)
	}
	b.outbox, err = outbox.New(outbox.Config{Contracts: b.contracts, Producer: "platform-operations"})
	if err != nil {
		t.Fatal(err)
	}
	b.store = b.newStore(b.contracts)
	return b
}

func (b *bench) newStore(c deadletter.Contracts) *deadletter.Store {
	b.t.Helper()
	store, err := deadletter.NewStore(deadletter.StoreConfig{
		Pool: b.ops, Contracts: c, Outbox: b.outbox, Outcomes: deadletter.Pools{"projection-service": b.own},
		OutcomeTimeout: b.timeout, Now: func() time.Time { return b.now },
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return store
}

// dead is a dead letter as its group made it.
type dead struct {
	id, order string
	redriveID string
	version   int64
	offset    int64
	message   string
	failedAt  time.Time
	value     []byte
}

func (b *bench) dead(order string, version int64) dead {
	n := version
	for _, c := range []byte(order) {
		n = n*131 + int64(c)
	}
	return dead{
		id: fmt.Sprintf("dlt_%s%d", order, version), order: order, version: version, offset: n & 0x7fffffffffff,
		message: "broken", failedAt: b.now.Add(-time.Hour), value: captured(b.t, order, version),
	}
}

var example = sync.OnceValues(func() ([]byte, error) {
	return fs.ReadFile(contracts.FS(), "events/oms.order.events/OrderCaptured/examples/minimal.json")
})

// captured is a valid event of an order.
func captured(t testing.TB, order string, version int64) []byte {
	t.Helper()
	text, err := example()
	if err != nil {
		t.Fatal(err)
	}
	var event map[string]any
	if err := json.Unmarshal(text, &event); err != nil {
		t.Fatal(err)
	}
	event["eventId"], event["aggregateId"], event["aggregateVersion"] = envelope.NewID(), order, version
	event["correlationId"], event["schemaRef"] = "c", "schema://oms.order.events/OrderCaptured/1"
	event["payload"].(map[string]any)["orderId"] = order
	text, err = json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// bury writes letters into the group's database, as its consumer does.
func (b *bench) bury(letters ...dead) {
	b.t.Helper()
	_, err := b.own.CopyFrom(b.t.Context(), pgx.Identifier{"factline", "dead_letter"}, []string{
		"dead_letter_id", "consumer", "topic", "partition", "offset", "tenant_id", "aggregate_type", "aggregate_id",
		"aggregate_version", "event_id", "event_type", "error_class", "error_message", "attempts", "blocks", "block_key",
		"record_key", "headers", "value", "failed_at", "state",
	}, pgx.CopyFromSlice(len(letters), func(i int) ([]any, error) {
		d := letters[i]
		return []any{
			d.id, group, topic, 0, d.offset, "tenant_001", "Order", d.order, d.version, "e", "OrderCaptured", "HANDLER_FAILED", d.message,
			5, true, []byte(d.order), []byte(d.order), nil, d.value, d.failedAt, "OPEN",
		}, nil
	}))
	if err != nil {
		b.t.Fatal(err)
	}
}

// letter is what stands on the dead-letter topic.
func (b *bench) letter(d dead) *kgo.Record {
	b.t.Helper()
	text, err := json.Marshal(consumer.DeadLetter{
		ID: d.id, RedriveID: d.redriveID, Blocks: true,
		FailedAt: d.failedAt, SourceTopic: topic, SourceOffset: d.offset, ConsumerGroup: group, EventID: "e", EventType: "OrderCaptured",
		ErrorClass: consumer.HandlerFailed, ErrorMessage: d.message, AttemptCount: 5, OriginalKey: []byte(d.order),
		OriginalHeaders: []envelope.Header{{Key: "eventType", Value: []byte("OrderCaptured")}}, OriginalValue: d.value,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return &kgo.Record{Topic: dltTopic, Key: []byte(d.order), Value: text, Timestamp: d.failedAt}
}

// collect stores records as the collector does.
func (b *bench) collect(records ...*kgo.Record) {
	b.t.Helper()
	if err := deadletter.Collect(b.t.Context(), b.ops, nil, records...); err != nil {
		b.t.Fatal(err)
	}
}

// give makes letters known to the group and the store.
func (b *bench) give(letters ...dead) {
	b.t.Helper()
	b.bury(letters...)
	records := make([]*kgo.Record, len(letters))
	for i, d := range letters {
		records[i] = b.letter(d)
	}
	b.collect(records...)
}

func (b *bench) plan(sel deadletter.Selection) deadletter.Plan {
	b.t.Helper()
	plan, err := b.store.PlanRedrive(b.t.Context(), deadletter.PlanRequest{Selection: sel, Operator: "kim", Team: "Platform Team", Reason: "fixed in 1.2"})
	if err != nil {
		b.t.Fatal(err)
	}
	return plan
}

// connect starts a broker, the relay of the store, and a group that takes
// redrives. fails says which attempts fail again.
func (b *bench) connect(fails func(id string) bool) {
	b.t.Helper()
	b.cluster = factlinetest.FakeKafka(b.t)
	b.cluster.CreateTopic(b.t, retryTopic, 3, nil)
	b.cluster.CreateTopic(b.t, dltTopic, 3, map[string]string{"max.message.bytes": "8388608"})
	relay, err := outbox.NewRelay(outbox.RelayConfig{Pool: b.ops, Brokers: b.cluster.Addrs(), Outbox: b.outbox})
	if err != nil {
		b.t.Fatal(err)
	}
	b.background(relay.Run)
	client := b.cluster.Client(b.t, kgo.ConsumeTopics(retryTopic))
	b.background(func(ctx context.Context) error { return b.takeRedrives(ctx, client, fails) })
}

// background runs until the test ends.
func (b *bench) background(work func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- work(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
}

// takeRedrives follows the contract between a redrive and a group: an open
// letter is tried at once, one redrive id counts once.
func (b *bench) takeRedrives(ctx context.Context, client *kgo.Client, fails func(id string) bool) error {
	for {
		records := client.PollFetches(ctx).Records()
		if ctx.Err() != nil {
			return nil
		}
		batch := &pgx.Batch{}
		for _, r := range records {
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			if headers["retry-group"] != group {
				continue
			}
			if fails(headers["dead-letter-id"]) {
				batch.Queue(`UPDATE factline.dead_letter SET redrive_id = $2, redrives = redrives || $2::text
				WHERE dead_letter_id = $1 AND state = 'OPEN' AND $2 <> ALL (redrives)`, headers["dead-letter-id"], headers["redrive-id"])
				continue
			}
			batch.Queue(`WITH taken AS (UPDATE factline.dead_letter SET state = 'APPLIED', redrive_id = $2, redrives = redrives || $2::text
				WHERE dead_letter_id = $1 AND state = 'OPEN' AND $2 <> ALL (redrives) RETURNING *)
				INSERT INTO public.applied (letter_id, key, version, redrive_id)
				SELECT dead_letter_id, convert_from(record_key, 'UTF8'), aggregate_version, $2 FROM taken
				WHERE record_key = $3 AND value = $4 AND "offset" = $5::bigint`,
				headers["dead-letter-id"], headers["redrive-id"], r.Key, r.Value, headers["source-offset"])
		}
		if err := b.own.SendBatch(ctx, batch).Close(); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func never(string) bool { return false }

// applied are the letters that had their effect, in order.
func (b *bench) applied() []string {
	b.t.Helper()
	rows, err := b.own.Query(b.t.Context(), `SELECT letter_id FROM public.applied ORDER BY n`)
	if err != nil {
		b.t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.t.Fatal(err)
	}
	return ids
}

// forwarded is how many records left through the store's outbox.
func (b *bench) forwarded() (n int) {
	b.t.Helper()
	if err := b.ops.QueryRow(b.t.Context(), `SELECT count(*) FROM factline.outbox_event`).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// doomedStore has connections of its own, which killWhenAhead ends.
func (b *bench) doomedStore() *deadletter.Store {
	b.t.Helper()
	config := b.ops.Config()
	config.ConnConfig.RuntimeParams["application_name"] = "doomed"
	pool, err := pgxpool.NewWithConfig(b.t.Context(), config)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(pool.Close)
	b.ops, pool = pool, b.ops
	store := b.newStore(b.contracts)
	b.ops = pool
	return store
}

// killWhenAhead ends the connections of the doomed store once so many more
// letters were applied, if that happens before ctx ends.
func (b *bench) killWhenAhead(ctx context.Context, more int) {
	goal := -1
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		var applied int
		if err := b.own.QueryRow(ctx, `SELECT count(*) FROM public.applied`).Scan(&applied); err != nil {
			return
		}
		if goal < 0 {
			goal = applied + more
		}
		if applied >= goal {
			_, _ = b.ops.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'doomed' AND datname = current_database()`)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (b *bench) awaitLetters(total int) {
	b.t.Helper()
	factlinetest.Eventually(b.t, time.Minute+time.Duration(total)*time.Millisecond, "all letters being collected", func() (bool, error) {
		groups, err := b.store.Groups(b.t.Context(), deadletter.Selection{Group: group})
		return len(groups) == 1 && groups[0].Letters == int64(total), err
	})
}

// checkOrder finds a letter that was applied twice or before its predecessor.
func (b *bench) checkOrder(total int) {
	b.t.Helper()
	var rows, distinct, disorder int
	err := b.own.QueryRow(b.t.Context(), `SELECT count(*), count(DISTINCT letter_id), count(*) FILTER (WHERE version <> place)
		FROM (SELECT letter_id, version, row_number() OVER (PARTITION BY key ORDER BY n) AS place FROM public.applied) a`).Scan(&rows, &distinct, &disorder)
	if err != nil || rows != total || distinct != total || disorder != 0 {
		b.t.Errorf("%d applied, %d different, %d out of order, %v; want %d, %d, 0", rows, distinct, disorder, err, total, total)
	}
}

// lettersOfLargeTest is 100000 where FACTLINE_LARGE is set, as in make test-large.
func lettersOfLargeTest() int {
	if os.Getenv("FACTLINE_LARGE") != "" {
		return 100_000
	}
	return 10_000
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not contain %q", text, part)
		}
	}
}
