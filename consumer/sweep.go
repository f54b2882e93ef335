package consumer

import (
	"context"
	"fmt"
	"time"

	"factline.dev/inbox"
)

const (
	// sweepLimit bounds how many aggregates one sweep asks each partition to look at.
	sweepLimit = 200
	// countEvery is how many sweeps lie between two counts of what waits.
	countEvery = 5
)

// sweepLoop looks after what no new record would set in motion: held events
// that became due, gaps that last, and lag while nothing is fetched.
func (s *session) sweepLoop(ctx context.Context) {
	n := 0
	s.every(ctx, nil, func() time.Duration {
		if err := s.sweep(ctx, n%countEvery == 0); err != nil && ctx.Err() == nil {
			s.r.cfg.Logger.Warn("sweep failed", "group", s.r.cfg.Group, "error", err.Error())
		}
		n++
		return s.r.cfg.SweepInterval
	})
}

// dueLoop has failed events tried again once their pause has ended.
func (s *session) dueLoop(ctx context.Context) {
	s.every(ctx, s.dueNow, func() time.Duration {
		next, err := s.sweepDue(ctx)
		if err != nil && ctx.Err() == nil {
			s.r.cfg.Logger.Warn("what is due was not looked for", "group", s.r.cfg.Group, "error", err.Error())
		}
		return next
	})
}

// every does something again and again, after the pause that it returns or once wake
// asks for it. Where much waits it takes long; it must not become the load.
func (s *session) every(ctx context.Context, wake <-chan struct{}, do func() (next time.Duration)) {
	wait := s.r.cfg.SweepInterval
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-wake:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return
		}
		started := time.Now()
		wait = do()
		wait = max(wait, 20*time.Since(started))
	}
}

// lookForDue has the next look at what is due made at once.
func (s *session) lookForDue() {
	select {
	case s.dueNow <- struct{}{}:
	default:
	}
}

func (s *session) byTopic() map[string][]int32 {
	byTopic := make(map[string][]int32)
	for _, p := range s.all() {
		byTopic[p.topic.Topic] = append(byTopic[p.topic.Topic], p.id)
	}
	return byTopic
}

func (s *session) sweep(ctx context.Context, count bool) error {
	if count {
		if err := s.r.clock.ask(ctx, s.r.cfg.Pool); err != nil {
			return err
		}
	}
	for topic, partitions := range s.byTopic() {
		if err := s.sweepTopic(ctx, topic, partitions, count); err != nil {
			return err
		}
		if count {
			s.refreshLag(ctx, topic)
		}
	}
	return nil
}

// sweepDue returns how long it is until the next failed event is due, as far as it
// knows.
func (s *session) sweepDue(ctx context.Context) (next time.Duration, err error) {
	next = s.r.cfg.SweepInterval
	for topic, partitions := range s.byTopic() {
		now := s.r.cfg.Now()
		due, at, err := inbox.DuePartitions(ctx, s.r.cfg.Pool, s.r.cfg.Group, topic, partitions, now)
		if err != nil {
			return next, err
		}
		for _, id := range due {
			if p := s.get(topic, id); p != nil {
				p.askDue()
			}
		}
		if !at.IsZero() {
			next = min(next, at.Sub(now))
		}
	}
	return next, nil
}

func (s *session) sweepTopic(ctx context.Context, topic string, partitions []int32, count bool) error {
	if s.r.topics[topic].Mode == Ordered {
		due, err := inbox.Due(ctx, s.r.cfg.Pool, s.r.cfg.Group, topic, partitions, sweepLimit)
		if err != nil {
			return err
		}
		for id, waiters := range due {
			if p := s.get(topic, id); p != nil {
				p.askRelease(waiters)
			}
		}
	}
	if !count {
		return nil
	}
	now := s.r.cfg.Now()
	before := time.Time{}
	if s.r.cfg.GapAlertAfter > 0 {
		before = now.Add(-s.r.cfg.GapAlertAfter)
	}
	waiting, err := inbox.CountWaiting(ctx, s.r.cfg.Pool, s.r.cfg.Group, topic, partitions, before)
	if err != nil {
		return err
	}
	s.reportWaiting(topic, waiting, now)
	return nil
}

func (s *session) reportWaiting(topic string, w inbox.Waiting, now time.Time) {
	m, group := s.r.metrics, s.r.cfg.Group
	for _, reason := range []string{inbox.ReasonGap, inbox.ReasonBlocked, inbox.ReasonConflict, inbox.ReasonRetry} {
		m.held.WithLabelValues(group, topic, reason).Set(float64(w.Held[reason]))
	}
	m.blocked.WithLabelValues(group, topic).Set(float64(w.BlockedKeys))
	m.overdue.WithLabelValues(group, topic).Set(float64(len(w.Gaps)))
	for _, g := range w.Gaps {
		s.r.cfg.Logger.Error("events wait for a missing version", "group", group, "topic", topic, "partition", g.Partition,
			"tenant_id", g.Aggregate.TenantID, "aggregate_type", g.Aggregate.Type, "aggregate_id", g.Aggregate.ID,
			"missing", missing(g), "held", g.HeldEvents, "waiting", now.Sub(g.Since).Round(time.Second))
	}
}

func missing(g inbox.Gap) string {
	if g.Applied+1 == g.Next-1 {
		return fmt.Sprint(g.Applied + 1)
	}
	return fmt.Sprintf("%d to %d", g.Applied+1, g.Next-1)
}

// refreshLag asks for the ends of the log, because a partition that waits
// fetches nothing and would show the lag of before.
func (s *session) refreshLag(ctx context.Context, topic string) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	ends, err := s.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return
	}
	for _, p := range s.all() {
		if end, ok := ends.Lookup(topic, p.id); ok && end.Err == nil && p.topic.Topic == topic {
			p.highWater.Store(end.Offset)
			s.r.setLag(topic, p.id, end.Offset-p.finished.Load())
		}
	}
}
