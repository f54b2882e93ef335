package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"factline.dev/envelope"
)

// Relay publishes the outbox of one database. Several may run on it at once:
// they share its lanes evenly, and each lane has one owner at a time. Make one
// with [NewRelay].
type Relay struct {
	cfg     RelayConfig
	owner   string // unique per Relay, so that a restart is another owner
	store   *store
	metrics *relayMetrics
	// partitions are shared by the senders.
	partitions *partitions
}

// senders is how many rounds are in flight at once. Two keep the pipe full
// while one of them waits; more only split batches.
const senders = 2

// NewRelay returns a relay. It touches neither database nor broker; its error
// lists every problem of cfg.
func NewRelay(cfg RelayConfig) (*Relay, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("outbox: check relay configuration: %w", err)
	}
	metrics, err := newRelayMetrics(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("outbox: register relay metrics: %w", err)
	}
	owner := cfg.Instance + "/" + envelope.NewID()
	r := &Relay{
		cfg: cfg, owner: owner, metrics: metrics, partitions: &partitions{},
		store: &store{
			pool: cfg.Pool, owner: owner, maxEvents: cfg.ChunkEvents, maxBytes: cfg.ChunkBytes,
			slabs: slabs{maxBytes: 2 * cfg.ChunkBytes},
		},
	}
	r.partitions.exchange = r.agree
	return r, nil
}

// agree exchanges the topics' numbers of partitions with the other relays.
func (r *Relay) agree(p *partitions) {
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.LeaseTTL/3)
	defer cancel()
	if err := r.store.exchangePartitions(ctx, p); err != nil {
		r.cfg.Logger.Warn("outbox topics are sent to before their numbers of partitions are agreed", "error", err)
	}
}

// Run publishes until ctx is cancelled, then waits up to DrainTimeout for what
// is in flight, gives its lanes back and returns nil. It rides out outages of
// database and broker; it returns an error only where it can never work, such
// as a database without the outbox tables.
func (r *Relay) Run(ctx context.Context) error {
	if err := r.store.check(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.publish(ctx) })
	group.Go(func() error { r.maintain(ctx); return nil })
	group.Go(func() error { r.observe(ctx); return nil })
	return group.Wait()
}

func (r *Relay) publish(ctx context.Context) error {
	l := &loop{
		relay: r, log: r.cfg.Logger.With("instance", r.owner), lanes: map[int16]*lane{}, slow: map[int16]int{},
		reads: make(chan readResult, 1), sends: make(chan sendResult, senders), settles: make(chan settleResult, 1),
		companies: make(chan companyResult, 1),
		pause:     r.cfg.PollMin,
	}
	all := make([]*sender, 0, senders)
	defer func() {
		for _, s := range all {
			s.client.Close()
		}
	}()
	for range senders {
		s, err := newSender(r.cfg, r.partitions, r.metrics)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	l.idle = append(l.idle, all...)
	return l.run(ctx)
}

// Every background statement outside the loop gets this long.
const housekeepingTimeout = 30 * time.Second

// maintain makes partitions a week ahead and drops what is published and past
// retention, at the start and every hour.
func (r *Relay) maintain(ctx context.Context) {
	every(ctx, time.Hour, func(ctx context.Context) {
		if err := r.store.maintain(ctx, r.cfg.Retention); err != nil && ctx.Err() == nil {
			r.cfg.Logger.Error("outbox partitions are not maintained; appends go on in the default partition", "error", err)
		}
	})
}

// observe measures what only the database knows.
func (r *Relay) observe(ctx context.Context) {
	var alarms alarms
	every(ctx, 5*time.Second, func(ctx context.Context) {
		report, err := Status(ctx, r.cfg.Pool)
		if err == nil {
			r.metrics.observe(report)
			alarms.raise(r.cfg.Logger, report, r.partitions.changed(), time.Now())
			err = r.store.exchangePartitions(ctx, r.partitions)
			r.metrics.repartitioned.Set(float64(len(r.partitions.changed())))
		}
		if err != nil && ctx.Err() == nil {
			r.cfg.Logger.Warn("outbox status is not known", "error", err)
		}
	})
}

func every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, housekeepingTimeout)
		do(limited)
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// rowKeys are the log's keys of a row.
func rowKeys(r rowName) []any {
	return []any{"event_id", r.eventID, "event_type", r.eventType, "topic", r.topic, "position", r.position}
}

// interrupted reports whether a database error says only that the work was
// interrupted.
func interrupted(err error) bool { return errors.Is(err, context.Canceled) }
