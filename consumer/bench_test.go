package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/outbox"
)

// BenchmarkRunner consumes b.N events of 1 KB of 10,000 aggregates from 12
// partitions, with inbox and gate, into one row per aggregate. Broker, database
// and consumer share the machine.
func BenchmarkRunner(b *testing.B) {
	for _, form := range []string{"bulk", "single"} {
		for _, mode := range []consumer.Mode{consumer.Ordered, consumer.Unordered} {
			b.Run(form+"/"+mode.String(), func(b *testing.B) { benchmark(b, form == "bulk", mode) })
		}
	}
}

func benchmark(b *testing.B, bulk bool, mode consumer.Mode) {
	b.Helper()
	pool := factlinetest.Postgres(b, migrated)
	if _, err := pool.Exec(b.Context(), `CREATE TABLE app.projection (tenant_id text, order_id text, version bigint, PRIMARY KEY (tenant_id, order_id))`); err != nil {
		b.Fatal(err)
	}
	kafka := factlinetest.FakeKafka(b)
	kafka.CreateTopic(b, orders, 12, nil)
	fill(b, kafka)
	ob, err := outbox.New(outbox.Config{Contracts: rules{}, Producer: service})
	if err != nil {
		b.Fatal(err)
	}
	sub := consumer.Subscription{Topic: orders, Mode: mode, Handlers: map[string]consumer.Handler{"OrderCaptured": project}}
	if bulk {
		sub.Handlers, sub.Bulk, sub.BulkTypes = nil, projectBulk, []string{"OrderCaptured"}
	}
	runner, err := consumer.New(consumer.Config{
		Group: group, Service: service, Pool: pool, Brokers: kafka.Addrs(), Outbox: ob,
		Subscriptions: []consumer.Subscription{sub}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	factlinetest.Eventually(b, patient*10, "all events", func() (bool, error) {
		var n int64
		err := pool.QueryRow(b.Context(), `SELECT COALESCE(sum(next_offset), 0) FROM factline.consumer_offset`).Scan(&n)
		return n == int64(b.N), err
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func fill(b *testing.B, kafka *factlinetest.Cluster) {
	b.Helper()
	client := kafka.Client(b, kgo.ProducerBatchCompression(kgo.ZstdCompression()), kgo.ProducerLinger(0))
	payload := json.RawMessage(`{"orderId":"x","note":"` + strings.Repeat("abcdefghij", 55) + `"}`)
	for i := range b.N {
		e := order(fmt.Sprintf("order-%05d", i%10_000), int64(i/10_000)+1)
		e.EventID, e.Payload = envelope.NewID(), payload
		value, err := envelope.Encode(e)
		if err != nil {
			b.Fatal(err)
		}
		client.Produce(b.Context(), &kgo.Record{Topic: orders, Key: []byte(e.AggregateID), Value: value}, nil)
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func project(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
	_, err := tx.Exec(ctx, `INSERT INTO app.projection VALUES ($1, $2, $3) ON CONFLICT (tenant_id, order_id) DO UPDATE SET version = excluded.version`,
		m.TenantID, m.AggregateID, m.AggregateVersion)
	return err
}

func projectBulk(ctx context.Context, tx pgx.Tx, ms []consumer.Message) error {
	latest := make(map[string]int64, len(ms))
	for _, m := range ms {
		latest[m.AggregateID] = m.AggregateVersion
	}
	ids, versions := make([]string, 0, len(latest)), make([]int64, 0, len(latest))
	for id, version := range latest {
		ids, versions = append(ids, id), append(versions, version)
	}
	_, err := tx.Exec(ctx, `INSERT INTO app.projection SELECT $1, * FROM unnest($2::text[], $3::bigint[])
		ON CONFLICT (tenant_id, order_id) DO UPDATE SET version = excluded.version`, ms[0].TenantID, ids, versions)
	return err
}
