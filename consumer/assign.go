package consumer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/inbox"
)

// startOffsets decides where newly assigned partitions start, and starts their
// workers. It retries until the group takes the assignment away: no other
// answer than the database's is safe.
func (s *session) startOffsets(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for failures := 1; ; failures++ {
		starts, err := s.decideStarts(ctx, fetched)
		var care map[topicPartition]int64
		if err == nil {
			care, err = s.markOrphans(ctx, starts)
		}
		if err == nil {
			return s.begin(starts, care, fetched), nil
		}
		if ctx.Err() != nil || s.work.Err() != nil {
			return nil, err
		}
		s.r.cfg.Logger.Warn("start offsets not known yet", "group", s.r.cfg.Group, "attempt", failures, "error", err.Error())
		select {
		case <-time.After(s.r.outagePause(failures)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// decideStarts returns a start for each partition and records new ones. Where
// the effects stand is the database's to say; a lower offset of Kafka's, after
// somebody rewound the group, is followed, because repeats do no harm.
func (s *session) decideStarts(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (map[topicPartition]int64, error) {
	topics := slices.Sorted(maps.Keys(fetched))
	stored, err := inbox.Offsets(ctx, s.r.cfg.Pool, s.r.cfg.Group, topics)
	if err != nil {
		return nil, err
	}
	known := make(map[topicPartition]int64, len(stored))
	for _, p := range stored {
		known[topicPartition{p.Topic, p.Partition}] = p.NextOffset
	}
	logStarts, err := s.admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("consumer: list start offsets of %v: %w", topics, err)
	}
	starts := make(map[topicPartition]int64)
	var fresh []inbox.Progress
	for topic, partitions := range fetched {
		for id, committed := range partitions {
			tp := topicPartition{topic, id}
			logStart, err := startOf(logStarts, tp)
			if err != nil {
				return nil, err
			}
			next, ok := known[tp]
			if !ok {
				fresh = append(fresh, inbox.Progress{Topic: topic, Partition: id, NextOffset: logStart, CutStart: logStart > 0})
				starts[tp] = logStart
				continue
			}
			starts[tp] = startBetween(next, committed.EpochOffset().Offset, logStart)
			if s.r.topics[topic].redrives {
				starts[tp] = max(starts[tp], logStart) // what expired there was no event
			}
		}
	}
	if len(fresh) == 0 {
		return starts, nil
	}
	return starts, inbox.StartPartition(ctx, s.r.cfg.Pool, s.r.cfg.Group, s.r.cfg.Now(), fresh...)
}

func startOf(listed kadm.ListedOffsets, tp topicPartition) (int64, error) {
	o, ok := listed.Lookup(tp.topic, tp.partition)
	if !ok {
		return 0, fmt.Errorf("consumer: list start offset of %s/%d: the broker does not name it", tp.topic, tp.partition)
	}
	if o.Err != nil {
		return 0, fmt.Errorf("consumer: list start offset of %s/%d: %w", tp.topic, tp.partition, o.Err)
	}
	return o.Offset, nil
}

// startBetween is the lower of the database's and Kafka's offset. What expired
// below the database's offset is no loss, its effects are there; a database
// offset below the log's start is one and is kept, so that the fetch fails.
func startBetween(stored, committed, logStart int64) int64 {
	start := stored
	if committed >= 0 {
		start = min(start, committed)
	}
	if stored >= logStart {
		start = max(start, logStart)
	}
	return start
}

func (s *session) begin(starts, care map[topicPartition]int64, fetched map[string]map[int32]kgo.Offset) map[string]map[int32]kgo.Offset {
	s.mu.Lock()
	defer s.mu.Unlock()
	offsets := make(map[string]map[int32]kgo.Offset, len(fetched))
	for tp, start := range starts {
		if offsets[tp.topic] == nil {
			offsets[tp.topic] = make(map[int32]kgo.Offset)
		}
		offsets[tp.topic][tp.partition] = kgo.NewOffset().At(start)
		if s.owned[tp] != nil {
			continue
		}
		p := newPartition(s, s.r.topics[tp.topic], tp.partition, start, fetched[tp.topic][tp.partition].EpochOffset().Offset)
		p.careUntil = care[tp]
		s.owned[tp] = p
		s.r.cfg.Logger.Info("partition assigned", "group", s.r.cfg.Group, "topic", tp.topic, "partition", tp.partition, "offset", start)
		go p.work()
	}
	return offsets
}
