package benchmark

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"factline.dev/consumer"
)

const (
	isolationShare = 50  // of Events
	isolationRate  = 300 // events a second for each of the two groups
	bystanders     = 50  // keys beside the one that fails
	culpritKey     = int32(bystanders)
	culpritEvents  = 9
	failingVersion = 3
)

// tiers are the pauses of the retry chain. The group's clock jumps over them.
func tiers() []time.Duration { return []time.Duration{time.Minute, 15 * time.Minute, time.Hour} }

func (b *Bench) isolationSubjects() []subject {
	return []subject{{"isolation", b.isolation}}
}

func isolationRatios(run map[string]float64) []measure {
	return append(ratio(run, "disturbed_p50", "undisturbed_p50"), ratio(run, "disturbed_p99", "undisturbed_p99")...)
}

// isolation runs two groups of one load side by side. In the disturbed one an
// event of one key fails through the whole retry chain; both see a second member
// join and leave, and a restart. The events of the other keys are timed.
func (b *Bench) isolation(ctx context.Context, events int) ([]measure, error) {
	names := []string{"undisturbed", "disturbed"}
	var crowds []*crowd
	defer func() {
		for _, c := range crowds {
			c.close()
		}
	}()
	for _, name := range names {
		c, err := b.newCrowd(ctx, max(events/isolationShare, 2*bystanders), name == "disturbed")
		if err != nil {
			return nil, err
		}
		crowds = append(crowds, c)
	}
	group, gctx := errgroup.WithContext(ctx)
	for i, c := range crowds {
		group.Go(func() error {
			if err := c.run(gctx); err != nil {
				return fmt.Errorf("%s: %w", names[i], err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []measure
	for i, c := range crowds {
		measures := c.measures(names[i])
		for at := range measures {
			measures[at].about += ", of " + c.about()
		}
		all = append(all, measures...)
	}
	return all, nil
}

// crowd is a group of consumers and the load of fifty keys and the culprit's.
type crowd struct {
	*latencyRun
	fails  bool
	healed atomic.Bool
	clock  clock
	close  func()
}

func (b *Bench) newCrowd(ctx context.Context, events int, fails bool) (*crowd, error) {
	from, err := b.newSite(ctx)
	if err != nil {
		return nil, err
	}
	to, err := b.newSite(ctx)
	if err != nil {
		from.close()
		return nil, err
	}
	l := &latencyRun{from: from, to: to, workload: newWorkload(events + culpritEvents), rate: isolationRate, seen: newTimes(events)}
	l.timed = func(i int) bool { return l.workload.orders[i] != culpritKey }
	for i := range l.workload.orders {
		l.workload.orders[i] = int32(i % bystanders)
	}
	for i := range culpritEvents { // all within the first half
		l.workload.orders[(i+1)*events/(2*culpritEvents)] = culpritKey
	}
	return &crowd{latencyRun: l, fails: fails, close: func() { to.close(); from.close() }}, nil
}

func (c *crowd) about() string {
	about := fmt.Sprintf("%d keys while a second member joins and leaves and the first one restarts", bystanders)
	if c.fails {
		about += fmt.Sprintf(", and an event of another key fails %d times with %d of its key behind it", len(tiers()), culpritEvents-failingVersion)
	}
	return about
}

func (c *crowd) run(ctx context.Context) error {
	relay, err := c.relay()
	if err != nil {
		return err
	}
	err = WhileRunning(ctx, relay.Run, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return errors.Join(c.awaitMembers(ctx, 1), c.drive(ctx)) })
		group.Go(func() error { return c.trouble(ctx) })
		return group.Wait()
	})
	if err != nil {
		return err
	}
	return c.check(ctx)
}

// trouble is what happens to the group meanwhile: a rebalance with the first
// pause of the chain, another with the second, and a restart with the third.
func (c *crowd) trouble(ctx context.Context) error {
	err := c.whileMember(ctx, func(ctx context.Context) error {
		if err := errors.Join(c.awaitSent(ctx, 0.3), c.awaitFailures(ctx, 1)); err != nil {
			return err
		}
		err := c.whileMember(ctx, func(ctx context.Context) error {
			if err := errors.Join(c.awaitMembers(ctx, 2), c.jump(ctx, 0)); err != nil {
				return err
			}
			return c.awaitSent(ctx, 0.5)
		})
		return errors.Join(err, c.jump(ctx, 1), c.awaitSent(ctx, 0.7))
	})
	if err != nil {
		return err
	}
	c.healed.Store(true)
	return c.whileMember(ctx, func(ctx context.Context) error {
		return errors.Join(c.jump(ctx, 2), c.awaitApplied(ctx))
	})
}

func (c *crowd) whileMember(ctx context.Context, do func(context.Context) error) error {
	v := variant{group: "projection-service.isolation.consumer", change: func(cfg *consumer.Config) {
		cfg.InPlaceAttempts = 1
		cfg.Now = c.clock.now
		cfg.Subscriptions[0].RetryTiers = tiers()
		cfg.Subscriptions[0].Handlers[eventType] = c.handle
	}}
	member, err := newRunner(c.to.pool, c.to.addrs, c.from.topic, v, c.seen)
	if err != nil {
		return err
	}
	return WhileRunning(ctx, member.Run, do)
}

var errNotYet = errors.New("not yet")

func (c *crowd) handle(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
	if c.fails && !c.healed.Load() && m.AggregateID == orderID(culpritKey) && m.AggregateVersion == failingVersion {
		return errNotYet
	}
	if _, err := tx.Exec(ctx, statement("effect"), m.AggregateID, m.AggregateVersion); err != nil {
		return err
	}
	return project(ctx, tx, m)
}

// jump ends a pause of the chain, and waits for the failure that begins the next.
func (c *crowd) jump(ctx context.Context, tier int) error {
	c.clock.jump(tiers()[tier])
	if tier == len(tiers())-1 {
		return nil
	}
	return c.awaitFailures(ctx, tier+2)
}

const look = 50 * time.Millisecond

func (c *crowd) awaitSent(ctx context.Context, share float64) error {
	return poll(ctx, look, func() (bool, error) {
		return float64(c.sent.Load()) >= share*float64(c.workload.len()), nil
	})
}

func (c *crowd) awaitFailures(ctx context.Context, n int) error {
	if !c.fails {
		return nil
	}
	return awaitTrue(ctx, c.to.pool, "SELECT EXISTS (SELECT FROM factline.held_event WHERE reason = 'RETRY' AND attempts = $1)", n)
}

func (c *crowd) awaitMembers(ctx context.Context, n int) error {
	return awaitTrue(ctx, c.to.pool, "SELECT count(DISTINCT member) >= $1 FROM factline.consumer_offset WHERE member <> ''", n)
}

func (c *crowd) awaitApplied(ctx context.Context) error {
	return awaitTrue(ctx, c.to.pool, "SELECT count(*) >= $1 FROM bench.effect", c.workload.len())
}

// check demands every effect once and in order, and the failures that were meant.
func (c *crowd) check(ctx context.Context) error {
	if err := checkTable(ctx, c.to.pool, c.workload.counts()); err != nil {
		return err
	}
	if err := checkEffectOrder(ctx, c.to.pool); err != nil {
		return err
	}
	want := 0
	if c.fails {
		want = 1
	}
	var retried int
	err := c.to.pool.QueryRow(ctx, "SELECT count(*) FROM factline.inbox WHERE attempts = $1 AND state = 'DONE'", len(tiers())+1).Scan(&retried)
	if err == nil && retried != want {
		err = fmt.Errorf("%d events took effect after %d failures, want %d", retried, len(tiers()), want)
	}
	return err
}

// checkEffectOrder demands that each order's versions took effect one after the other,
// the first one first.
func checkEffectOrder(ctx context.Context, pool *pgxpool.Pool) error {
	h := newHistory()
	rows, err := pool.Query(ctx, "SELECT seq::text, order_id, version FROM bench.effect ORDER BY bench.effect.seq")
	if err != nil {
		return err
	}
	var seq, order string
	var version int64
	_, err = pgx.ForEachRow(rows, []any{&seq, &order, &version}, func() error { h.observe(seq, order, version); return nil })
	if err != nil {
		return err
	}
	for _, example := range h.disordered {
		return fmt.Errorf("effects of %d orders are not in version order, among them %s", len(h.disordered), example)
	}
	return nil
}
