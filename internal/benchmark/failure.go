package benchmark

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"factline.dev/consumer"
	"factline.dev/deadletter"
	"factline.dev/internal/devstack"
	"factline.dev/migrate"
	"factline.dev/outbox"
)

// failureShare is what part of Events fails.
const failureShare = 60

const failureGroup = "projection-service.failure.consumer"

func (b *Bench) failureSubjects() []subject {
	return []subject{{"retry", b.retry}, {"redrive", b.redrive}}
}

// clock is a group's, which may jump ahead.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) jump(d time.Duration) { c.ahead.Add(int64(d)) }

// failing is a consumer whose handler fails with an error until it is healed.
type failing struct {
	*site
	workload *workload
	clock    clock
	err      error
	healed   atomic.Bool
}

// newFailing has events of one key each on its topic: none waits for another.
func (b *Bench) newFailing(ctx context.Context, events int, err error) (*failing, error) {
	w := newWorkload(min(max(events/failureShare, 100), aggregates))
	for i := range w.orders {
		w.orders[i] = int32(i)
	}
	s, failure := b.publishedSite(ctx, w)
	return &failing{site: s, workload: w, err: err}, failure
}

func (f *failing) handle(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
	if !f.healed.Load() {
		return f.err
	}
	return project(ctx, tx, m)
}

func (f *failing) runner() (*consumer.Runner, error) {
	return f.site.runner(variant{group: failureGroup, validated: true, change: func(cfg *consumer.Config) {
		cfg.InPlaceAttempts = 1
		cfg.Now = f.clock.now
		cfg.Subscriptions[0].Handlers[eventType] = f.handle
	}}, nil)
}

// await waits for an effect of every event, or for a row in another table.
func (f *failing) await(ctx context.Context, query string) error {
	return awaitTrue(ctx, f.pool, "SELECT count(*) >= $1 FROM "+query, f.workload.len())
}

// retry has every event fail, wait for its next attempt, and succeed with it.
func (b *Bench) retry(ctx context.Context, events int) ([]measure, error) {
	f, err := b.newFailing(ctx, events, errors.New("not yet"))
	if err != nil {
		return nil, err
	}
	defer f.close()
	r, err := f.runner()
	if err != nil {
		return nil, err
	}
	var parking, trying time.Duration
	watch := startWatch()
	err = WhileRunning(ctx, r.Run, func(ctx context.Context) error {
		if err := f.await(ctx, "factline.held_event WHERE reason = 'RETRY'"); err != nil {
			return err
		}
		parking = watch.elapsed()
		f.healed.Store(true)
		f.clock.jump(tiers()[0])
		if err := f.await(ctx, "bench.order_summary"); err != nil {
			return err
		}
		trying = watch.elapsed() - parking
		return nil
	})
	if err != nil {
		return nil, err
	}
	n := f.workload.len()
	return []measure{
		watch.rate("retry", "events that fail once are tried again after the first pause of their chain and succeed; the pause takes no time", n, parking+trying),
		watch.rate("retry_failing", "its first part: an attempt each, which fails, and the event waits in the database", n, parking),
		watch.rate("retry_again", "its second part: an attempt each of what waits, which succeeds", n, trying),
	}, checkTable(ctx, f.pool, f.workload.counts())
}

// redrive has every event become a dead letter, and redrives them all.
func (b *Bench) redrive(ctx context.Context, events int) ([]measure, error) {
	f, err := b.newFailing(ctx, events, consumer.Permanent(errors.New("no price book")))
	if err != nil {
		return nil, err
	}
	defer f.close()
	ops, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	defer ops.close()
	o, err := f.operations(ctx, ops)
	if err != nil {
		return nil, err
	}
	var took time.Duration
	watch := startWatch()
	err = WhileRunning(ctx, o.run, func(ctx context.Context) error {
		if err := awaitTrue(ctx, ops.pool, "SELECT count(*) >= $1 FROM deadletter.letter", f.workload.len()); err != nil {
			return err
		}
		f.healed.Store(true)
		watch = startWatch()
		defer func() { took = watch.elapsed() }()
		return o.redriveAll(ctx, f.workload.len())
	})
	if err != nil {
		return nil, err
	}
	m := watch.rate("redrive", "dead letters of a key each are redriven without a limit of the rate, from the plan to the receipt", f.workload.len(), took)
	return []measure{m}, checkTable(ctx, f.pool, f.workload.counts())
}

// operations is everything that dead letters travel through.
type operations struct {
	store *deadletter.Store
	run   func(context.Context) error
}

func (f *failing) operations(ctx context.Context, ops *site) (*operations, error) {
	contracts, err := newContracts()
	if err != nil {
		return nil, err
	}
	topic, _ := contracts.Topic(f.topic)
	var specs []devstack.TopicSpec
	for _, t := range append(topic.RetryTopics(), topic.DeadLetters()) {
		specs = append(specs, topicSpec(t.Name))
	}
	if err := errors.Join(devstack.EnsureTopics(ctx, f.addrs, specs), migrate.UpDeadLetters(ctx, ops.pool)); err != nil {
		return nil, err
	}
	ob, err := outbox.New(outbox.Config{Contracts: routes{ops.topic}, Producer: "platform-operations"})
	if err != nil {
		return nil, err
	}
	store, err := deadletter.NewStore(deadletter.StoreConfig{
		Pool: ops.pool, Contracts: contracts, Outbox: ob, Outcomes: deadletter.Pools{"projection-service": f.pool},
	})
	if err != nil {
		return nil, err
	}
	run, err := f.parts(ops, topic.DeadLetterTopic())
	return &operations{store: store, run: run}, err
}

// parts run at once: the consumer, the collector and a relay for each database.
func (f *failing) parts(ops *site, deadLetters string) (run func(context.Context) error, err error) {
	member, err := f.runner()
	if err != nil {
		return nil, err
	}
	collector, err := deadletter.NewCollector(deadletter.CollectorConfig{
		Group: "platform-operations.dead-letters.consumer", Pool: ops.pool, Brokers: f.addrs, Topics: []string{deadLetters},
	})
	if err != nil {
		return nil, err
	}
	runs := []func(context.Context) error{member.Run, collector.Run}
	for _, pool := range []*site{f.site, ops} {
		relay, err := outbox.NewRelay(outbox.RelayConfig{Pool: pool.pool, Brokers: f.addrs, Instance: "bench"})
		if err != nil {
			return nil, err
		}
		runs = append(runs, relay.Run)
	}
	return func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		for _, run := range runs {
			group.Go(func() error { return run(ctx) })
		}
		return group.Wait()
	}, nil
}

func (o *operations) redriveAll(ctx context.Context, want int) error {
	const operator = "bench"
	plan, err := o.store.PlanRedrive(ctx, deadletter.PlanRequest{
		Selection: deadletter.Selection{Group: failureGroup}, Operator: operator, Team: "Platform Team", Reason: "the price book is there",
	})
	if err != nil {
		return err
	}
	receipt, err := o.store.ApplyRedrive(ctx, deadletter.Apply{ID: plan.ID, Operator: operator, Settings: deadletter.Settings{Rate: -1}})
	if err == nil && (receipt.State != deadletter.Done || receipt.Applied != want) {
		err = fmt.Errorf("the receipt is not complete: %s with %d of %d applied, %d refused (%v)", receipt.State, receipt.Applied, want, receipt.Refused, plan.Refusals)
	}
	return err
}
