package consumer_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/factlinetest"
	"factline.dev/outbox"
)

func config(t *testing.T) consumer.Config {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	ob, err := outbox.New(outbox.Config{Contracts: rules{}, Producer: service})
	if err != nil {
		t.Fatal(err)
	}
	return consumer.Config{
		Group: group, Service: service, Pool: pool, Brokers: []string{"127.0.0.1:1"}, Outbox: ob, Contracts: rules{},
		Subscriptions: []consumer.Subscription{{Topic: orders, Handlers: map[string]consumer.Handler{"OrderCaptured": record}}},
	}
}

func TestNewRefusesAndNamesTheField(t *testing.T) {
	t.Parallel()
	one := func(change func(*consumer.Subscription)) func(*consumer.Config) {
		return func(c *consumer.Config) { change(&c.Subscriptions[0]) }
	}
	for _, tt := range []struct {
		name   string
		change func(*consumer.Config)
		want   string
	}{
		{"no database", func(c *consumer.Config) { c.Pool = nil }, "consumer.Config.Pool: it is nil"},
		{"no outbox", func(c *consumer.Config) { c.Outbox = nil }, "consumer.Config.Outbox: it is nil"},
		{"no broker", func(c *consumer.Config) { c.Brokers = nil }, "consumer.Config.Brokers: it is empty"},
		{"no group", func(c *consumer.Config) { c.Group = "" }, "consumer.Config.Group: it is empty"},
		{"a group of another form", func(c *consumer.Config) { c.Group = "projection-service.orders" }, "consumer.Config.Group: \"projection-service.orders\" has not the form"},
		{"a group with capitals", func(c *consumer.Config) { c.Group = "projection-service.Orders.consumer" }, "consumer.Config.Group"},
		{"a group of another service", func(c *consumer.Config) { c.Group = "order-service.orders.consumer" }, "does not begin with the service"},
		{"a group with a UUID", func(c *consumer.Config) {
			c.Group = "projection-service.o-3f2b8c1e-7d4a-4b6e-9c1d-2a3b4c5d6e7f.consumer"
		}, "looks random"},
		{"a group with a ULID", func(c *consumer.Config) { c.Group = "projection-service.o-01j1x2y3z4a5b6c7d8e9f0g1h2.consumer" }, "looks random"},
		{"a group with a pod's suffix", func(c *consumer.Config) { c.Group = "projection-service.orders-7d9f8b6c5d-x2x9z.consumer" }, "looks random"},
		{"no topic", func(c *consumer.Config) { c.Subscriptions = nil }, "consumer.Config.Subscriptions: it is empty"},
		{"an unknown topic", one(func(s *consumer.Subscription) { s.Topic = "oms.orders.v1" }), "consumer.Config.Subscriptions[0].Topic: oms.orders.v1 is unknown"},
		{"a topic twice", func(c *consumer.Config) { c.Subscriptions = append(c.Subscriptions, c.Subscriptions[0]) }, "consumer.Config.Subscriptions[1].Topic: oms.order.events.v1 appears twice"},
		{"an unknown mode", one(func(s *consumer.Subscription) { s.Mode = 7 }), "consumer.Config.Subscriptions[0].Mode: 7 is no mode"},
		{"letters to a topic that the relay takes for events", one(func(s *consumer.Subscription) { s.DeadLetterTopic = "oms.order.letters.v1" }), "consumer.Config.Subscriptions[0].DeadLetterTopic: oms.order.letters.v1 does not contain"},
		{"nothing to do", one(func(s *consumer.Subscription) { s.Handlers = nil }), "consumer.Config.Subscriptions[0].Handlers: it is empty"},
		{"a handler of an unknown type", one(func(s *consumer.Subscription) { s.Handlers = map[string]consumer.Handler{"QuoteSent": record} }), "consumer.Config.Subscriptions[0].Handlers[\"QuoteSent\"]"},
		{"tombstones of an event topic", one(func(s *consumer.Subscription) { s.Handlers = map[string]consumer.Handler{"": record} }), "tombstones are delivered in mode Latest alone"},
		{"bulk without types", one(func(s *consumer.Subscription) { s.Bulk = recordBulk }), "consumer.Config.Subscriptions[0].Bulk: Bulk and BulkTypes need each other"},
		{"a type handled twice", one(func(s *consumer.Subscription) { s.Bulk, s.BulkTypes = recordBulk, []string{"OrderCaptured"} }), "consumer.Config.Subscriptions[0].BulkTypes[0]"},
		{"a chunk too large", func(c *consumer.Config) { c.MaxChunkRecords = 10_001 }, "consumer.Config.MaxChunkRecords: 10001 is outside 1 to 10000"},
		{"a queue below a chunk", func(c *consumer.Config) { c.MaxQueuedRecords = 10 }, "consumer.Config.MaxQueuedRecords: 10 is below"},
		{"a negative interval", func(c *consumer.Config) { c.SweepInterval = -1 }, "consumer.Config.SweepInterval"},
		{"backoff the wrong way round", func(c *consumer.Config) { c.BackoffMin = time.Hour }, "consumer.Config.BackoffMax"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := config(t)
			tt.change(&c)
			_, err := consumer.New(c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("New = %v, want %q", err, tt.want)
			}
			for _, field := range regexp.MustCompile(`consumer\.Config\.(\w+)`).FindAllStringSubmatch(err.Error(), -1) {
				if _, ok := reflect.TypeFor[consumer.Config]().FieldByName(field[1]); !ok {
					t.Errorf("the error names %s, which is no field", field[0])
				}
			}
		})
	}
}

func TestNewAcceptsTheGroupNamesOfThePlatform(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"quote-service.pricing-events.consumer", "order-service.quote-events.consumer", "audit-service.all-domain-events.consumer", "b2b-service.orders-v2.consumer"} {
		c := config(t)
		c.Group, c.Service, _ = name, strings.Split(name, ".")[0], 0
		if _, err := consumer.New(c); err != nil {
			t.Errorf("New with group %s: %v", name, err)
		}
	}
}

func TestNewJoinsAllProblems(t *testing.T) {
	t.Parallel()
	_, err := consumer.New(consumer.Config{})
	for _, field := range []string{"Group", "Service", "Pool", "Brokers", "Outbox", "Subscriptions"} {
		if err == nil || !strings.Contains(err.Error(), "consumer.Config."+field+":") {
			t.Errorf("New of an empty Config = %v, want it to name %s", err, field)
		}
	}
}

func TestRunRefusesADatabaseWithoutTheTables(t *testing.T) {
	t.Parallel()
	c := config(t)
	c.Pool = factlinetest.Postgres(t)
	runner, err := consumer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "migrate.Up") {
		t.Errorf("Run = %v, want the next step migrate.Up", err)
	}
}

func TestEveryStatementPreparesOnTheMigratedSchema(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	for name, sql := range consumer.Statements() {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Conn().Prepare(t.Context(), name, sql); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		conn.Release()
	}
}
