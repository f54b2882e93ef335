package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/factlinetest"
	"factline.dev/migrate"
)

// wire stands between a pool and PostgreSQL and can be cut.
type wire struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	isCut bool
	open  map[net.Conn]struct{}
	mute  map[net.Conn]struct{} // nothing that comes from them goes on
}

// wiredPool reaches the database through a wire.
func (b *bundle) wiredPool() (*pgxpool.Pool, *wire) {
	b.t.Helper()
	target, err := url.Parse(factlinetest.DSN(b.pool))
	if err != nil {
		b.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	w := &wire{listener: listener, server: target.Host, open: map[net.Conn]struct{}{}, mute: map[net.Conn]struct{}{}}
	target.Host = listener.Addr().String()
	pool, err := pgxpool.New(b.t.Context(), target.String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { pool.Close(); _ = listener.Close(); w.cut() })
	go w.run()
	return pool, w
}

func (w *wire) run() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", w.server)
		if err != nil || !w.keep(client, server) {
			_ = client.Close()
			continue
		}
		go w.carry(client, server)
		go w.carry(server, client)
	}
}

// keep notes connections to be cut; there are none while the wire is cut.
func (w *wire) keep(both ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range both {
		if w.isCut {
			_ = c.Close()
		} else {
			w.open[c] = struct{}{}
		}
	}
	return !w.isCut
}

func (w *wire) carry(to, from net.Conn) {
	_, _ = io.Copy(audible{w, to, from}, from)
	_, _ = to.Close(), from.Close()
}

// audible passes on what comes from a connection until that is mute.
type audible struct {
	w        *wire
	to, from net.Conn
}

func (a audible) Write(p []byte) (int, error) {
	a.w.mu.Lock()
	_, isMute := a.w.mute[a.from]
	a.w.mu.Unlock()
	if isMute {
		return len(p), nil
	}
	return a.to.Write(p)
}

// silence lets nothing more pass on the connections there are, and closes none.
// New ones pass.
func (w *wire) silence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(w.mute, w.open)
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = true
	for c := range w.open {
		_ = c.Close()
	}
	clear(w.open)
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = false
}

// fill appends n events of about half a kilobyte on a few hundred keys.
func (b *bundle) fill(n int) {
	b.t.Helper()
	note := strings.Repeat("x", 500)
	for from := 0; from < n; from += 1000 {
		var events []Event
		for i := from; i < min(from+1000, n); i++ {
			events = append(events, event(fmt.Sprint("f", i%300), note))
		}
		b.append(events...)
	}
}

// memory is how many slabs a relay has, and how large the free ones are.
func (r *Relay) memory() (made, bytes int) {
	p := &r.store.slabs
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.free {
		bytes += s.bytes()
	}
	return p.made, bytes
}

// checkMemory allows each lane one chunk in flight, one read ahead and one of a
// shelf, and a read that is under way.
func checkMemory(t *testing.T, r *Relay) {
	t.Helper()
	if made, bytes := r.memory(); made > 4*16 || bytes > 4*16<<20 {
		t.Errorf("the relay has %d slabs and keeps %d bytes; want no more than lanes need", made, bytes)
	}
}

func TestABrokerOutageLeavesMemoryFlat(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fault := b.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	var r *Relay
	b.relay(func(c *RelayConfig) { c.ChunkEvents = 20 }, b.keepRelay(&r))
	b.fill(4000)
	factlinetest.Eventually(t, 10*time.Second, "many refused requests", func() (bool, error) { return fault.Hits() > 20, nil })
	b.fill(4000)
	checkMemory(t, r)
	fault.Remove()
	b.settled()
	checkMemory(t, r)
	checkOrder(t, b.published(8000), 8000)
}

// The database goes away between an acknowledgement and its receipt, stays away
// for several tries, and comes back.
func TestADatabaseOutageIsRiddenOut(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	b.fill(3000)
	pool, wire := b.wiredPool()
	hook := newHoldHook(t)
	registry := prometheus.NewRegistry()
	var r *Relay
	b.relay(func(c *RelayConfig) {
		c.Pool, c.ChunkEvents, c.Hooks, c.Registerer = pool, 20, holdAfter{hook}, registry
	}, b.keepRelay(&r))
	<-hook.reached
	wire.cut()
	hook.letGo()
	factlinetest.Eventually(t, 10*time.Second, "failures of several steps", func() (bool, error) {
		return counter(t, registry, "factline_outbox_failures_total", "receipt") >= 2 &&
			counter(t, registry, "factline_outbox_failures_total", "lease") >= 2, nil
	})
	checkMemory(t, r)
	wire.mend()
	b.settled()
	checkMemory(t, r)
	checkOrder(t, b.published(3000), 3000)
}

// A router forgets the connections: none of them is closed and nothing passes on
// them any more, while new ones work. Reads and recordings used to wait for ever,
// in lanes that were renewed all the time.
func TestConnectionsThatFallSilentStopNoLane(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		hook func(*holdHook) any
	}{
		{"while a read is next", func(*holdHook) any { return nil }},
		{"while a receipt is next", func(h *holdHook) any { return holdAfter{h} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setupFake(t)
			pool, wire := b.wiredPool()
			hook := newHoldHook(t)
			b.append(event("a", ""))
			b.relay(func(c *RelayConfig) { c.Pool, c.Hooks = pool, test.hook(hook) })
			if b.published(1); test.hook(hook) != nil {
				<-hook.reached
			} else {
				b.settled()
			}
			wire.silence()
			hook.letGo()
			b.append(event("a", ""), event("b", ""))
			b.settled()
			checkOrder(t, b.published(3), 3)
		})
	}
}

// A read that is never answered is reported, although renewals are.
func TestALookThatIsNotAnsweredIsReported(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	r := &Relay{cfg: RelayConfig{StallAfter: time.Minute}.WithDefaults()}
	r.metrics, _ = newRelayMetrics(nil)
	l := &loop{relay: r, log: slog.New(slog.NewTextHandler(&text, nil)), unreadSince: time.Now().Add(-time.Second)}
	if l.reportStalls(); text.Len() > 0 {
		t.Errorf("a read of a second is reported: %s", &text)
	}
	l.unreadSince = time.Now().Add(-2 * time.Minute)
	if l.reportStalls(); !strings.Contains(text.String(), "outbox is not read") {
		t.Errorf("a read of two minutes is not reported: %s", &text)
	}
}

// keepRelay hands out the relay that b.relay makes.
func (b *bundle) keepRelay(r **Relay) func(*RelayConfig) {
	return func(*RelayConfig) { b.made = r }
}

// counter is the value of a metric, of the series with this label where it has
// labels.
func counter(t *testing.T, registry *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if label == "" {
				return m.GetGauge().GetValue()
			}
			for _, l := range m.GetLabel() {
				if l.GetValue() == label {
					return m.GetCounter().GetValue() + m.GetGauge().GetValue() // one of them
				}
			}
		}
	}
	return 0
}

func TestAppendRefusesAboveItsLimit(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.fill(50)
	limited, err := New(Config{Contracts: testContracts{b.topic}, Producer: "test-service", MaxPending: 50})
	if err != nil {
		t.Fatal(err)
	}
	var full *FullError
	err = b.in(func(tx pgx.Tx) error {
		if err := limited.Append(t.Context(), tx, event("a", "")); !errors.As(err, &full) || full.Limit != 50 || full.Pending != 50 {
			t.Errorf("got %v, want a FullError that says 50 of 50", err)
		}
		// The transaction goes on, and what must not be refused is not.
		if err := limited.Forward(t.Context(), tx, Record{Topic: b.topic, Key: []byte("k"), Value: []byte("{}")}); err != nil {
			return err
		}
		buffered, buffer := WithBuffer(t.Context(), tx)
		if err := limited.Append(buffered, tx, event("b", "")); err != nil {
			return err
		}
		return buffer.Flush(t.Context(), limited)
	})
	if err != nil {
		t.Fatal(err)
	}
	b.relay()
	factlinetest.Eventually(t, 10*time.Second, "an append that is taken again", func() (bool, error) {
		err := b.in(func(tx pgx.Tx) error { return limited.Append(t.Context(), tx, event("a", "")) })
		if errors.As(err, &full) {
			return false, nil
		}
		return err == nil, err
	})
	if _, err := New(Config{Contracts: testContracts{}, Producer: "p", MaxPending: -1}); err == nil || !strings.Contains(err.Error(), "outbox.Config.MaxPending") {
		t.Errorf("a negative limit gave %v", err)
	}
}

// A transaction that is open for long holds the low-water mark down; what is
// published above it does not wait.
func TestTheLimitCountsNothingThatIsPublished(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	open, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Rollback(context.WithoutCancel(t.Context())) }()
	if err := b.outbox.Append(t.Context(), open, event("f0", "open")); err != nil {
		t.Fatal(err)
	}
	b.relay()
	keys := b.sameLane("f0", 30)
	for _, key := range keys {
		b.append(event(key, ""))
	}
	b.settled0(len(keys))
	l := limit{most: 10}
	if err := b.in(func(tx pgx.Tx) error { return l.check(t.Context(), tx) }); err != nil || l.pending != 1 {
		t.Errorf("%d events count as waiting (%v), want the open one", l.pending, err)
	}
}

// A transaction with a snapshot of its own saw old low-water marks beside new
// positions, and what it counted held for everybody.
func TestATransactionWithAnOldSnapshotRefusesNothing(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	old, err := b.pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := old.Exec(t.Context(), "SELECT"); err != nil {
		t.Fatal(err)
	}
	b.fill(50)
	b.relay()
	b.settled()
	l := limit{most: 50}
	if err := l.check(t.Context(), old); err != nil || l.pending != 0 {
		t.Errorf("%d events count as waiting (%v), want none", l.pending, err)
	}
	if err := b.in(func(tx pgx.Tx) error { return (&limit{most: 1}).check(t.Context(), tx) }); err != nil {
		t.Errorf("the outbox is empty: %v", err)
	}
}

// Pitfall 3: another database of the cluster, or a session that nobody looks
// at, holds the horizon. Publication goes on and the holder is named.
func TestABlockedHorizonDelaysProofsAloneAndIsNamed(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	other, err := pgx.Connect(t.Context(), factlinetest.DSN(factlinetest.Postgres(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(context.WithoutCancel(t.Context())) }()
	if _, err := other.Exec(t.Context(), "SET application_name = 'forgotten'; BEGIN; SELECT pg_current_xact_id()"); err != nil {
		t.Fatal(err)
	}
	err = b.in(func(tx pgx.Tx) error {
		if err := b.outbox.Append(t.Context(), tx, event("a", "")); err != nil {
			return err
		}
		return errRollback
	})
	if !errors.Is(err, errRollback) {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	b.relay(func(c *RelayConfig) { c.Registerer = registry })
	for i := range 20 {
		b.append(event("a", fmt.Sprint(i)))
	}
	checkOrder(t, b.published(20), 20)
	factlinetest.Eventually(t, 10*time.Second, "an open hole in the metrics", func() (bool, error) {
		return counter(t, registry, "factline_outbox_open_holes", "") == 1, nil
	})
	report, err := Status(t.Context(), b.pool)
	if err != nil || report.Blocker == nil || !strings.Contains(report.Blocker.String(), "forgotten") {
		t.Fatalf("the blocker is %+v (%v), want the forgotten session", report.Blocker, err)
	}
	if _, err := other.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	b.settled()
}

func TestAlarmsNameWhatAnOperatorMustKnow(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	var a alarms
	now := time.Now()
	a.raise(log, StatusReport{Blocker: &Blocker{PID: 7, AgeSeconds: 59}}, nil, now)
	if text.Len() > 0 {
		t.Errorf("a young transaction is reported: %s", &text)
	}
	bad := StatusReport{DefaultRows: 3, Blocker: &Blocker{Prepared: "orphan", Database: "shop", AgeSeconds: 61}}
	for _, later := range []time.Duration{0, time.Minute, 6 * time.Minute} {
		a.raise(log, bad, []string{"t (6, at first 3)"}, now.Add(later))
	}
	for _, want := range []string{`prepared transaction \"orphan\" of database shop`, "events=3", "t (6, at first 3)"} {
		if got := strings.Count(text.String(), want); got != 2 {
			t.Errorf("%q is said %d times in six minutes, want twice:\n%s", want, got, &text)
		}
	}
}

// Pitfall 46: nobody has made partitions for nine days.
func TestNineDaysWithoutMaintenanceLoseNothingAndAreReported(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	if _, err := b.pool.Exec(t.Context(), dropPartitions); err != nil {
		t.Fatal(err)
	}
	if err := migrate.Up(t.Context(), b.pool, migrate.Config{Now: time.Now().AddDate(0, 0, -9)}); err != nil {
		t.Fatal(err)
	}
	b.append(event("a", ""), event("a", ""))
	registry := prometheus.NewRegistry()
	stop := b.relay(func(c *RelayConfig) { c.Registerer = registry })
	checkOrder(t, b.published(2), 2)
	factlinetest.Eventually(t, 10*time.Second, "the default partition in the metrics", func() (bool, error) {
		return counter(t, registry, "factline_outbox_default_partition_events", "") == 2, nil
	})
	b.settled()
	stop()
	// When they are past retention, they go and their day gets its partition.
	s := &store{pool: b.pool}
	if err := s.maintain(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.maintain(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	b.append(event("a", ""))
	report, err := Status(t.Context(), b.pool)
	if err != nil || report.DefaultRows != 0 {
		t.Errorf("%d events are in the default partition (%v), want none", report.DefaultRows, err)
	}
}

// dropPartitions leaves the default one.
const dropPartitions = `DO $$ DECLARE p text; BEGIN
	FOR p IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'factline.outbox_event'::regclass AND inhrelid::regclass::text NOT LIKE '%default'
	LOOP EXECUTE 'DROP TABLE ' || p; END LOOP; END $$`
