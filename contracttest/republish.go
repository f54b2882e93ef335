package contracttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
	"factline.dev/outbox"
)

// republish publishes the outbox with a relay that dies before it can record what
// was acknowledged, and then with another, and compares the ids on the log.
func (p Producer) republish(ctx context.Context, stored []storedEvent) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	acknowledged, err := p.publishAndCrash(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.publishAll(ctx); err != nil {
		return nil, err
	}
	records, err := p.log(ctx, stored)
	if err != nil {
		return nil, err
	}
	return unstable(records, stored, acknowledged), nil
}

// crash is a relay's death between acknowledgement and receipt.
type crash struct {
	stop context.CancelFunc

	mu  sync.Mutex
	ids []string // acknowledged before
}

// AfterPublish implements outbox.AfterPublishHook.
func (c *crash) AfterPublish(eventID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = append(c.ids, eventID)
	c.stop()
}

func (c *crash) acknowledged() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.ids)
}

// connect lets nothing reach the database any more after the crash.
func (c *crash) connect(context.Context, *pgx.Conn) (bool, error) {
	if len(c.acknowledged()) > 0 {
		return false, errors.New("contracttest: this relay has crashed")
	}
	return true, nil
}

func (p Producer) publishAndCrash(ctx context.Context) ([]string, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	c := &crash{stop: stop}
	cfg := p.Pool.Config()
	cfg.PrepareConn = c.connect
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("contracttest: reach the outbox: %w", err)
	}
	defer pool.Close()
	relay, err := outbox.NewRelay(outbox.RelayConfig{
		Pool: pool, Brokers: p.Brokers, Instance: "contracttest-crash", Hooks: c, LeaseTTL: time.Second, DrainTimeout: time.Millisecond,
	})
	if err != nil {
		return nil, fmt.Errorf("contracttest: %w", err)
	}
	if err := relay.Run(running); err != nil {
		return nil, fmt.Errorf("contracttest: publish the outbox: %w", err)
	}
	if ids := c.acknowledged(); len(ids) > 0 {
		return ids, nil
	}
	return nil, fmt.Errorf("contracttest: publish the outbox: nothing was acknowledged; create the topics of the events: %w", ctx.Err())
}

func (p Producer) publishAll(ctx context.Context) error {
	relay, err := outbox.NewRelay(outbox.RelayConfig{Pool: p.Pool, Brokers: p.Brokers, Instance: "contracttest-next"})
	if err != nil {
		return fmt.Errorf("contracttest: %w", err)
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- relay.Run(running) }()
	err = p.emptied(ctx)
	stop()
	return errors.Join(err, <-ended)
}

func (p Producer) emptied(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		pending, err := pending(ctx, p.Pool)
		switch {
		case err != nil:
			return fmt.Errorf("contracttest: wait for the outbox to be published: %w", err)
		case pending == 0:
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("contracttest: wait for the outbox to be published: %d events stay; create their topics: %w", pending, ctx.Err())
		case <-tick.C:
		}
	}
}

func pending(ctx context.Context, pool *pgxpool.Pool) (n int64, err error) {
	report, err := outbox.Status(ctx, pool)
	for _, lane := range report.Lanes {
		n += lane.Pending
	}
	return n, err
}

// log reads the topics of the events to their ends.
func (p Producer) log(ctx context.Context, stored []storedEvent) ([]*kgo.Record, error) {
	topics := map[string]bool{}
	for _, e := range stored {
		topics[e.Topic] = true
	}
	names := slices.Sorted(maps.Keys(topics))
	client, err := kgo.NewClient(kgo.SeedBrokers(p.Brokers...), kgo.ConsumeTopics(names...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, fmt.Errorf("contracttest: reach the broker: %w", err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("contracttest: read the log: %w", err)
	}
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	var records []*kgo.Record
	for int64(len(records)) < left {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, fmt.Errorf("contracttest: read the log: %w", err)
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

// unstable compares every record with the row that it was published from. What was
// acknowledged before the crash must be there twice, or nothing was compared.
func unstable(records []*kgo.Record, stored []storedEvent, acknowledged []string) (broken []string) {
	ids, times := map[string]string{}, map[string]int{}
	for _, e := range stored {
		if raw, err := envelope.DecodeRaw(e.Value); err == nil {
			ids[version(raw)] = e.ID
		}
	}
	for _, record := range records {
		raw, err := envelope.DecodeRaw(record.Value)
		if err != nil {
			broken = append(broken, "on the log: "+err.Error())
			continue
		}
		times[raw.EventID]++
		if want := ids[version(raw)]; raw.EventID != want || header(record) != want {
			broken = append(broken, fmt.Sprintf("%s of %s: was published as %s with header %s after a retry, its row says %s", raw.EventType, version(raw), raw.EventID, header(record), want))
		}
	}
	for _, id := range acknowledged {
		if times[id] < 2 {
			broken = append(broken, fmt.Sprintf("%s: was published %d times around a crash, want twice under the same id", id, times[id]))
		}
	}
	return broken
}

// version names the fact that an event states, whatever its id.
func version(raw envelope.Raw) string {
	return fmt.Sprintf("%s %s %s version %d", raw.TenantID, raw.AggregateType, raw.AggregateID, raw.AggregateVersion)
}

func header(record *kgo.Record) string {
	for _, h := range record.Headers {
		if h.Key == envelope.HeaderEventID {
			return string(h.Value)
		}
	}
	return ""
}
