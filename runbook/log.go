package runbook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Log reads a Kafka cluster. It is safe for concurrent use.
type Log struct {
	brokers []string
	opts    []kgo.Opt
	client  *kgo.Client
	admin   *kadm.Client
}

// NewLog connects lazily to the cluster behind brokers; opts carry TLS and SASL.
// Close it.
func NewLog(brokers []string, opts ...kgo.Opt) (*Log, error) {
	opts = append([]kgo.Opt{kgo.SeedBrokers(brokers...), kgo.RetryTimeout(5 * time.Second)}, opts...)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("runbook: make a Kafka client: %w", err)
	}
	return &Log{brokers: brokers, opts: opts, client: client, admin: kadm.NewClient(client)}, nil
}

// Close ends the connections.
func (l *Log) Close() { l.client.Close() }

// errGone and errBeyond say on which side of the log an offset lies.
var (
	errGone   = errors.New("the log begins after it")
	errBeyond = errors.New("the log ends before it")
)

// record reads one record. It returns errGone or errBeyond when the log does not
// hold the offset, and nil without an error when it was compacted away.
func (l *Log) record(ctx context.Context, topic string, partition int32, offset int64) (*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	if err := l.bounds(ctx, topic, partition, offset); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(l.opts, kgo.FetchMaxWait(250*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(offset)}}))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for {
		fetches := client.PollRecords(ctx, 1)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		for _, r := range fetches.Records() {
			if r.Offset != offset {
				return nil, nil
			}
			return r, nil
		}
	}
}

func (l *Log) bounds(ctx context.Context, topic string, partition int32, offset int64) error {
	starts, err := l.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	ends, err := l.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	start, _ := starts.Lookup(topic, partition)
	end, found := ends.Lookup(topic, partition)
	switch {
	case start.Err != nil || end.Err != nil:
		return errors.Join(start.Err, end.Err)
	case !found || offset >= end.Offset:
		return errBeyond
	case offset < start.Offset:
		return errGone
	}
	return nil
}

// find returns the first record that matches, of partitions from the offsets
// given to their ends of this moment, and nil where there is none.
func (l *Log) find(ctx context.Context, topic string, from map[int32]int64, matches func(*kgo.Record) bool) (*kgo.Record, error) {
	ends, starts, err := l.toRead(ctx, topic, from)
	if err != nil || len(ends) == 0 {
		return nil, err
	}
	client, err := kgo.NewClient(append(l.opts, kgo.FetchMaxWait(250*time.Millisecond), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: starts}))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for len(ends) > 0 {
		fetches, err := poll(ctx, client)
		if err != nil {
			return nil, err
		}
		for _, r := range fetches.Records() {
			if !r.Attrs.IsControl() && matches(r) {
				return r, nil
			}
			if r.Offset+1 >= ends[r.Partition] {
				delete(ends, r.Partition)
			}
		}
	}
	return nil, nil
}

// poll waits for the next records, but not for ever.
func poll(ctx context.Context, client *kgo.Client) (kgo.Fetches, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	fetches := client.PollRecords(ctx, 10_000)
	return fetches, fetches.Err()
}

// toRead are the ends of those partitions that hold records behind the offsets
// given, and where to begin.
func (l *Log) toRead(ctx context.Context, topic string, from map[int32]int64) (ends map[int32]int64, starts map[int32]kgo.Offset, err error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	first, err := l.admin.ListStartOffsets(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	last, err := l.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return nil, nil, err
	}
	ends, starts = map[int32]int64{}, map[int32]kgo.Offset{}
	for id, offset := range from {
		start, _ := first.Lookup(topic, id)
		end, found := last.Lookup(topic, id)
		switch {
		case start.Err != nil || end.Err != nil:
			return nil, nil, errors.Join(start.Err, end.Err)
		case !found:
			return nil, nil, fmt.Errorf("partition %d is not there", id)
		case max(start.Offset, offset) < end.Offset:
			ends[id], starts[id] = end.Offset, kgo.NewOffset().At(max(start.Offset, offset))
		}
	}
	return ends, starts, nil
}

// members returns how many members a group has, 0 where the cluster has never
// seen it.
func (l *Log) members(ctx context.Context, group string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	described, err := l.admin.DescribeGroups(ctx, group)
	if err != nil {
		return 0, err
	}
	g, err := described.On(group, nil)
	if err == nil {
		err = g.Err
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return 0, nil
	}
	return len(g.Members), err
}
