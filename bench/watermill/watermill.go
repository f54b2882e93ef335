// Package watermill is the relay of Watermill: its forwarder between a table in
// PostgreSQL and Kafka.
package watermill

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/components/forwarder"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"

	"factline.dev/internal/benchmark"
)

// Peers are the settings that are measured.
func Peers() []benchmark.Peer {
	return []benchmark.Peer{
		setup{tables: 1}.peer("watermill", 60,
			"Watermill's forwarder, one table, its defaults but for acks=all"),
		setup{tables: 1, batch: 1000, tuned: true}.peer("watermill_tuned", 20,
			"Watermill's forwarder, one table, SubscribeBatchSize 1000, idempotent producer"),
		setup{tables: 12, batch: 1000, tuned: true}.peer("watermill_12_tables", 10,
			"Watermill's forwarder twelve times on twelve tables, an aggregate always in the same, SubscribeBatchSize 1000, idempotent producer"),
	}
}

type setup struct {
	tables int
	// batch is SubscribeBatchSize, 0 for Watermill's default.
	batch int
	tuned bool
}

func (c setup) peer(name string, share int, about string) benchmark.Peer {
	return benchmark.Peer{Benchmark: "relay", Name: name, About: about, Share: share, Run: c.run}
}

// perTransaction is how many events a filling transaction appends, as ours does.
const perTransaction = 100

const aggregateKey = "aggregateId"

func (c setup) run(ctx context.Context, s *benchmark.Site) (time.Duration, error) {
	if err := c.createTables(s); err != nil {
		return 0, err
	}
	if err := c.fill(ctx, s); err != nil {
		return 0, fmt.Errorf("fill the outbox: %w", err)
	}
	err := benchmark.WhileRunning(ctx, func(ctx context.Context) error { return c.forward(ctx, s) },
		func(ctx context.Context) error { return s.AwaitLog(ctx, s.Topic, len(s.Events)) })
	if err != nil {
		return 0, err
	}
	return s.LogSpan(ctx)
}

func (c setup) schema() sql.DefaultPostgreSQLSchema {
	return sql.DefaultPostgreSQLSchema{SubscribeBatchSize: c.batch}
}

func table(i int) string { return fmt.Sprintf("outbox_%d", i) }

func (c setup) subscriber(s *benchmark.Site) (*sql.Subscriber, error) {
	return sql.NewSubscriber(sql.BeginnerFromPgx(s.Pool), sql.SubscriberConfig{
		SchemaAdapter: c.schema(), OffsetsAdapter: sql.DefaultPostgreSQLOffsetsAdapter{}, InitializeSchema: true,
	}, watermill.NopLogger{})
}

func (c setup) createTables(s *benchmark.Site) error {
	subscriber, err := c.subscriber(s)
	if err != nil {
		return err
	}
	for i := range c.tables {
		if err := subscriber.SubscribeInitialize(table(i)); err != nil {
			return fmt.Errorf("create the table of %s: %w", table(i), err)
		}
	}
	return subscriber.Close()
}

// fill publishes as a business transaction would, through the publisher that
// wraps events for the forwarder.
func (c setup) fill(ctx context.Context, s *benchmark.Site) error {
	for i, events := range c.split(s.Events) {
		for from := 0; from < len(events); from += perTransaction {
			part := events[from:min(from+perTransaction, len(events))]
			err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error { return c.publish(tx, table(i), s.Topic, part) })
			if err != nil {
				return err
			}
		}
		// A table that is written all the time has statistics.
		if _, err := s.Pool.Exec(ctx, "ANALYZE "+pgx.Identifier{"watermill_" + table(i)}.Sanitize()); err != nil {
			return err
		}
	}
	return nil
}

// split keeps the events of an aggregate together and in order.
func (c setup) split(events []benchmark.Event) [][]benchmark.Event {
	parts := make([][]benchmark.Event, c.tables)
	for _, e := range events {
		h := fnv.New32a()
		_, _ = h.Write([]byte(e.Aggregate))
		i := h.Sum32() % uint32(c.tables)
		parts[i] = append(parts[i], e)
	}
	return parts
}

func (c setup) publish(tx pgx.Tx, table, topic string, events []benchmark.Event) error {
	publisher, err := sql.NewPublisher(sql.TxFromPgx(tx), sql.PublisherConfig{SchemaAdapter: c.schema()}, watermill.NopLogger{})
	if err != nil {
		return err
	}
	messages := make([]*message.Message, len(events))
	for i, e := range events {
		messages[i] = message.NewMessage(e.ID, e.Value)
		for key, value := range e.Headers {
			messages[i].Metadata.Set(key, value)
		}
		messages[i].Metadata.Set(aggregateKey, e.Aggregate)
	}
	return forwarder.NewPublisher(publisher, forwarder.PublisherConfig{ForwarderTopic: table}).Publish(topic, messages...)
}

func (c setup) kafkaPublisher(brokers []string) (*kafka.Publisher, error) {
	settings := kafka.DefaultSaramaSyncPublisherConfig()
	settings.Producer.RequiredAcks = sarama.WaitForAll
	if c.tuned {
		// No compression: a request holds one message, for which it is mere work.
		settings.Producer.Idempotent = true
		settings.Net.MaxOpenRequests = 1 // what idempotence asks of sarama, and all that one message needs
	}
	return kafka.NewPublisher(kafka.PublisherConfig{
		Brokers: brokers, OverwriteSaramaConfig: settings,
		Marshaler: kafka.NewWithPartitioningMarshaler(func(_ string, m *message.Message) (string, error) {
			return m.Metadata.Get(aggregateKey), nil
		}),
	}, watermill.NopLogger{})
}

// forward runs a forwarder for each table until ctx ends.
func (c setup) forward(ctx context.Context, s *benchmark.Site) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, c.tables)
	for i := range c.tables {
		go func() {
			err := c.forwardTable(ctx, s, table(i))
			stop()
			ended <- err
		}()
	}
	var err error
	for range c.tables {
		err = errors.Join(err, <-ended)
	}
	return err
}

func (c setup) forwardTable(ctx context.Context, s *benchmark.Site, table string) error {
	subscriber, err := c.subscriber(s)
	if err != nil {
		return err
	}
	publisher, err := c.kafkaPublisher(s.Brokers)
	if err != nil {
		return errors.Join(err, subscriber.Close())
	}
	f, err := forwarder.NewForwarder(subscriber, publisher, watermill.NopLogger{}, forwarder.Config{ForwarderTopic: table, CloseTimeout: 5 * time.Second})
	if err != nil {
		return errors.Join(err, subscriber.Close(), publisher.Close())
	}
	return errors.Join(f.Run(ctx), f.Close(), subscriber.Close(), publisher.Close())
}
