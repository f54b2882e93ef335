package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
)

type topicPartition struct {
	topic     string
	partition int32
}

// fetching is what a partition that read too far ahead asks of *kgo.Client.
type fetching interface {
	PauseFetchPartitions(partitions map[string][]int32) map[string][]int32
	ResumeFetchPartitions(partitions map[string][]int32)
}

// session is one membership in the group, from joining to leaving.
type session struct {
	r *Runner
	// member marks the partitions of this session in the database.
	member string
	client *kgo.Client
	// fetching is client, as far as reading ahead needs it.
	fetching fetching
	admin    *kadm.Client
	// ready is closed when client and admin are set: a new client calls back
	// before its constructor has returned.
	ready chan struct{}
	slots chan struct{}
	// turns hold one chunk of each topic.
	turns map[string]chan struct{}
	// dueNow asks for a look at what is to be tried again.
	dueNow chan struct{}
	// work outlives the cancellation of Run by the time to drain.
	work   context.Context
	cancel context.CancelFunc
	// stop ends the session with a cause.
	stop context.CancelCauseFunc

	mu    sync.Mutex
	owned map[topicPartition]*partition
	// commitMu keeps an offset commit and a rebalance apart: no commit can be
	// under way for a partition that was given back.
	commitMu sync.Mutex
}

// runSession joins the group, works until ctx ends or the session fails, drains
// and leaves. It returns the reason when that was not ctx.
func (r *Runner) runSession(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := r.newSession(context.WithoutCancel(ctx), stop)
	defer s.cancel()
	client, err := kgo.NewClient(s.clientOptions()...)
	if err != nil {
		return fmt.Errorf("consumer: make a Kafka client for %s: %w", r.cfg.Group, err)
	}
	s.client, s.fetching, s.admin = client, client, kadm.NewClient(client)
	close(s.ready)

	var loops sync.WaitGroup
	background, end := context.WithCancel(s.work)
	loops.Go(func() { s.commitLoop(background) })
	loops.Go(func() { s.sweepLoop(background) })
	loops.Go(func() { s.dueLoop(background) })
	loops.Go(func() { s.stallLoop(background) })
	s.poll(ctx)
	s.drain(s.all())
	s.unmark(s.all())
	end()
	loops.Wait()
	s.commit()
	// The client's own leave calls back for what is still assigned; nothing is.
	client.CloseAllowingRebalance()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}

// lingerBytes end the wait of Config.Linger.
const lingerBytes = 64 << 10

// A fetch is bounded as it is sent, compressed. What compresses well becomes a
// hundred times as large here, so the client's own bounds of 50 MiB and 1 MiB are
// gigabytes. A batch that is larger than its bound comes all the same, alone.
const (
	fetchBytes          = 2 << 20
	fetchPartitionBytes = 128 << 10
)

// fetchWait is how long a broker may hold a fetch for which it has nothing. A
// partition that is resumed meanwhile is in none until then: the client's own 5 s
// had partitions with a backlog stand still beside one that was read to its end.
const fetchWait = 250 * time.Millisecond

func (r *Runner) newSession(ctx context.Context, stop context.CancelCauseFunc) *session {
	s := &session{
		r: r, member: envelope.NewID(), stop: stop, ready: make(chan struct{}), dueNow: make(chan struct{}, 1), owned: make(map[topicPartition]*partition),
		slots: make(chan struct{}, r.cfg.MaxConcurrentChunks), turns: make(map[string]chan struct{}, len(r.topics)),
	}
	for topic := range r.topics {
		s.turns[topic] = make(chan struct{}, 1)
	}
	s.work, s.cancel = context.WithCancel(ctx)
	return s
}

func (s *session) clientOptions() []kgo.Opt {
	cfg := s.r.cfg
	opts := []kgo.Opt{
		kgo.ClientID(cfg.Service), kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchPartitionBytes), kgo.FetchMaxWait(fetchWait),
	}
	if cfg.Linger > 0 {
		opts = append(opts, kgo.FetchMinBytes(lingerBytes), kgo.FetchMaxWait(max(cfg.Linger, 10*time.Millisecond)))
	}
	return append(append(opts, cfg.ClientOptions...),
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(slices.Sorted(maps.Keys(s.r.topics))...),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		// An offset that the log no longer holds stops its partition. The
		// default would go on elsewhere without a word.
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		// Records are handed over within microseconds of a poll. Without the
		// block, records of an earlier assignment could reach a later one.
		kgo.BlockRebalanceOnPoll(),
		kgo.AdjustFetchOffsetsFn(s.startOffsets),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { s.giveBack(lost, true) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, lost map[string][]int32) { s.giveBack(lost, false) }),
	)
}

func (s *session) fail(err error) { s.stop(err) }

func (s *session) poll(ctx context.Context) {
	for {
		fetches := s.client.PollRecords(ctx, 0)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			s.client.AllowRebalance()
			return
		}
		now := time.Now()
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if p := s.get(f.Topic, f.Partition); p != nil && len(f.Records) > 0 {
				p.enqueue(f.Records, f.HighWatermark, now)
			}
		})
		s.client.AllowRebalance()
		s.fetchErrors(ctx, fetches)
	}
}

func (s *session) fetchErrors(ctx context.Context, fetches kgo.Fetches) {
	errs := fetches.Errors()
	for _, e := range errs {
		r := s.r
		r.metrics.fetchErrors.WithLabelValues(r.cfg.Group, e.Topic).Inc()
		if errors.Is(e.Err, kerr.OffsetOutOfRange) {
			s.stopped(ctx, e.Topic, e.Partition)
			continue
		}
		r.cfg.Logger.Warn("fetch failed", "group", r.cfg.Group, "topic", e.Topic, "partition", e.Partition, "error", e.Err.Error())
	}
	if len(errs) > 0 && fetches.Empty() {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// stopped reports a partition whose next offset is gone from the log. Going on
// at the log's start would skip events without a trace.
func (s *session) stopped(ctx context.Context, topic string, id int32) {
	var next int64 = -1
	if p := s.get(topic, id); p != nil {
		next = p.finished.Load()
	}
	to := s.recordGap(ctx, topic, id, next)
	s.r.metrics.stopped.WithLabelValues(s.r.cfg.Group, topic, fmt.Sprint(id)).Set(1)
	s.r.cfg.Logger.Error("partition stopped: the log no longer holds its next offset, events are lost to this group; restore them to the topic, or rebuild this consumer, or accept the loss by setting next_offset in factline.consumer_offset to the log's start, then restart",
		"group", s.r.cfg.Group, "topic", topic, "partition", id, "offset", next, "log_start", to)
}

func (s *session) get(topic string, id int32) *partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owned[topicPartition{topic, id}]
}

func (s *session) all() []*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*partition, 0, len(s.owned))
	for _, p := range s.owned {
		all = append(all, p)
	}
	return all
}

// queueBytes is how much each partition may read ahead.
func (s *session) queueBytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(maxQueuedBytes, maxMemberBytes/max(len(s.owned), 1))
}

func (s *session) pause(p *partition) {
	s.fetching.PauseFetchPartitions(map[string][]int32{p.topic.Topic: {p.id}})
}

func (s *session) resume(p *partition) {
	s.fetching.ResumeFetchPartitions(map[string][]int32{p.topic.Topic: {p.id}})
}

// deafTimeout is how long a cancelled handler has to return. One that does not
// listen is left behind: its transaction is cancelled and cannot commit.
const deafTimeout = time.Second

// drain lets the transactions under way end, and cancels those that take longer
// than DrainTimeout. Nothing rests on it: a cancelled one is repeated.
func (s *session) drain(partitions []*partition) {
	for _, p := range partitions {
		p.halt()
	}
	late := waitFor(partitions, s.r.cfg.DrainTimeout)
	for _, p := range late {
		p.cancel()
	}
	for _, p := range waitFor(late, deafTimeout) {
		s.r.cfg.Logger.Error("handler does not return although its context is cancelled; its transaction will not commit",
			"group", s.r.cfg.Group, "topic", p.topic.Topic, "partition", p.id)
	}
}

// waitFor returns the partitions whose work has not ended after d.
func waitFor(partitions []*partition, d time.Duration) (late []*partition) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	expired := false
	for _, p := range partitions {
		if !expired {
			select {
			case <-p.done:
				continue
			case <-timer.C:
				expired = true
			}
		}
		select {
		case <-p.done:
		default:
			late = append(late, p)
		}
	}
	return late
}

// giveBack ends the work on partitions before the group hands them on. The map
// may be empty, and it may not come at all: then the other owner's lock decides.
func (s *session) giveBack(lost map[string][]int32, commit bool) {
	<-s.ready
	var partitions []*partition
	for topic, ids := range lost {
		for _, id := range ids {
			if p := s.get(topic, id); p != nil {
				partitions = append(partitions, p)
			}
		}
	}
	s.drain(partitions)
	s.unmark(partitions)
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if commit {
		s.commitOffsets(partitions)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range partitions {
		delete(s.owned, topicPartition{p.topic.Topic, p.id})
		s.resume(p) // pauses outlive an assignment
		s.r.forgetPartition(p.topic.Topic, p.id)
	}
}
