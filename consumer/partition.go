package consumer

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/inbox"
)

// errStopping ends the work on a partition between two transactions.
var errStopping = errors.New("consumer: the partition is given back")

// What a partition reads ahead and takes into one chunk is bounded in bytes as
// well, because events may be 900 KiB each.
const (
	maxQueuedBytes = 16 << 20
	maxChunkBytes  = 8 << 20
)

// partition is the work on one owned partition: a queue that the poll loop
// fills and one goroutine that empties it, chunk by chunk.
type partition struct {
	s     *session
	topic *topicPlan
	scope inbox.Scope

	mu      sync.Mutex
	queue   []*kgo.Record
	bytes   int       // of the queued values
	since   time.Time // when the oldest queued record was received
	release []inbox.Aggregate
	paused  bool
	wake    chan struct{}

	// stop asks for an end after the transaction under way; ctx ends that too.
	stop     chan struct{}
	stopOnce sync.Once
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{}

	// from is where reading stands, kept by the worker alone; finished is the
	// same for the commit loop.
	from int64
	// passed is behind the last record that nothing was to be done for, and
	// passedAt is when the database should know; both are the worker's.
	passed    int64
	passedAt  time.Time
	finished  atomic.Int64
	highWater atomic.Int64
	// committed is the offset Kafka is known to hold, guarded by session.commitMu.
	committed int64
}

func newPartition(s *session, topic *topicPlan, id int32, start, committed int64) *partition {
	p := &partition{
		s: s, topic: topic, from: start, committed: committed,
		scope: inbox.Scope{Consumer: s.r.cfg.Group, Topic: topic.Topic, Partition: id, Mode: topic.Mode, Continue: topic.goesOn},
		wake:  make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(s.work)
	p.finished.Store(start)
	p.highWater.Store(start)
	return p
}

// enqueue takes records from the poll loop and pauses fetching when they are
// enough. It never blocks. The client is asked under the lock, as in takeNow: a
// pause that came after the resume it belongs before would last for ever.
func (p *partition) enqueue(records []*kgo.Record, highWater int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.since = now
	}
	p.queue = append(p.queue, records...)
	for _, record := range records {
		p.bytes += len(record.Value)
	}
	p.highWater.Store(highWater)
	p.signal()
	if full := len(p.queue) >= p.s.r.cfg.MaxQueuedRecords || p.bytes >= maxQueuedBytes; full && !p.paused {
		p.paused = true
		p.s.pause(p)
	}
}

func (p *partition) askRelease(aggregates []inbox.Aggregate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.release) == 0 {
		p.release = aggregates
		p.signal()
	}
}

func (p *partition) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// take waits for work. ok is false when the partition is to stop. Nothing at all
// means that the database is to learn of what was passed over.
func (p *partition) take() (records []*kgo.Record, received time.Time, release []inbox.Aggregate, ok bool) {
	var due <-chan time.Time
	if p.passed > p.from {
		due = time.After(time.Until(p.passedAt))
	}
	for {
		select {
		case <-p.stop:
			return nil, time.Time{}, nil, false
		default:
		}
		if records, received, release = p.takeNow(); len(records) > 0 || len(release) > 0 {
			return records, received, release, true
		}
		select {
		case <-p.wake:
		case <-due:
			return nil, time.Now(), nil, true
		case <-p.stop:
			return nil, time.Time{}, nil, false
		}
	}
}

func (p *partition) takeNow() (records []*kgo.Record, received time.Time, release []inbox.Aggregate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.fitting()
	records, received, release = p.queue[:n:n], p.since, p.release
	p.queue, p.release = p.queue[n:], nil
	if len(p.queue) == 0 {
		p.queue = nil
	}
	if p.paused && len(p.queue) <= p.s.r.cfg.MaxQueuedRecords/2 && p.bytes <= maxQueuedBytes/2 {
		p.paused = false
		p.s.resume(p)
	}
	return records, received, release
}

// fitting is how many queued records go into the next chunk, and takes their
// bytes off the count.
func (p *partition) fitting() (n int) {
	size := 0
	for n < min(len(p.queue), p.s.r.cfg.MaxChunkRecords) && size < maxChunkBytes {
		size += len(p.queue[n].Value)
		n++
	}
	p.bytes -= size
	return n
}

func (p *partition) halt() { p.stopOnce.Do(func() { close(p.stop) }) }

func (p *partition) stopping() bool {
	select {
	case <-p.stop:
		return true
	default:
		return p.ctx.Err() != nil
	}
}

// work is the partition's goroutine.
func (p *partition) work() {
	defer close(p.done)
	defer p.cancel()
	for {
		records, received, release, ok := p.take()
		if !ok {
			p.storePassed()
			return
		}
		if err := p.handle(records, received, release); err != nil {
			if errors.Is(err, errRewound) {
				p.s.fail(err)
			}
			return
		}
	}
}

func (p *partition) handle(records []*kgo.Record, received time.Time, release []inbox.Aggregate) error {
	items := make([]item, len(records))
	for i, record := range records {
		items[i] = p.s.r.readRecord(p.topic, record)
	}
	if len(release) == 0 && p.pass(items) {
		return nil
	}
	c := p.chunk(items, release, -1)
	done, err := p.attempt(c, received)
	if _, failed := errors.AsType[*handlerError](err); failed {
		return p.oneByOne(items, received, release)
	}
	if err == nil && len(done.more) > 0 {
		p.askRelease(done.more)
	}
	return err
}

// keepPassed is how long the database may not know of records that were passed
// over, where no other record comes.
const keepPassed = 500 * time.Millisecond

// pass lets go of records that have no effect and move no gate. A transaction of
// their own would only store an offset, which the next one does as well, or the
// one that is due after keepPassed; a crash before it reads them again, for
// nothing.
func (p *partition) pass(items []item) bool {
	if len(items) == 0 || p.topic.Mode != Unordered || slices.ContainsFunc(items, func(it item) bool { return it.fault != nil || it.event.Handled }) {
		return false
	}
	switch {
	case p.passed <= p.from:
		p.passedAt = time.Now().Add(keepPassed)
	case time.Now().After(p.passedAt): // in a backlog there is no quiet moment to store it
		return false
	}
	p.passed = items[len(items)-1].msg.Offset + 1
	p.finished.Store(p.passed)
	r := p.s.r
	r.setLag(p.scope.Topic, p.scope.Partition, p.highWater.Load()-p.passed)
	done := &run{chunk: p.chunk(items, nil, -1), items: items}
	for i := range items {
		done.plan.Steps = append(done.plan.Steps, inbox.Step{Event: i, Verdict: inbox.Advance})
	}
	r.countEvents(done)
	r.logChunk(done)
	return true
}

// storePassed tells the database, before the partition is given back, what was
// passed over. It is tried once: without it the next owner reads that again.
func (p *partition) storePassed() {
	if p.passed <= p.from || p.ctx.Err() != nil {
		return
	}
	if _, err := p.chunk(nil, nil, -1).do(p.ctx); err != nil {
		p.s.r.cfg.Logger.Info("the offset of records without effect is not stored; they are read again", "group", p.s.r.cfg.Group,
			"topic", p.scope.Topic, "partition", p.scope.Partition, "offset", p.passed, "error", err.Error())
	}
}

func (p *partition) chunk(items []item, release []inbox.Aggregate, limit int) *chunk {
	c := &chunk{r: p.s.r, topic: p.topic, scope: p.scope, from: p.from, next: p.passed, records: items, release: release, limit: limit}
	if len(items) > 0 {
		c.next = items[len(items)-1].msg.Offset + 1
	}
	return c
}

// attempt runs a chunk until it commits, or until a handler is to blame. What
// the database or a rebalance did is retried for as long as it takes.
func (p *partition) attempt(c *chunk, received time.Time) (*run, error) {
	for failures := 0; ; {
		done, err := p.once(c, received)
		var failed *handlerError
		switch {
		case err == nil:
			return done, nil
		case errors.As(err, &failed):
			c.failedIn(done)
			return done, err
		case errors.Is(err, errRewound) || errors.Is(err, errStopping):
			return nil, err
		case errors.Is(err, errKnown):
			continue
		}
		failures++
		if err := p.pauseAfter(c, err, failures); err != nil {
			return nil, err
		}
	}
}

func (p *partition) pauseAfter(c *chunk, err error, failures int) error {
	if p.stopping() {
		return errStopping
	}
	r := p.s.r
	r.metrics.retries.WithLabelValues(r.cfg.Group, c.scope.Topic, "transient").Inc()
	level := slog.LevelInfo
	if failures >= 5 || !isTransient(err) {
		level = slog.LevelWarn
	}
	r.cfg.Logger.Log(p.ctx, level, "transaction will be run again", "group", r.cfg.Group, "topic", c.scope.Topic,
		"partition", c.scope.Partition, "offset", c.from, "attempt", failures, "error", err.Error())
	return p.sleep(backoff(min(10*time.Millisecond, r.cfg.BackoffMin), r.cfg.BackoffMax, failures))
}

// once is one transaction. It takes one of the runner's slots for its length
// only, so that a partition that waits holds nothing another one needs.
func (p *partition) once(c *chunk, received time.Time) (*run, error) {
	if p.stopping() {
		return nil, errStopping
	}
	select {
	case p.s.slots <- struct{}{}:
		defer func() { <-p.s.slots }()
	case <-p.stop:
		return nil, errStopping
	}
	started := time.Now()
	done, err := c.do(p.ctx)
	if err != nil {
		return done, err
	}
	p.committedChunk(done, received, started)
	return done, nil
}

// committedChunk is what follows a commit in the database.
func (p *partition) committedChunk(done *run, received, started time.Time) {
	r := p.s.r
	if done.appended {
		r.cfg.Outbox.Wake()
	}
	if hook, ok := r.cfg.Hooks.(AfterEffectHook); ok {
		for _, it := range done.applied {
			hook.AfterEffect(r.cfg.Group, it.event.EventID)
		}
	}
	if done.next > p.from {
		p.from = done.next
		p.finished.Store(done.next)
	}
	r.setLag(p.scope.Topic, p.scope.Partition, p.highWater.Load()-p.finished.Load())
	r.observe(done, received, started)
	r.logChunk(done)
}

func (p *partition) sleep(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-p.stop:
	case <-p.ctx.Done():
	}
	return errStopping
}

// backoff is the pause before attempt n+1: doubled each time, bounded, with up
// to a fifth of jitter so that partitions that failed together part.
func backoff(first, most time.Duration, n int) time.Duration {
	d := most
	if shift := n - 1; shift < 30 && first<<shift < most && first<<shift > 0 {
		d = first << shift
	}
	if d <= 0 {
		return 0
	}
	return d + time.Duration(rand.Int64N(int64(d)/5+1))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
