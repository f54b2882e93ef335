package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// listSpans asks the broker for the first and last offsets of every partition.
func listSpans(ctx context.Context, cfg Config) (spans []Span, unknown []string, err error) {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(cfg.Brokers...)}, cfg.ClientOptions...)...)
	if err != nil {
		return nil, nil, fmt.Errorf("replay: make a Kafka client: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, cfg.topics()...)
	if err != nil {
		return nil, nil, fmt.Errorf("replay: ask the broker where the log begins: %w; check the address and that the broker runs", err)
	}
	ends, err := admin.ListEndOffsets(ctx, cfg.topics()...)
	if err != nil {
		return nil, nil, fmt.Errorf("replay: ask the broker where the log ends: %w; check the address and that the broker runs", err)
	}
	starts.Each(func(o kadm.ListedOffset) {
		end, ok := ends.Lookup(o.Topic, o.Partition)
		switch {
		case errors.Is(o.Err, kerr.UnknownTopicOrPartition):
			unknown = append(unknown, o.Topic)
		case o.Err != nil || !ok || end.Err != nil:
			err = errors.Join(err, o.Err, end.Err)
		default:
			spans = append(spans, Span{Topic: o.Topic, Partition: o.Partition, Start: o.Offset, End: end.Offset})
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("replay: ask the broker how long the log is: %w", err)
	}
	sortSpans(spans)
	slices.Sort(unknown)
	return spans, slices.Compact(unknown), nil
}

func sortSpans(spans []Span) {
	slices.SortFunc(spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}

// reader reads partitions from their start with an assignment of its own: no
// group, nothing committed. Not safe for concurrent use.
type reader struct {
	client *kgo.Client
	stall  time.Duration
	next   map[place]int64
	// ahead are records that were fetched beyond what was asked for so far.
	ahead map[place][]*kgo.Record
}

func newReader(cfg Config, spans []Span) (*reader, error) {
	r := &reader{stall: cfg.StallTimeout, next: make(map[place]int64), ahead: make(map[place][]*kgo.Record)}
	assignment := make(map[string]map[int32]kgo.Offset)
	for _, s := range spans {
		if assignment[s.Topic] == nil {
			assignment[s.Topic] = make(map[int32]kgo.Offset)
		}
		assignment[s.Topic][s.Partition] = kgo.NewOffset().At(s.Start)
		r.next[place{s.Topic, s.Partition}] = s.Start
	}
	var err error
	r.client, err = kgo.NewClient(append(slices.Clone(cfg.ClientOptions),
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ConsumePartitions(assignment),
		// A cut log must stop the replay: to go on behind the cut would lose history.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchMaxBytes(16<<20),
		kgo.KeepRetryableFetchErrors(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("replay: make a Kafka client: %w", err)
	}
	return r, nil
}

func (r *reader) close() { r.client.Close() }

// batch is consecutive records of one partition.
type batch []*kgo.Record

// readTo hands on every record below target, each partition's in order; the
// batches of one call are of different partitions.
func (r *reader) readTo(ctx context.Context, target map[place]int64, take func([]batch) error) error {
	if err := r.hand(r.stored(target), take); err != nil {
		return err
	}
	progress := time.Now()
	for {
		behind, missing := r.behind(target)
		if !missing {
			return nil
		}
		batches, err := r.poll(ctx, target)
		if err != nil {
			return err
		}
		if len(batches) > 0 {
			if err := r.hand(batches, take); err != nil {
				return err
			}
			progress = time.Now()
		} else if time.Since(progress) > r.stall {
			return fmt.Errorf("replay: read %s partition %d: no record came for %s (at offset %d of %d); check the broker, or whether retention took records meanwhile",
				behind.topic, behind.partition, r.stall, r.next[behind], target[behind])
		}
	}
}

func (r *reader) behind(target map[place]int64) (place, bool) {
	for p, offset := range target {
		if next, ours := r.next[p]; ours && next < offset {
			return p, true
		}
	}
	return place{}, false
}

// stored are batches that were fetched beyond an earlier target.
func (r *reader) stored(target map[place]int64) (batches []batch) {
	ahead := r.ahead
	r.ahead = make(map[place][]*kgo.Record)
	for p, records := range ahead {
		r.client.ResumeFetchPartitions(map[string][]int32{p.topic: {p.partition}})
		if b := r.split(p, records, target[p]); len(b) > 0 {
			batches = append(batches, b)
		}
	}
	return batches
}

// poll waits at most a second, so that a stall is noticed.
func (r *reader) poll(ctx context.Context, target map[place]int64) (batches []batch, err error) {
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	fetches := r.client.PollFetches(limited)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	fetches.EachError(func(topic string, partition int32, problem error) {
		if err == nil && !errors.Is(problem, context.DeadlineExceeded) && !kerr.IsRetriable(problem) {
			err = fmt.Errorf("replay: read %s partition %d: %w", topic, partition, problem)
		}
	})
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := place{f.Topic, f.Partition}
		if b := r.split(p, f.Records, target[p]); len(b) > 0 {
			batches = append(batches, b)
		}
	})
	return batches, err
}

// split returns what is below target and keeps the rest, with the partition
// paused so that the rest stays small.
func (r *reader) split(p place, records []*kgo.Record, target int64) batch {
	if kept := r.ahead[p]; len(kept) > 0 {
		r.ahead[p] = append(kept, records...)
		return nil
	}
	n, _ := slices.BinarySearchFunc(records, target, func(record *kgo.Record, offset int64) int {
		return cmp.Compare(record.Offset, offset)
	})
	if n < len(records) {
		r.ahead[p] = records[n:]
		r.client.PauseFetchPartitions(map[string][]int32{p.topic: {p.partition}})
	}
	return records[:n]
}

func (r *reader) hand(batches []batch, take func([]batch) error) error {
	if len(batches) == 0 {
		return nil
	}
	if err := take(batches); err != nil {
		return err
	}
	for _, b := range batches {
		last := b[len(b)-1]
		r.next[place{last.Topic, last.Partition}] = last.Offset + 1
	}
	return nil
}
