package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/deadletter"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/outbox"
)

// startGroup runs a real consumer group beside the collector, both with their
// relays. Its handler fails for good until it is fixed.
func (b *bench) startGroup() (fixed *atomic.Bool) {
	b.t.Helper()
	b.cluster = factlinetest.FakeKafka(b.t)
	declared, _ := b.contracts.Topic(topic)
	b.cluster.CreateTopic(b.t, topic, 3, nil)
	for _, retry := range declared.RetryTopics() {
		b.cluster.CreateTopic(b.t, retry.Name, 3, nil)
	}
	b.cluster.CreateTopic(b.t, dltTopic, 3, map[string]string{"max.message.bytes": "8388608"})
	own, err := outbox.New(outbox.Config{Contracts: b.contracts, Producer: "projection-service"})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, cfg := range []outbox.RelayConfig{{Pool: b.ops, Outbox: b.outbox}, {Pool: b.own, Outbox: own}} {
		cfg.Brokers = b.cluster.Addrs()
		relay, err := outbox.NewRelay(cfg)
		if err != nil {
			b.t.Fatal(err)
		}
		b.background(relay.Run)
	}
	fixed = &atomic.Bool{}
	runner, err := consumer.New(consumer.Config{
		Group: group, Service: "projection-service", Pool: b.own, Brokers: b.cluster.Addrs(), Outbox: own, Contracts: b.contracts,
		SweepInterval: 20 * time.Millisecond,
		Subscriptions: []consumer.Subscription{{Topic: topic, Handlers: map[string]consumer.Handler{
			"OrderCaptured": func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				if m.AggregateVersion == 1 && !fixed.Load() {
					return consumer.Permanent(errors.New("the discount of line 7 is unknown"))
				}
				_, err := tx.Exec(ctx, `INSERT INTO public.applied (letter_id, key, version) VALUES ($1, $2, $3)`, m.EventID, m.AggregateID, m.AggregateVersion)
				return err
			},
		}}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.background(runner.Run)
	b.collector(nil)
	return fixed
}

// publish sends versions of orders as their producer does.
func (b *bench) publish(orders, versions int) {
	b.t.Helper()
	var records []*kgo.Record
	for version := range versions {
		for n := range orders {
			order := fmt.Sprintf("k%03d", n)
			value := captured(b.t, order, int64(version+1))
			event, err := envelope.DecodeRaw(value)
			if err != nil {
				b.t.Fatal(err)
			}
			record := &kgo.Record{Topic: topic, Key: []byte(order), Value: value}
			for _, h := range envelope.Headers(event, "") {
				record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			records = append(records, record)
		}
	}
	if err := b.cluster.Client(b.t).ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

func TestARealGroupTakesARedriveAndReleasesWhatItHeld(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	fixed := b.startGroup()
	const orders, versions = 20, 4
	b.publish(orders, versions)
	b.awaitLetters(orders)
	factlinetest.Eventually(t, time.Minute, "later versions being held", func() (bool, error) {
		var held int
		err := b.own.QueryRow(t.Context(), `SELECT count(*) FROM factline.held_event`).Scan(&held)
		return held == orders*(versions-1), err
	})

	early := b.apply(b.plan(deadletter.Selection{}).ID, fast)
	if early.State != deadletter.Stopped || early.Failed != 1 || early.NotSent != orders-1 {
		t.Fatalf("before the handler is fixed = %+v, want the canary to stop it", early)
	}
	factlinetest.Eventually(t, time.Minute, "the canary's second letter being collected", func() (bool, error) {
		page, err := b.store.List(t.Context(), deadletter.Selection{State: deadletter.Open})
		failures := 0
		for _, l := range page.Letters {
			failures += l.Failures
		}
		return len(page.Letters) == orders && failures == orders+1, err
	})

	fixed.Store(true)
	plan := b.plan(deadletter.Selection{Group: group, Class: string(consumer.HandlerFailed)})
	if plan.Ready != orders || plan.Keys != orders {
		t.Fatalf("plan = %+v", plan)
	}
	receipt := b.apply(plan.ID, fast)
	if receipt.State != deadletter.Done || receipt.Applied != orders {
		t.Fatalf("receipt = %+v", receipt)
	}
	factlinetest.Eventually(t, time.Minute, "held events following", func() (bool, error) {
		return len(b.applied()) == orders*versions, nil
	})
	b.checkOrder(orders * versions)
}
