package consumer

import (
	"context"
	"time"

	"factline.dev/inbox"
)

// An event can take the process down with it: a loop, a crash in a C library,
// all the memory. No attempt of it would ever be counted, and it would do so for
// ever. So a member marks the partitions it takes and unmarks them when it gives
// them back. One that finds another's mark knows that it died at its work, and
// goes on record by record, each attempt committed before it begins: through the
// records that the other may have had in hand, and, as long as it owns the
// partition, through those that wait in the database.

// markOrphans marks the partitions that are assigned and returns how far each
// has to be handled with care.
func (s *session) markOrphans(ctx context.Context, starts map[topicPartition]int64) (until map[topicPartition]int64, err error) {
	partitions := make([]inbox.Progress, 0, len(starts))
	for tp := range starts {
		partitions = append(partitions, inbox.Progress{Topic: tp.topic, Partition: tp.partition})
	}
	orphans, err := inbox.TakePartitions(ctx, s.r.cfg.Pool, s.r.cfg.Group, s.member, partitions)
	until = make(map[topicPartition]int64, len(orphans))
	for _, o := range orphans {
		until[topicPartition{o.Topic, o.Partition}] = o.NextOffset + s.r.mostInHand()
		s.r.cfg.Logger.Warn("the member before did not give the partition back; what it may have died of is handled one by one",
			"group", s.r.cfg.Group, "topic", o.Topic, "partition", o.Partition, "offset", o.NextOffset)
	}
	return until, err
}

// unmark says that the work on partitions ended in order. It is tried once:
// without it the next owner begins with care, for nothing.
func (s *session) unmark(partitions []*partition) {
	var ended []inbox.Progress
	for _, p := range partitions {
		select {
		case <-p.done:
			ended = append(ended, inbox.Progress{Topic: p.topic.Topic, Partition: p.id})
		default: // a handler that does not return
		}
	}
	if len(ended) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.work), 2*time.Second)
	defer cancel()
	if err := inbox.GiveBackPartitions(ctx, s.r.cfg.Pool, s.r.cfg.Group, s.member, ended); err != nil {
		s.r.cfg.Logger.Info("the next owner of the partitions begins with care", "group", s.r.cfg.Group, "error", err.Error())
	}
}

// needsCare reports whether what waits in the partition may be what the member
// before died of. The caller holds mu.
func (p *partition) needsCare() bool {
	return p.careUntil > 0 && (p.from < p.careUntil || len(p.release) > 0)
}

// mostInHand is how far above the database's offset a member may have records of a
// partition in hand: MaxQueuedRecords above the lowest one that is not settled, and
// while a slow transaction is under way the database's offset may lie as far
// behind that one again.
func (r *Runner) mostInHand() int64 {
	if r.cfg.MaxPartitionChunks > 1 {
		return 2 * int64(r.cfg.MaxQueuedRecords)
	}
	return int64(r.cfg.MaxChunkRecords)
}
