//go:build realprometheus

package prometheus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/outbox"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

const (
	orders      = "oms.order.events.v1"
	lost        = "oms.lost.events.v1"
	deadLetters = "oms.order.events.dlt.v1"
	redrives    = "oms.order.events.retry.1m.v1"
	group       = "order-service.orders.consumer"
	service     = "order-service"
)

var migrated = factlinetest.PostgresTemplate("prometheus", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrate.Up(ctx, pool, migrate.Config{})
})

// catalogue knows two topics. A payload with "bad" breaks it.
type catalogue struct{}

func (catalogue) Topic(name string) (*contract.Topic, bool) {
	return &contract.Topic{Name: name, OnDeadLetter: "block", RetryTiers: []string{"1m"}}, name == orders || name == lost
}

func (catalogue) Route(eventType string, version int, payload []byte) (contract.Route, error) {
	if !strings.HasPrefix(eventType, "Order") {
		return contract.Route{}, &contract.UnknownEventError{EventType: eventType, EventVersion: version}
	}
	var order struct{ OrderID string }
	if err := json.Unmarshal(payload, &order); err != nil {
		return contract.Route{}, err
	}
	return contract.Route{Topic: orders, Key: order.OrderID, SchemaRef: "schema://" + orders + "/" + eventType + "/1", Producer: service, AggregateType: "Order"}, nil
}

func (catalogue) Validate(eventType string, version int, value []byte) error {
	if bytes.Contains(value, []byte(`"bad"`)) {
		return &contract.ViolationError{EventType: eventType, EventVersion: version, Violations: []contract.Violation{{Path: "payload.note", Message: "is wrong"}}}
	}
	return nil
}

// proof is a relay and a consumer with an endpoint that a Prometheus scrapes.
type proof struct {
	*server
	pool   *pgxpool.Pool
	kafka  *factlinetest.Cluster
	client *kgo.Client
	outbox *outbox.Outbox
	dialed dialed
	slow   chan struct{}     // closed lets slow events go
	failed atomic.Int32      // attempts of the flaky event
	types  map[string]string // of metrics, as Prometheus was told
}

func newProof(t *testing.T) *proof {
	t.Helper()
	registry := prometheus.NewRegistry()
	endpoint := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(endpoint.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	p := &proof{pool: factlinetest.Postgres(t, migrated), kafka: factlinetest.FakeKafka(t), slow: make(chan struct{}), types: map[string]string{}}
	p.server = startServer(t, strings.TrimPrefix(endpoint.URL, "http://"))
	for topic, partitions := range map[string]int{orders: 2, lost: 1, deadLetters: 1, redrives: 1, "oms.lost.events.retry.1m.v1": 1} {
		p.kafka.CreateTopic(t, topic, partitions, nil)
	}
	p.client = p.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var err error
	p.outbox, err = outbox.New(outbox.Config{Contracts: catalogue{}, Producer: service, Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	p.loseRecords()
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		Pool: p.pool, Brokers: p.kafka.Addrs(), Outbox: p.outbox, Registerer: registry, LeaseTTL: 2 * time.Second,
		ClientOptions: []kgo.Opt{kgo.Dialer(p.dialed.dial)},
	})
	if err != nil {
		t.Fatal(err)
	}
	p.run(relay.Run)
	runner, err := consumer.New(p.consumer(registry))
	if err != nil {
		t.Fatal(err)
	}
	p.run(runner.Run)
	return p
}

func (p *proof) consumer(registry prometheus.Registerer) consumer.Config {
	handlers := map[string]consumer.Handler{"OrderCaptured": p.handle, "OrderChanged": p.handle}
	none := []time.Duration{}
	return consumer.Config{
		Group: group, Service: service, Pool: p.pool, Brokers: p.kafka.Addrs(), Outbox: p.outbox, Contracts: catalogue{}, Registerer: registry,
		Subscriptions: []consumer.Subscription{
			{Topic: orders, Handlers: handlers, RetryTiers: none},
			{Topic: lost, Handlers: handlers, RetryTiers: none},
		},
		Tenants:    func(tenant string) bool { return tenant != "foreign" },
		BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond,
		InPlaceAttempts: 5, SweepInterval: 50 * time.Millisecond, GapAlertAfter: time.Nanosecond, StallAfter: 500 * time.Millisecond,
	}
}

// handle fails, refuses or waits as the order's id says.
func (p *proof) handle(ctx context.Context, _ pgx.Tx, m consumer.Message) error {
	switch {
	case strings.HasPrefix(m.AggregateID, "flaky") && p.failed.Add(1) <= 3:
		return errors.New("not yet")
	case strings.HasPrefix(m.AggregateID, "poison"):
		return consumer.Permanent(errors.New("no such offer"))
	case strings.HasPrefix(m.AggregateID, "slow"):
		select {
		case <-p.slow:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// run runs a part until it is told to stop or the test ends.
func (p *proof) run(part func(context.Context) error) (stop func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Error(err)
		}
	})
	p.t.Cleanup(stop)
	return stop
}

// loseRecords lets the group read a topic for a while, and then takes from the
// log what comes next.
func (p *proof) loseRecords() {
	p.t.Helper()
	runner, err := consumer.New(p.consumer(nil))
	if err != nil {
		p.t.Fatal(err)
	}
	p.sendLost(1)
	stop := p.run(runner.Run)
	factlinetest.Eventually(p.t, 20*time.Second, "the first record read", func() (bool, error) {
		var next int64
		err := p.pool.QueryRow(p.t.Context(), "SELECT next_offset FROM factline.consumer_offset WHERE topic = $1", lost).Scan(&next)
		return next == 1, err
	})
	stop()
	p.sendLost(2, 3, 4)
	before := kadm.Offsets{}
	before.Add(kadm.Offset{Topic: lost, Partition: 0, At: 3})
	if _, err := kadm.NewClient(p.client).DeleteRecords(p.t.Context(), before); err != nil {
		p.t.Fatal(err)
	}
}

func (p *proof) sendLost(versions ...int64) {
	p.t.Helper()
	for _, v := range versions {
		r := p.record(raw("lost", v))
		r.Topic = lost
		p.send(r)
	}
}

// dialed are the relay's connections to the broker.
type dialed struct {
	mu    sync.Mutex
	conns []net.Conn
}

func (d *dialed) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.conns = append(d.conns, conn)
	}
	return conn, err
}

func (d *dialed) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range d.conns {
		_ = conn.Close()
	}
	d.conns = nil
}

// append commits events of the outbox. A payload of "" is fine, others break the
// contract.
func (p *proof) append(events ...outbox.Event) error {
	defer p.outbox.Wake()
	return pgx.BeginFunc(p.t.Context(), p.pool, func(tx pgx.Tx) error { return p.outbox.Append(p.t.Context(), tx, events...) })
}

func (p *proof) mustAppend(events ...outbox.Event) {
	p.t.Helper()
	if err := p.append(events...); err != nil {
		p.t.Fatal(err)
	}
}

func event(eventType, order, tenant string) outbox.Event {
	return outbox.Event{Type: eventType, TenantID: tenant, AggregateID: order, Payload: map[string]string{"orderId": order}}
}

// raw is an event that reaches the log without an outbox.
func raw(order string, version int64) envelope.Raw {
	return envelope.Raw{
		EventID: envelope.NewID(), EventType: "OrderCaptured", EventVersion: 1, OccurredAt: time.Now().Add(-time.Minute), Producer: service,
		TenantID: "tenant_0", AggregateType: "Order", AggregateID: order, AggregateVersion: version,
		CorrelationID: envelope.NewID(), CausationID: envelope.NewID(), SchemaRef: "schema://" + orders + "/OrderCaptured/1",
		Payload: json.RawMessage(`{"orderId":"` + order + `"}`),
	}
}

func (p *proof) record(e envelope.Raw) *kgo.Record {
	p.t.Helper()
	value, err := envelope.Encode(e)
	if err != nil {
		p.t.Fatal(err)
	}
	r := &kgo.Record{Topic: orders, Key: []byte(e.AggregateID), Value: value}
	for _, h := range envelope.Headers(e, "") {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
}

func (p *proof) send(records ...*kgo.Record) {
	p.t.Helper()
	if err := p.client.ProduceSync(p.t.Context(), records...).FirstErr(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *proof) sendEvents(events ...envelope.Raw) {
	p.t.Helper()
	for _, e := range events {
		p.send(p.record(e))
	}
}
