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
	// maxMemberBytes is for all partitions of a member together, in equal parts.
	maxMemberBytes = 128 << 20
	maxChunkBytes  = 8 << 20
	// recordBytes are what a record takes beside its bytes.
	recordBytes = 256
)

// sizeOf is what a record takes in memory, about.
func sizeOf(record *kgo.Record) int {
	size := recordBytes + len(record.Key) + len(record.Value)
	for _, h := range record.Headers {
		size += 2*len(h.Key) + len(h.Value)
	}
	return size
}

// partition is the work on one owned partition: a queue that the poll loop
// fills and a few goroutines that see to it that it is emptied, chunk by chunk,
// together with other partitions or alone.
type partition struct {
	s     *session
	topic *topicPlan
	id    int32

	mu      sync.Mutex
	queue   []*kgo.Record // in log order
	bytes   int           // of the queued records
	since   time.Time     // when the oldest queued record was received
	release []inbox.Waiter
	paused  bool
	// alone is set when what is queued failed in a chunk with other partitions.
	alone bool
	wake  chan struct{}
	progress
	tries tries

	// stop asks for an end after the transactions under way; ctx ends those too.
	stop     chan struct{}
	stopOnce sync.Once
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{}

	// careUntil is set where the owner before died: until this offset records are
	// handled one by one.
	careUntil int64
	// doubtUntil is the log's end when the partition was taken: the owner before
	// may have settled any record below it.
	doubtUntil int64
	// finished is the lowest record that is not settled, for the commit loop.
	finished atomic.Int64
	// commits counts transactions for the stall watch, whose memory watched is.
	commits   atomic.Int64
	watched   stallWatch
	highWater atomic.Int64
	// committed is the offset Kafka is known to hold, guarded by session.commitMu.
	committed int64
}

func newPartition(s *session, topic *topicPlan, id int32, start, committed int64) *partition {
	p := &partition{
		s: s, topic: topic, id: id, committed: committed, progress: progress{read: start, from: start},
		wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(s.work)
	p.finished.Store(start)
	p.highWater.Store(start)
	return p
}

// enqueue takes records from the poll loop and pauses fetching when they are
// enough. It never blocks. The client is asked under the lock, as in take: a
// pause that came after the resume it belongs before would last for ever.
func (p *partition) enqueue(records []*kgo.Record, highWater int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		p.since = now
	}
	if p.doubtUntil == 0 {
		p.doubtUntil = highWater
	}
	p.queue = append(p.queue, records...)
	for _, record := range records {
		p.bytes += sizeOf(record)
	}
	p.highWater.Store(highWater)
	p.signal()
	if full := len(p.queue) >= p.s.r.cfg.MaxQueuedRecords || p.bytes >= p.s.queueBytes(); full && !p.paused {
		p.paused = true
		p.s.pause(p)
	}
}

func (p *partition) askRelease(waiters []inbox.Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.release) == 0 {
		p.release = waiters
		p.signal()
	}
}

func (p *partition) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// wait returns when the partition has work that nobody does. It reports false
// when the partition is to stop.
func (p *partition) wait() bool {
	for {
		select {
		case <-p.stop:
			return false
		default:
		}
		waits, due := p.waiting()
		if waits {
			return true
		}
		select {
		case <-p.wake:
		case <-due:
		case <-p.stop:
			return false
		}
	}
}

// waiting reports whether there is work, and otherwise when the database is to
// learn of what was settled without it.
func (p *partition) waiting() (waits bool, due <-chan time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.underWay) >= p.mostUnderWay() {
		return false, nil // whoever is at it signals
	}
	if p.hasWork() {
		return true, nil
	}
	if p.storeAt.IsZero() || len(p.underWay) > 0 {
		return false, nil
	}
	left := time.Until(p.storeAt)
	return left <= 0, time.After(left)
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

// work runs the partition's goroutines until it is given back.
func (p *partition) work() {
	defer close(p.done)
	defer p.cancel()
	var workers sync.WaitGroup
	for range p.workers() {
		workers.Go(p.handleAll)
	}
	workers.Wait()
	p.awaitLanding()
	p.storeFinished()
}

func (p *partition) handleAll() {
	for p.wait() {
		if err := p.handle(); err != nil {
			if errors.Is(err, errRewound) {
				p.s.fail(err)
			}
			return
		}
	}
}

// awaitLanding waits until no other partition's goroutine has records of this one.
func (p *partition) awaitLanding() {
	for p.isUnderWay() {
		<-p.wake
	}
}

// handle settles what waits in the partition: together with what waits in
// others of its topic, or alone after that failed.
func (p *partition) handle() error {
	if p.topic.redrives {
		return p.handleRedrives()
	}
	leave, err := p.s.turn(p)
	if err != nil {
		return err
	}
	defer leave()
	if due := p.takeDue(); due != nil {
		leave()
		if err := p.tryAgain(due); err != nil {
			return err
		}
	}
	shares := p.s.gather(p)
	switch {
	case len(shares) == 0:
		return nil
	case len(shares) == 1 && shares[0].p == p:
		defer shares[0].land()
		return p.handleAlone(shares[0], leave)
	}
	return p.s.together(p, shares)
}

// handleAlone settles what one partition has. leave lets others begin, which
// they shall not wait for once something went wrong here.
func (p *partition) handleAlone(only *share, leave func()) error {
	if only.careful && !only.isEmpty() {
		return p.oneByOne(only, &chunk{careful: true})
	}
	done, err := p.attempt(p.s.r.newChunk(p.topic, -1, only), leave)
	if isHandlers(err) {
		return p.inHalves(only)
	}
	if err == nil {
		p.s.askReleases(done)
	}
	return err
}

// pass lets go of records that have no effect and move no gate. A transaction of
// their own would only store an offset, which the next one does as well, or the
// one that is due after keepUnstored; a crash before it reads them again, for
// nothing.
func (p *partition) pass(taken *share) bool {
	items := taken.items
	if len(items) == 0 || len(taken.release) > 0 || p.topic.Mode != Unordered ||
		slices.ContainsFunc(items, func(it item) bool { return it.fault != nil || it.event.Handled }) {
		return false
	}
	if !taken.pass() {
		return false
	}
	r := p.s.r
	done := &run{chunk: r.newChunk(p.topic, -1, taken), items: items}
	for i := range items {
		done.plan.Steps = append(done.plan.Steps, inbox.Step{Event: i, Verdict: inbox.Advance})
	}
	r.countEvents(done)
	r.logChunk(done)
	return true
}

// storeFinished tells the database, before the partition is given back, what was
// settled without it. It is tried once: without it the next owner reads that again.
func (p *partition) storeFinished() {
	rest := p.takeNothing()
	if rest == nil || p.ctx.Err() != nil {
		return
	}
	if _, err := p.s.r.newChunk(p.topic, -1, rest).do(p.ctx); err != nil {
		p.s.r.cfg.Logger.Info("an offset is not stored; its records are read again", "group", p.s.r.cfg.Group,
			"topic", p.topic.Topic, "partition", p.id, "offset", p.finished.Load(), "error", err.Error())
	}
}

// attempt runs a chunk until it commits, or until a handler is to blame. What
// the database or a rebalance did is retried for as long as it takes. failed is
// called before every further try.
func (p *partition) attempt(c *chunk, failed func()) (*run, error) {
	for failures := 0; ; {
		if p.stopping() {
			return nil, errStopping
		}
		done, err := p.s.once(p.ctx, p.stop, c)
		if err != nil {
			failed()
		}
		var blamed *handlerError
		switch {
		case err == nil:
			return done, nil
		case errors.As(err, &blamed):
			c.failedIn(done, err)
			return done, err
		case errors.Is(err, errRewound) || errors.Is(err, errStopping):
			return nil, err
		case errors.Is(err, errKnown), errors.Is(err, inbox.ErrPartitionTaken):
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
		"partition", p.id, "offset", p.finished.Load(), "attempt", failures, "error", err.Error())
	return p.sleep(r.outagePause(failures))
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

// outagePause is the pause before the database or the broker is asked again. It
// does not grow up to BackoffMax: what comes back after an outage is not to be
// waited for.
func (r *Runner) outagePause(failures int) time.Duration {
	return backoff(min(10*time.Millisecond, r.cfg.BackoffMin), min(time.Second, r.cfg.BackoffMax), failures)
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
