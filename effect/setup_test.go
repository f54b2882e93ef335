package effect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
)

func TestMain(m *testing.M) {
	if dsn := os.Getenv(crashEnv); dsn != "" {
		crashInCall(dsn)
	}
	factlinetest.Main(m)
}

var migrated = factlinetest.PostgresTemplate("effect", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	// What OnResult does in these tests.
	_, err = pool.Exec(ctx, "CREATE TABLE public.outcome (key text, response text, tenant text, happened bigint GENERATED ALWAYS AS IDENTITY)")
	return err
})

const (
	name    = "order-service.confirmation"
	patient = 20 * time.Second
)

// bundle is a database with calls and what a test needs to store and make them.
type bundle struct {
	t      *testing.T
	pool   *pgxpool.Pool
	caller *Caller
}

func setup(t *testing.T) *bundle {
	t.Helper()
	return &bundle{t: t, pool: factlinetest.Postgres(t, migrated), caller: newCaller(t, name)}
}

func newCaller(t *testing.T, name string) *Caller {
	t.Helper()
	c, err := NewCaller(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// because is the context of a handler.
func because(ctx context.Context) context.Context {
	return envelope.WithCause(ctx, envelope.Cause{
		TenantID: "tenant_001", CorrelationID: "cor_1", CausationID: "evt_1",
		Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	})
}

// do stores calls in one transaction.
func (b *bundle) do(calls ...Call) {
	b.t.Helper()
	err := pgx.BeginFunc(b.t.Context(), b.pool, func(tx pgx.Tx) error {
		for _, c := range calls {
			if _, err := b.caller.Do(because(b.t.Context()), tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.caller.Wake()
}

func call(key string) Call { return Call{Key: key, Request: []byte("request " + key)} }

func ordered(key, order string) Call {
	return Call{Key: key, OrderKey: order, Request: []byte("request " + key)}
}

// provider is the other system: it remembers who asked for what.
type provider struct {
	mu     sync.Mutex
	keys   []string
	answer func(ctx context.Context, key string, n int) ([]byte, error)
}

// Perform implements Performer; n counts the calls of a key from 1.
func (p *provider) Perform(ctx context.Context, _, key string, _ []byte) ([]byte, error) {
	p.mu.Lock()
	p.keys = append(p.keys, key)
	n := 0
	for _, k := range p.keys {
		if k == key {
			n++
		}
	}
	p.mu.Unlock()
	if p.answer == nil {
		return []byte("answer " + key), nil
	}
	return p.answer(ctx, key, n)
}

func (p *provider) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.keys...)
}

func (b *bundle) config(p Performer, change ...func(*WorkerConfig)) WorkerConfig {
	cfg := WorkerConfig{
		Caller: b.caller, Pool: b.pool, Performer: p, PollInterval: 5 * time.Millisecond,
		BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(b.t.Output(), nil)),
	}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

// work runs a worker until the test ends or the returned function stops it.
func (b *bundle) work(p Performer, change ...func(*WorkerConfig)) (w *Worker, stop func()) {
	b.t.Helper()
	w, err := NewWorker(b.config(p, change...))
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run = %v, want nil", err)
		}
	})
	b.t.Cleanup(stop)
	return w, stop
}

// outcome is an OnResult that writes what it got.
func outcome(ctx context.Context, tx pgx.Tx, r Result) error {
	_, err := tx.Exec(ctx, "INSERT INTO public.outcome (key, response, tenant) VALUES ($1, $2, current_setting('factline.tenant'))", r.Key, string(r.Response))
	return err
}

func withOutcome(c *WorkerConfig) { c.OnResult = outcome }

// outcomes are the effects of answers, in the order in which they happened.
func (b *bundle) outcomes() []string {
	b.t.Helper()
	rows, err := b.pool.Query(b.t.Context(), "SELECT key || ': ' || response FROM public.outcome ORDER BY happened")
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// entry is the call with this key.
func (b *bundle) entry(key string) Entry {
	b.t.Helper()
	all, err := List(b.t.Context(), b.pool, Filter{Limit: 10_000})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range all {
		if e.Key == key {
			return e
		}
	}
	return Entry{}
}

// await waits until the call with this key has this state.
func (b *bundle) await(key, state string) Entry {
	b.t.Helper()
	var last Entry
	factlinetest.Eventually(b.t, patient, key+" to be "+state, func() (bool, error) {
		if last = b.entry(key); last.State != state {
			return false, fmt.Errorf("it is %q: %s", last.State, last.Error)
		}
		return true, nil
	})
	return last
}

// expire ends the leases and pauses of all calls.
func (b *bundle) expire() {
	b.t.Helper()
	if _, err := b.pool.Exec(b.t.Context(), "UPDATE factline.effect_call SET due_at = clock_timestamp()"); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) count(table string) (n int) {
	b.t.Helper()
	if err := b.pool.QueryRow(b.t.Context(), "SELECT count(*) FROM "+pgx.Identifier{"factline", table}.Sanitize()).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// line is a line to the database that a test can cut.
type line struct {
	mu    sync.Mutex
	down  bool
	conns map[*lineConn]struct{}
	// loseCommits is how many answers to COMMIT are still to be lost.
	loseCommits atomic.Int64
}

func (b *bundle) line() (*line, *pgxpool.Pool) {
	b.t.Helper()
	cfg, err := pgxpool.ParseConfig(factlinetest.DSN(b.pool))
	if err != nil {
		b.t.Fatal(err)
	}
	l := &line{conns: map[*lineConn]struct{}{}}
	cfg.ConnConfig.DialFunc = l.dial
	pool, err := pgxpool.NewWithConfig(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(pool.Close)
	return l, pool
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		_ = conn.Close()
		return nil, errors.New("the line is cut")
	}
	c := &lineConn{Conn: conn, line: l}
	l.conns[c] = struct{}{}
	return c, nil
}

// cut ends every connection and refuses new ones until it is mended.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for c := range l.conns {
		_ = c.Close()
		delete(l.conns, c)
	}
}

// silence lets nothing pass on the connections that stand, and tells nobody;
// new ones work.
func (l *line) silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.silent.Store(true)
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// isCommit knows the message alone: the name of a database may end in the word.
func isCommit(p []byte) bool { return bytes.Equal(p, []byte("Q\x00\x00\x00\vcommit\x00")) }

type lineConn struct {
	net.Conn
	line   *line
	losing atomic.Bool
	silent atomic.Bool
}

func (c *lineConn) Write(p []byte) (int, error) {
	if isCommit(p) && c.line.loseCommits.Add(-1) >= 0 {
		c.losing.Store(true)
	}
	if c.silent.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *lineConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	for c.silent.Load() && err == nil {
		n, err = c.Conn.Read(p)
	}
	if c.losing.Load() && n > 0 {
		_ = c.Close()
		return 0, errors.New("the answer is lost")
	}
	return n, err
}

func counted(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var value dto.Metric
	if err := m.Write(&value); err != nil {
		t.Fatal(err)
	}
	if value.Gauge != nil {
		return value.GetGauge().GetValue()
	}
	return value.GetCounter().GetValue()
}
