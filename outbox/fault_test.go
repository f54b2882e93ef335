package outbox

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/factlinetest"
	"factline.dev/migrate"
)

func setupFake(t *testing.T) *bundle {
	t.Helper()
	b := setup(t)
	b.kafka = factlinetest.FakeKafka(t)
	b.kafka.CreateTopic(t, b.topic, 3, nil)
	return b
}

type parked struct {
	AggregateID      string
	AggregateVersion int64
	Reason           string
	IsCulprit        bool
}

func (b *bundle) parked() []parked {
	b.t.Helper()
	rows, err := b.pool.Query(b.t.Context(), `SELECT aggregate_id, aggregate_version, reason, is_culprit
		FROM factline.outbox_parked ORDER BY aggregate_id, aggregate_version`)
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[parked])
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// rejectPoison makes the broker refuse every batch that holds the word, as a
// real one refuses a batch for one record of it. Compression must be off.
func rejectPoison(fake *kfake.Cluster) *kfake.FaultHandle {
	return fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidRecord, Count: -1, When: isPoisoned})
}

func uncompressed(c *RelayConfig) { c.Producer.Compression = "none" }

// Pitfall 8: the broker names a batch; only the record that is at fault and
// the later ones of its key may suffer.
func TestARejectedBatchParksItsCulpritAlone(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	rejectPoison(b.kafka.Fake())
	b.append(event("bad", "fine"), event("bad", "POISON"), event("bad", "after"))
	for i := range 40 {
		b.append(event(fmt.Sprint("good", i), ""), event(fmt.Sprint("good", i), ""))
	}
	stop := b.relay(uncompressed)
	b.settled()
	checkOrder(t, b.published(81), 81)
	want := []parked{
		{"bad", 2, "the broker refused it: " + kerr.InvalidRecord.Error(), true},
		{"bad", 3, behindReason, false},
	}
	got := b.parked()
	if len(got) != 2 || got[0].AggregateVersion != 2 || !got[0].IsCulprit || got[1] != want[1] || !strings.Contains(got[0].Reason, "INVALID_RECORD") {
		t.Errorf("parked %+v, want %+v", got, want)
	}
	stop()

	// The fence holds for another owner and for what comes later.
	b.relay(uncompressed)
	b.append(event("bad", "much later"))
	b.append(event("good0", "much later"))
	b.settled()
	checkOrder(t, b.published(82), 82)
	if got := b.parked(); len(got) != 3 || got[2].AggregateVersion != 4 {
		t.Errorf("parked %+v, want version 4 held as well", got)
	}
}

// Pitfall 7: what the client itself would refuse for its size must not let a
// later record of the key pass.
func TestAnOversizeRecordHoldsItsKey(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	forward := func(key string, size int) {
		err := b.in(func(tx pgx.Tx) error {
			return b.outbox.Forward(t.Context(), tx, Record{Topic: b.topic, Key: []byte(key), Value: bytes.Repeat([]byte("x"), size)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	forward("k", 10)
	forward("k", 2<<20)
	forward("k", 11)
	forward("other", 12)
	b.relay(uncompressed)
	b.settled()
	sizes := 0
	for _, r := range b.records(2) {
		sizes += len(r.Value)
	}
	if sizes != 22 {
		t.Errorf("the log holds %d bytes, want only the first of the key and the other key: 22", sizes)
	}
	if got := b.parked(); len(got) != 2 {
		t.Errorf("%d rows parked, want the oversize record and its successor", len(got))
	}
}

// With manual flushing the client fails what does not fit and takes what does.
func TestABoundOnTheClientsBufferLetsNoRecordPass(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	for _, size := range []int{10, 3000, 11, 3000, 12} {
		b.append(event("k", strings.Repeat("x", size)))
	}
	b.relay(func(c *RelayConfig) { c.ClientOptions = []kgo.Opt{kgo.MaxBufferedBytes(2500)} })
	b.settled()
	checkOrder(t, b.published(5), 5)
}

// Pitfall 10: an answer that is lost although the records were written.
func TestALostAcknowledgementLosesAndInvertsNothing(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	for i := range 30 {
		b.append(event(fmt.Sprint("a", i%3), ""))
	}
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: 2})
	b.relay()
	b.settled()
	if fault.Hits() == 0 {
		t.Fatal("no answer was lost: the test shows nothing")
	}
	all := b.published(30)
	checkOrder(t, all, 30)
	if len(all) != 30 || len(b.parked()) > 0 {
		t.Errorf("%d records and %d parked, want 30 and none: the broker knows what it has", len(all), len(b.parked()))
	}
}

func TestABrokerOutageIsRiddenOut(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	b.relay()
	for i := range 20 {
		b.append(event(fmt.Sprint("a", i%4), ""))
	}
	factlinetest.Eventually(t, 10*time.Second, "refused produce requests", func() (bool, error) { return fault.Hits() >= 2, nil })
	if report, err := Status(t.Context(), b.pool); err != nil || report.Pending() != 20 {
		t.Fatalf("%d pending (%v), want all 20 kept", report.Pending(), err)
	}
	fault.Remove()
	b.settled()
	checkOrder(t, b.published(20), 20)
	if got := b.parked(); len(got) != 0 {
		t.Errorf("an outage parked %+v", got)
	}
}

// A topic that the broker does not accept stops its lanes, so it is named.
func TestATopicThatIsNotAcceptedIsNamed(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	registry := prometheus.NewRegistry()
	var text lockedBuffer
	b.relay(func(c *RelayConfig) {
		c.Registerer, c.Logger = registry, slog.New(slog.NewTextHandler(&text, nil))
	})
	b.append(event("a", ""), event("a", ""))
	waiting := func() float64 { return counter(t, registry, "factline_outbox_unaccepted_events", b.topic) }
	factlinetest.Eventually(t, 20*time.Second, "both events in the metrics", func() (bool, error) { return waiting() == 2, nil })
	factlinetest.Eventually(t, 20*time.Second, "the topic in the log", func() (bool, error) {
		said := text.String()
		return strings.Contains(said, "level=ERROR") && strings.Contains(said, "topics=["+b.topic+"]"), nil
	})
	fault.Remove()
	b.settled()
	checkOrder(t, b.published(2), 2)
	factlinetest.Eventually(t, 10*time.Second, "no event in the metrics", func() (bool, error) { return waiting() == 0, nil })
}

// lockedBuffer takes the log of a relay that runs.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// The timestamp is the relay host's clock: a clock that is wrong parked whatever
// was sent meanwhile.
func TestAClockThatTheBrokerRefusesParksNothing(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidTimestamp, Count: 4})
	b.append(event("a", ""), event("a", ""), event("b", ""))
	b.relay()
	b.settled()
	if fault.Hits() == 0 {
		t.Fatal("no batch was refused: the test shows nothing")
	}
	checkOrder(t, b.published(3), 3)
	if got := b.parked(); len(got) != 0 {
		t.Errorf("a wrong clock parked %+v", got)
	}
}

// holdHook blocks the relay at one point until it is released.
type holdHook struct {
	reached chan string
	release chan struct{}
	isHeld  atomic.Bool
	once    sync.Once
}

func newHoldHook(t *testing.T) *holdHook {
	t.Helper()
	h := &holdHook{reached: make(chan string, 1), release: make(chan struct{})}
	t.Cleanup(h.letGo)
	return h
}

func (h *holdHook) letGo() { h.once.Do(func() { close(h.release) }) }

func (h *holdHook) hold(id string) {
	h.isHeld.Store(true)
	select {
	case h.reached <- id:
	default:
	}
	<-h.release
}

type holdBefore struct{ *holdHook }

func (h holdBefore) BeforePublish(id string) { h.hold(id) }

type holdAfter struct{ *holdHook }

func (h holdAfter) AfterPublish(id string) { h.hold(id) }

// Pitfall 9: the process dies after the acknowledgement and before the receipt.
func TestACrashBeforeTheReceiptRepeatsTheSameEvent(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	b.append(event("a", ""))
	hook := newHoldHook(t)
	stop := b.relay(func(c *RelayConfig) { c.Hooks = holdAfter{hook}; c.DrainTimeout = time.Millisecond })
	<-hook.reached
	stop()
	b.relay()
	b.settled()
	events := b.published(2)
	if len(events) != 2 || events[0].EventID != events[1].EventID {
		t.Fatalf("%d records on the log, want one event twice", len(events))
	}
	if events[0].PublishedAt.Equal(events[1].PublishedAt) {
		t.Error("both publications carry one publishedAt")
	}
}

// Pitfall 11: an owner that was paused past its lease sends old events again;
// what it records is void and no version is new in the wrong place.
func TestAPausedOwnerDoesNoHarm(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	b.append(event("a", "1"), event("a", "2"))
	hook := newHoldHook(t)
	stop := b.relay(func(c *RelayConfig) {
		c.Hooks, c.Instance = holdBefore{hook}, "paused"
		c.Pool = b.pausablePool(hook)
		c.LeaseTTL = time.Hour
	})
	<-hook.reached
	// The paused process renews nothing: its lease ends by the database's clock.
	if _, err := b.pool.Exec(t.Context(), "WITH relay AS (UPDATE factline.outbox_relay SET alive_until = '-infinity') UPDATE factline.outbox_lane SET leased_until = '-infinity'"); err != nil {
		t.Fatal(err)
	}
	b.relay(func(c *RelayConfig) { c.Instance = "next"; c.LeaseTTL = time.Minute })
	b.published(2)
	b.settled()
	b.append(event("a", "3"))
	b.published(3)
	hook.letGo()
	checkOrder(t, b.published(5), 3) // the two stale ones again
	stop()                           // after it has tried to record them
	b.settled()                      // an event is on the log before its receipt is
	var receipts int
	err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM factline.outbox_receipt CROSS JOIN unnest(positions)").Scan(&receipts)
	if err != nil || receipts != 3 {
		t.Errorf("%d receipts (%v), want 3: what the paused owner sent is void", receipts, err)
	}
}

// pausablePool gives no connection to the relay that hook has paused.
func (b *bundle) pausablePool(hook *holdHook) *pgxpool.Pool {
	b.t.Helper()
	cfg := b.pool.Config()
	cfg.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) {
		if hook.isHeld.Load() {
			<-hook.release
		}
		return true, nil
	}
	pool, err := pgxpool.NewWithConfig(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(pool.Close)
	return pool
}

func TestPartitionsAreMadeAheadAndDroppedWhenSettled(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	ctx := t.Context()
	old := "outbox_event_" + time.Now().UTC().AddDate(0, 0, -30).Format("20060102")
	if _, err := b.pool.Exec(ctx, "SELECT factline.outbox_make_partitions(now() - interval '30 days', 1)"); err != nil {
		t.Fatal(err)
	}
	b.append(event("a", ""))
	if _, err := b.pool.Exec(ctx, "UPDATE factline.outbox_event SET created_at = created_at - interval '30 days'"); err != nil {
		t.Fatal(err)
	}
	exists := func() bool {
		var found bool
		if err := b.pool.QueryRow(ctx, "SELECT to_regclass('factline.' || $1) IS NOT NULL", old).Scan(&found); err != nil {
			t.Fatal(err)
		}
		return found
	}
	s := &store{pool: b.pool, owner: "x", maxEvents: 10, maxBytes: 1 << 20}
	if err := s.maintain(ctx, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if !exists() {
		t.Fatal("a partition with an unpublished event was dropped")
	}
	stop := b.relay(func(c *RelayConfig) { c.Retention = -1 })
	b.settled()
	stop()
	if err := s.maintain(ctx, 24*time.Hour); err != nil {
		t.Fatal(err)
	}
	if exists() {
		t.Error("a published partition past retention is still there")
	}
	var ahead int
	err := b.pool.QueryRow(ctx, `SELECT count(*) FROM pg_inherits WHERE inhparent = 'factline.outbox_event'::regclass`).Scan(&ahead)
	if err != nil || ahead < 9 {
		t.Errorf("%d partitions (%v), want eight days and the default", ahead, err)
	}
}

// Pitfall 46: the clock is past every partition that was made.
func TestAnAppendBeyondEveryPartitionIsStored(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	if _, err := b.pool.Exec(t.Context(), dropPartitions); err != nil {
		t.Fatal(err)
	}
	b.append(event("a", ""))
	b.relay()
	b.published(1)
	// Today's rows stay where they are; every other day gets its partition.
	if err := migrate.Up(t.Context(), b.pool, migrate.Config{}); err != nil {
		t.Fatal(err)
	}
	var tomorrow bool
	name := "factline.outbox_event_" + time.Now().UTC().AddDate(0, 0, 1).Format("20060102")
	if err := b.pool.QueryRow(t.Context(), "SELECT to_regclass($1) IS NOT NULL", name).Scan(&tomorrow); err != nil || !tomorrow {
		t.Errorf("tomorrow's partition is missing (%v)", err)
	}
}

func TestAnUnsafeClientOptionIsRefused(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	for _, opt := range []kgo.Opt{kgo.DisableIdempotentWrite(), kgo.TransactionalID("x"), kgo.AllowIdempotentProduceCancellation()} {
		r, err := NewRelay(RelayConfig{Pool: b.pool, Brokers: b.kafka.Addrs(), ClientOptions: []kgo.Opt{opt}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "ClientOptions") {
			t.Errorf("Run gave %v, want a refusal that names ClientOptions", err)
		}
	}
}

// A stall is reported while the sender still has the chunk, and after it.
func TestAStalledLaneIsReportedAndGoesOn(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	b.append(event("a", ""))
	registry := prometheus.NewRegistry()
	b.relay(func(c *RelayConfig) { c.StallAfter = time.Millisecond; c.Registerer = registry })
	stalled := func() float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "factline_outbox_stalled_lanes" {
				return f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return 0
	}
	factlinetest.Eventually(t, 10*time.Second, "a stalled lane", func() (bool, error) { return stalled() == 1, nil })
	fault.Remove()
	b.settled()
	factlinetest.Eventually(t, 10*time.Second, "no stalled lane", func() (bool, error) { return stalled() == 0, nil })
}

func TestRelayConfigNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := NewRelay(RelayConfig{ChunkEvents: -1, Producer: ProducerConfig{Compression: "rar"}})
	for _, field := range []string{"Pool", "Brokers", "ChunkEvents", "Producer.Compression"} {
		if err == nil || !strings.Contains(err.Error(), "outbox.RelayConfig."+field) {
			t.Errorf("error %v does not name %s", err, field)
		}
	}
}
