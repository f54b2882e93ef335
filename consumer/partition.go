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
// fills and one goroutine that sees to it that it is emptied, chunk by chunk,
// together with other partitions or alone.
type partition struct {
	s     *session
	topic *topicPlan
	id    int32

	mu      sync.Mutex
	queue   []*kgo.Record
	bytes   int       // of the queued values
	since   time.Time // when the oldest queued record was received
	release []inbox.Aggregate
	due     []int64 // offsets of events to try again
	paused  bool
	// busy is set while somebody handles the partition's records; from, passed
	// and passedAt are his then.
	busy bool
	// alone is set when what is queued failed in a chunk with other partitions.
	alone bool
	wake  chan struct{}

	// stop asks for an end after the transaction under way; ctx ends that too.
	stop     chan struct{}
	stopOnce sync.Once
	ctx      context.Context
	cancel   context.CancelFunc
	done     chan struct{}

	// careUntil is set where the owner before died: until this offset records are
	// handled one by one.
	careUntil int64
	// from is where reading stands; finished is the same for the commit loop.
	from int64
	// passed is behind the last record that nothing was to be done for, and
	// passedAt is when the database should know.
	passed   int64
	passedAt time.Time
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
		s: s, topic: topic, id: id, from: start, committed: committed,
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
// learn of what was passed over.
func (p *partition) waiting() (waits bool, due <-chan time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy {
		return false, nil // whoever is at it signals
	}
	if len(p.queue) > 0 || len(p.release) > 0 || len(p.due) > 0 {
		return true, nil
	}
	if p.passed <= p.from {
		return false, nil
	}
	left := time.Until(p.passedAt)
	return left <= 0, time.After(left)
}

// seize makes the caller the one who handles the partition's records, if nobody
// else is.
func (p *partition) seize() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy {
		return false
	}
	p.busy = true
	return true
}

func (p *partition) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = false
	p.signal()
}

// take removes up to so many records from the queue, and what is to be released.
func (p *partition) take(records int) *share {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.fitting(records)
	taken := &share{p: p, records: p.queue[:n:n], received: p.since, release: p.release, from: p.from, next: p.passed}
	p.queue, p.release = p.queue[n:], nil
	if len(p.queue) == 0 {
		p.queue = nil
	}
	if p.paused && len(p.queue) <= p.s.r.cfg.MaxQueuedRecords/2 && p.bytes <= maxQueuedBytes/2 {
		p.paused = false
		p.s.resume(p)
	}
	return taken
}

// fitting is how many queued records go into the next chunk, and takes their
// bytes off the count.
func (p *partition) fitting(records int) (n int) {
	size := 0
	for n < min(len(p.queue), records) && size < maxChunkBytes {
		size += len(p.queue[n].Value)
		n++
	}
	p.bytes -= size
	return n
}

// putBack returns to the front of the queue what a chunk with other partitions
// did not settle. The partition tries it alone.
func (p *partition) putBack(taken *share) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, record := range taken.records {
		p.bytes += len(record.Value)
	}
	p.queue = append(slices.Clip(taken.records), p.queue...)
	p.since = taken.received
	if len(p.release) == 0 {
		p.release = taken.release
	}
	p.alone = true
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
	for p.wait() {
		if err := p.handle(); err != nil {
			if errors.Is(err, errRewound) {
				p.s.fail(err)
			}
			p.awaitFree()
			return
		}
	}
	p.awaitFree()
	p.storePassed()
}

// awaitFree waits until no other partition's goroutine has records of this one.
func (p *partition) awaitFree() {
	for !p.seize() {
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
	if !p.seize() {
		return nil // another partition took it along
	}
	if offset, ok := p.nextDue(); ok {
		leave()
		if err := p.tryAgain(offset); err != nil {
			p.free()
			return err
		}
	}
	shares := p.s.gather(p)
	if len(shares) == 1 && shares[0].p == p {
		defer p.free()
		return p.handleAlone(shares[0], leave)
	}
	return p.s.together(p, shares)
}

// handleAlone settles what one partition has. leave lets others begin, which
// they shall not wait for once something went wrong here.
func (p *partition) handleAlone(only *share, leave func()) error {
	if len(only.items)+len(only.release) > 0 && p.needsCare(len(only.release)) {
		return p.oneByOne(only, true)
	}
	done, err := p.attempt(p.s.r.newChunk(p.topic, -1, only), leave)
	if _, failed := errors.AsType[*handlerError](err); failed {
		return p.inHalves(only)
	}
	if err == nil {
		p.s.askReleases(done)
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
func (p *partition) pass(taken *share) bool {
	items := taken.items
	if len(items) == 0 || len(taken.release) > 0 || p.topic.Mode != Unordered ||
		slices.ContainsFunc(items, func(it item) bool { return it.fault != nil || it.event.Handled }) {
		return false
	}
	if !p.passTo(taken.next) {
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

// passTo moves over records without effect, unless the database should know of
// those before by now.
func (p *partition) passTo(next int64) bool {
	switch {
	case p.passed <= p.from:
		p.passedAt = time.Now().Add(keepPassed)
	case time.Now().After(p.passedAt): // in a backlog there is no quiet moment to store it
		return false
	}
	p.passed = next
	p.finished.Store(next)
	p.s.r.setLag(p.topic.Topic, p.id, p.highWater.Load()-next)
	return true
}

// storePassed tells the database, before the partition is given back, what was
// passed over. It is tried once: without it the next owner reads that again.
func (p *partition) storePassed() {
	if p.passed <= p.from || p.ctx.Err() != nil {
		return
	}
	unread := &share{p: p, from: p.from, next: p.passed}
	if _, err := p.s.r.newChunk(p.topic, -1, unread).do(p.ctx); err != nil {
		p.s.r.cfg.Logger.Info("the offset of records without effect is not stored; they are read again", "group", p.s.r.cfg.Group,
			"topic", p.topic.Topic, "partition", p.id, "offset", p.passed, "error", err.Error())
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
		"partition", p.id, "offset", p.from, "attempt", failures, "error", err.Error())
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
