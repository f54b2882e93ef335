package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commitTimeout bounds one offset commit. A lost one costs repeats, no more.
const commitTimeout = 5 * time.Second

func (s *session) commitLoop(ctx context.Context) {
	ticker := time.NewTicker(max(s.r.cfg.CommitInterval, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.commit()
		case <-ctx.Done():
			return
		}
	}
}

func (s *session) commit() {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	s.commitOffsets(s.all())
}

// commitOffsets tells Kafka how far the partitions are finished, forwards only.
// The caller holds commitMu, so that none of them is given back meanwhile.
func (s *session) commitOffsets(partitions []*partition) {
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	moved := make(map[*partition]int64)
	for _, p := range partitions {
		if finished := p.finished.Load(); finished > p.committed {
			if offsets[p.topic.Topic] == nil {
				offsets[p.topic.Topic] = make(map[int32]kgo.EpochOffset)
			}
			offsets[p.topic.Topic][p.id] = kgo.EpochOffset{Epoch: -1, Offset: finished}
			moved[p] = finished
		}
	}
	if len(moved) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.work), commitTimeout)
	defer cancel()
	s.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
		if err == nil {
			err = commitError(response)
		}
		if err == nil {
			for p, offset := range moved {
				p.committed = offset
			}
			return
		}
		s.commitFailed(err)
	})
}

func (s *session) commitFailed(err error) {
	r := s.r
	if isRebalance(err) || s.work.Err() != nil {
		r.cfg.Logger.Debug("offsets not committed during a rebalance", "group", r.cfg.Group, "error", err.Error())
		return
	}
	r.metrics.commits.WithLabelValues(r.cfg.Group).Inc()
	r.cfg.Logger.Warn("offsets not committed, effects are safe", "group", r.cfg.Group, "error", err.Error())
}

func commitError(response *kmsg.OffsetCommitResponse) error {
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}

// isRebalance knows the answers to a member whose assignment is changing. They
// are part of normal life.
func isRebalance(err error) bool {
	return errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, context.Canceled)
}
