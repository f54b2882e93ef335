package benchmark

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/outbox"
	"factline.dev/platform/contracts"
)

// variant is one way to run ours.
type variant struct {
	name, group, about string
	bulk, validated    bool
	// change has the last word about the configuration. Nil changes nothing.
	change func(*consumer.Config)
}

func (b *Bench) consumerOurs(v variant) func(context.Context, int) ([]measure, error) {
	return func(ctx context.Context, events int) ([]measure, error) {
		s, w, err := b.published(ctx, events)
		if err != nil {
			return nil, err
		}
		defer s.close()
		r, err := s.runner(v, nil)
		if err != nil {
			return nil, err
		}
		var took time.Duration
		watch := startWatch()
		err = WhileRunning(ctx, r.Run, func(ctx context.Context) error {
			defer func() { took = watch.elapsed() }()
			return s.awaitConsumed(ctx, v.group, int64(w.len()))
		})
		if err != nil {
			return nil, err
		}
		m := watch.rate(v.name, v.about, w.len(), took)
		return []measure{m}, checkTable(ctx, s.pool, w.counts())
	}
}

func (s *site) runner(v variant, hooks any) (*consumer.Runner, error) {
	return newRunner(s.pool, s.addrs, s.topic, v, hooks)
}

func newRunner(pool *pgxpool.Pool, addrs []string, topic string, v variant, hooks any) (*consumer.Runner, error) {
	ob, err := outbox.New(outbox.Config{Contracts: routes{topic}, Producer: "projection-service"})
	if err != nil {
		return nil, err
	}
	cfg := consumer.Config{
		Group: v.group, Service: "projection-service", Pool: pool, Brokers: addrs, Outbox: ob,
		Subscriptions: []consumer.Subscription{v.subscription(topic)}, Hooks: hooks,
	}
	if v.validated {
		if cfg.Contracts, err = newContracts(); err != nil {
			return nil, err
		}
	}
	if v.change != nil {
		v.change(&cfg)
	}
	return consumer.New(cfg)
}

func (v variant) subscription(topic string) consumer.Subscription {
	if !v.bulk {
		return consumer.Subscription{Topic: topic, Handlers: map[string]consumer.Handler{eventType: project}}
	}
	return consumer.Subscription{
		Topic: topic, BulkTypes: []string{eventType},
		Bulk: func(ctx context.Context, tx pgx.Tx, ms []consumer.Message) error {
			events := make([]envelope.Raw, len(ms))
			for i, m := range ms {
				events[i] = m.Raw
			}
			return projectBulk(ctx, tx, events)
		},
	}
}

// project is the handler that is called per event.
func project(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
	return projectOne(ctx, tx, m.Raw)
}

// anyTopic is the platform's catalogue for topics with another name.
type anyTopic struct{ *contract.Catalogue }

func (c anyTopic) Topic(name string) (*contract.Topic, bool) {
	found, ok := c.Catalogue.Topic("oms.order.events.v1")
	if !ok {
		return nil, false
	}
	t := *found
	t.Name = name
	return &t, true
}

func newContracts() (anyTopic, error) {
	catalogue, err := contract.Load(contracts.FS())
	return anyTopic{catalogue}, err
}

// awaitConsumed waits until the next offsets, which commit with the effects,
// add up to the events of the topic.
func (s *site) awaitConsumed(ctx context.Context, group string, events int64) error {
	return poll(ctx, 10*time.Millisecond, func() (bool, error) {
		var sum int64
		err := s.pool.QueryRow(ctx, "SELECT coalesce(sum(next_offset), 0)::bigint FROM factline.consumer_offset WHERE consumer = $1", group).Scan(&sum)
		return sum >= events, err
	})
}
