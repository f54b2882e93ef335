package consumer

import (
	"context"
	"strconv"
	"time"

	"factline.dev/inbox"
)

// stallLoop reports partitions that have work and make no progress. It asks
// neither database nor broker, which may be what they hang on.
func (s *session) stallLoop(ctx context.Context) {
	after := s.r.cfg.StallAfter
	if after < 0 {
		return
	}
	ticker := time.NewTicker(max(after/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, p := range s.all() {
				p.watch(after)
			}
		case <-ctx.Done():
			return
		}
	}
}

// watch compares the partition with what it was at the last look. A commit of its
// oldest transaction is progress, and so is having nothing to do; what commits
// beside a transaction that hangs is none.
func (p *partition) watch(after time.Duration) {
	p.mu.Lock()
	idle := len(p.underWay)+len(p.queue)+len(p.release)+len(p.tries.claimed) == 0
	p.mu.Unlock()
	now, commits := time.Now(), p.commits.Load()
	w := &p.watched
	if idle || w.since.IsZero() || commits != w.commits {
		w.since, w.commits = now, commits
		if w.stalled {
			w.stalled = false
			p.reportStall(0)
		}
		return
	}
	if stood := now.Sub(w.since); stood >= after && !w.stalled {
		w.stalled = true
		p.reportStall(stood)
	}
}

// stallWatch is what the last look at a partition saw.
type stallWatch struct {
	since   time.Time
	commits int64
	stalled bool
}

func (p *partition) reportStall(stood time.Duration) {
	r := p.s.r
	gauge := r.metrics.stalled.WithLabelValues(r.cfg.Group, p.topic.Topic, strconv.Itoa(int(p.id)))
	if stood == 0 {
		gauge.Set(0)
		r.cfg.Logger.Info("partition makes progress again", "group", r.cfg.Group, "topic", p.topic.Topic, "partition", p.id)
		return
	}
	gauge.Set(1)
	r.metrics.stalls.WithLabelValues(r.cfg.Group, p.topic.Topic).Inc()
	r.cfg.Logger.Error("partition stalled: it has work and its oldest transaction does not commit; look for a handler that hangs at this offset or behind it, a lock in the database, or warnings above",
		"group", r.cfg.Group, "topic", p.topic.Topic, "partition", p.id, "offset", p.finished.Load(), "stood", stood.Round(time.Millisecond))
}

// recordGap keeps which offsets the log no longer held. It is tried once; the
// log line and the metric do not depend on it.
func (s *session) recordGap(ctx context.Context, topic string, id int32, from int64) (to int64) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	starts, err := s.admin.ListStartOffsets(ctx, topic)
	if err == nil {
		to, err = startOf(starts, topicPartition{topic, id})
	}
	if err == nil {
		err = inbox.RecordGap(ctx, s.r.cfg.Pool, s.r.cfg.Group, inbox.Progress{Topic: topic, Partition: id, NextOffset: from}, to, s.r.cfg.Now())
	}
	if err != nil {
		s.r.cfg.Logger.Warn("gap not recorded", "group", s.r.cfg.Group, "topic", topic, "partition", id, "offset", from, "error", err.Error())
	}
	return to
}
