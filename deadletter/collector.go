package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
	"factline.dev/internal/named"
)

// CollectorConfig is what [NewCollector] needs. Zero fields take their defaults.
type CollectorConfig struct {
	// Group is the consumer group, such as platform-operations.dead-letters.consumer.
	// Required.
	Group string
	// Pool reaches the database of migrate.UpDeadLetters. Required.
	Pool *pgxpool.Pool
	// Brokers are the host:port addresses to start from. Required.
	Brokers []string
	// Topics are the dead-letter topics to read, see [Topics]. Required.
	Topics []string
	// MaxChunkRecords is the most records in one transaction. Default 500.
	MaxChunkRecords int
	// Retention is how long settled letters are kept with their history, and the
	// letters of a redrive that has ended or never began. Receipts and open letters
	// are always kept. Default 60 days, twice the default
	// StoreConfig.DedupeHorizon: keep it above that one, so that what may be asked
	// of a redrive can still be answered. Negative keeps everything.
	Retention time.Duration
	// BackoffMax bounds the pause before the database is tried again, which
	// doubles from 100ms. Default 5s.
	BackoffMax time.Duration
	// Now is the clock of what is recorded. Default time.Now.
	Now func() time.Time
	// Logger receives what an operator should see. Nil discards.
	Logger *slog.Logger
	// ClientOptions are passed on to the Kafka client, for TLS and SASL. Group,
	// offsets and commits are overridden.
	ClientOptions []kgo.Opt
}

// WithDefaults returns c with every unset field at its default.
func (c CollectorConfig) WithDefaults() CollectorConfig {
	c.MaxChunkRecords = cmp.Or(c.MaxChunkRecords, 500)
	c.Retention = cmp.Or(c.Retention, 2*defaultHorizon)
	c.BackoffMax = cmp.Or(c.BackoffMax, 5*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c CollectorConfig) validate() error {
	var problems []error
	refuse := func(field, what string) {
		problems = append(problems, fmt.Errorf("deadletter.CollectorConfig.%s: %s", field, what))
	}
	if c.Group == "" {
		refuse("Group", "it is empty; pass the name of the group")
	}
	if c.Pool == nil {
		refuse("Pool", "it is nil; pass the pool of the database that collects dead letters")
	}
	if len(c.Brokers) == 0 {
		refuse("Brokers", "it is empty; pass at least one host:port")
	}
	if len(c.Topics) == 0 {
		refuse("Topics", "it is empty; pass Topics of the catalogue")
	}
	if c.MaxChunkRecords < 1 || c.MaxChunkRecords > 10_000 {
		refuse("MaxChunkRecords", fmt.Sprintf("%d is outside 1 to 10000", c.MaxChunkRecords))
	}
	return errors.Join(problems...)
}

// Topics are the dead-letter topics of a catalogue.
func Topics(c *contract.Catalogue) []string {
	var names []string
	for _, t := range c.Topics() {
		names = append(names, t.DeadLetterTopic())
	}
	return names
}

// Collector copies the dead-letter topics into the [Store]. Several may run;
// they share the partitions.
//
// It is no consumer.Runner: a dead letter is no event and has no envelope. The
// rules are the same: offsets are stored with the effect, what was collected
// before changes nothing, and nothing is passed over, also not a record that
// cannot be read.
type Collector struct{ cfg CollectorConfig }

// NewCollector returns a collector. It touches neither database nor broker.
func NewCollector(cfg CollectorConfig) (*Collector, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("deadletter: check configuration: %w", err)
	}
	return &Collector{cfg: cfg}, nil
}

// Run collects until ctx ends, then returns nil. It returns an error only when
// it cannot start.
func (c *Collector) Run(ctx context.Context) error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, c.cfg.ClientOptions...),
		kgo.SeedBrokers(c.cfg.Brokers...), kgo.ConsumerGroup(c.cfg.Group), kgo.ConsumeTopics(c.cfg.Topics...),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.AdjustFetchOffsetsFn(c.startOffsets),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)...)
	if err != nil {
		return fmt.Errorf("deadletter: collect with group %s: %w", c.cfg.Group, err)
	}
	defer client.CloseAllowingRebalance()
	var expiry sync.WaitGroup
	expiry.Go(func() { c.expireUntilDone(ctx) })
	defer expiry.Wait()
	for ctx.Err() == nil {
		fetches := client.PollRecords(ctx, c.cfg.MaxChunkRecords)
		fetches.EachError(func(topic string, partition int32, err error) {
			if ctx.Err() == nil {
				c.cfg.Logger.Warn("dead letters not fetched", "topic", topic, "partition", partition, "error", err.Error())
			}
		})
		records := fetches.Records()
		if len(records) > 0 && c.collectUntilDone(ctx, records) {
			// The database has the truth; this is for those who look at lag.
			_ = client.CommitRecords(ctx, records...)
		}
		client.AllowRebalance()
	}
	return nil
}

// collectUntilDone tries until it has worked or ctx ends.
func (c *Collector) collectUntilDone(ctx context.Context, records []*kgo.Record) bool {
	pause := 100 * time.Millisecond
	for {
		err := c.collect(ctx, records)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		c.cfg.Logger.Warn("dead letters not collected yet", "group", c.cfg.Group, "error", err.Error())
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		pause = min(2*pause, c.cfg.BackoffMax)
	}
}

// startOffsets lets the database decide where a partition goes on, as long as it
// knows. A lower offset of Kafka's, after somebody rewound the group, is followed.
func (c *Collector) startOffsets(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	stored, err := c.positions(ctx)
	if err != nil {
		return nil, fmt.Errorf("deadletter: read where to go on: %w", err)
	}
	for topic, partitions := range fetched {
		for partition, committed := range partitions {
			next, known := stored[position{topic, partition}]
			at := committed.EpochOffset().Offset
			switch {
			case !known:
				partitions[partition] = kgo.NewOffset().AtStart()
			case at < 0 || at > next:
				partitions[partition] = kgo.NewOffset().At(next)
			}
		}
	}
	return fetched, nil
}

type position struct {
	topic     string
	partition int32
}

func (c *Collector) positions(ctx context.Context) (map[position]int64, error) {
	rows, err := c.cfg.Pool.Query(ctx, statement("positions"))
	if err != nil {
		return nil, err
	}
	return scanPositions(rows)
}

func scanPositions(rows pgx.Rows) (map[position]int64, error) {
	stored := map[position]int64{}
	var p position
	var next int64
	_, err := pgx.ForEachRow(rows, []any{&p.topic, &p.partition, &next}, func() error {
		stored[p] = next
		return nil
	})
	return stored, err
}

// collect stores records and how far they reach in one transaction.
func (c *Collector) collect(ctx context.Context, records []*kgo.Record) error {
	first, next := map[position]int64{}, map[position]int64{}
	var chunks []*rows
	for _, r := range records {
		p := position{r.Topic, r.Partition}
		if _, seen := first[p]; !seen {
			first[p] = r.Offset
		}
		next[p] = r.Offset + 1
		row := decode(r)
		if len(chunks) == 0 || !chunks[len(chunks)-1].add(row) {
			chunks = append(chunks, newRows(row))
		}
	}
	return inTx(ctx, c.cfg.Pool, func(tx pgx.Tx) error {
		if err := c.findGaps(ctx, tx, first); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		for _, chunk := range chunks {
			batch.Queue(statement("collect"), chunk.args(c.cfg.Now()))
		}
		for p, offset := range next {
			batch.Queue(statement("move_position"), named.Args{"topic": p.topic, "partition": p.partition, "next_offset": offset})
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

// findGaps tells of letters that expired on their topic before they were
// collected: only their groups' databases have them.
func (c *Collector) findGaps(ctx context.Context, tx pgx.Tx, first map[position]int64) error {
	var topics []string
	for p := range first {
		topics = append(topics, p.topic)
	}
	rows, err := tx.Query(ctx, statement("lock_positions"), named.Args{"topics": topics})
	if err != nil {
		return err
	}
	stored, err := scanPositions(rows)
	for p, next := range stored {
		if at, read := first[p]; read && at > next {
			c.cfg.Logger.Error("dead letters expired before they were collected", "topic", p.topic, "partition", p.partition, "from_offset", next, "to_offset", at)
		}
	}
	return err
}
