package consumer

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/inbox"
	"factline.dev/outbox"
)

//go:embed sql/*.sql
var statements embed.FS

// statement returns one embedded SQL file. It panics on an unknown name, which
// is a programmer's error that the prepare test finds.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("consumer: unknown statement " + name)
	}
	return string(text)
}

var (
	// errRewound says that the database stands before what this session read: it
	// was restored. The session must start over from where the database is.
	errRewound = errors.New("consumer: handle records: the database stands before the records that were read; it was restored from a backup")
	// errKnown says that an id was in the inbox although its version was next.
	// The chunk must be decided again with that knowledge.
	errKnown = errors.New("consumer: handle records: an event id was settled before under another version")
)

// chunk is records of some partitions of a topic, and held events of some
// aggregates, to be handled in one transaction. It may run several times until
// it commits.
type chunk struct {
	r      *Runner
	topic  *topicPlan
	scope  inbox.Scope
	shares []*share
	// records are those of the shares, each partition's in log order.
	records []item
	release []inbox.Aggregate
	// limit bounds how many held events are applied, negative is unbounded.
	limit int
	// settled are ids learned to be settled, by an earlier run.
	settled map[string]bool
	// condemned are events to give up, by where they stand, and paused those to try
	// later.
	condemned map[inbox.Place]*fault
	paused    map[inbox.Place]*pause
	// due are the offsets of the events that the chunk tries again; it has no
	// records of its own then.
	due []int64
	// careful counts an attempt before it begins, counted is which one, of trying.
	careful bool
	counted int
	trying  *item
	// apart gives each event a savepoint, so that all that fail are found at once.
	apart bool
	// suspected are the offsets of the events that are marked as tried again together.
	suspected []int64
	// tried is set once an attempt may be counted: a settled tombstone takes its
	// count along, because no other row of it stays.
	tried bool
	// took is how long its runs took.
	took time.Duration
	// failures are the events that failed in the last run, as far as it is known
	// which they are.
	failures []failure
}

// failure is an event whose effect failed, and why.
type failure struct {
	item *item
	err  error
}

// run is one attempt at a chunk: the state that its transaction builds up.
type run struct {
	*chunk
	now time.Time
	// items are the records and then the held events.
	items   []item
	plan    inbox.Plan
	gates   map[inbox.Aggregate]inbox.Position // as loaded
	changes *inbox.Changes
	applied []*item
	letters []*burial
	parked  []*item
	closed  []closing
	// failed are the events that failed apart.
	failed   []failure
	rejected []rejection
	// tenant is what factline.tenant is set to.
	tenant   string
	appended bool
	// more are aggregates whose held events were not looked at to the end.
	more []inbox.Aggregate
}

// rejection is an event that the business refused.
type rejection struct {
	item   *item
	reason error
}

// burial is an event being given up.
type burial struct {
	id     string
	item   *item
	fault  *fault
	isNew  bool
	blocks bool
}

func (r *Runner) newChunk(topic *topicPlan, limit int, shares ...*share) *chunk {
	c := &chunk{r: r, topic: topic, shares: shares, limit: limit, scope: inbox.Scope{
		Consumer: r.cfg.Group, Topic: topic.Topic, Mode: topic.Mode, Continue: topic.goesOn,
	}}
	for _, sh := range shares {
		c.scope.Partitions = append(c.scope.Partitions, sh.p.id)
		c.records = append(c.records, sh.items...)
		for _, w := range sh.release {
			c.release = append(c.release, w.Aggregate)
		}
	}
	if r.cfg.MaxPartitionChunks > 1 {
		c.scope.Member = shares[0].p.s.member
	}
	return c
}

// do runs the chunk in one transaction. Nothing of it remains on an error,
// unless the error came from the commit, whose outcome may then be unknown: to
// run it again is right in either case.
func (c *chunk) do(ctx context.Context) (*run, error) {
	tx, err := c.r.cfg.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return nil, fmt.Errorf("consumer: begin transaction of %s: %w", c.scope.Consumer, err)
	}
	defer func() {
		// After a commit this does nothing; otherwise the connection must be
		// clean before the pool lends it again, also during a shutdown.
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = tx.Rollback(cleanup)
	}()
	r := &run{chunk: c, now: c.r.cfg.Now()}
	if err := r.decide(ctx, tx); err != nil {
		return r, err
	}
	if err := r.begin(ctx, tx); err != nil {
		return r, err
	}
	if err := r.store(ctx, tx); err != nil {
		return r, err
	}
	if err := r.effect(ctx, tx); err != nil {
		return r, blame(err, tx.Conn())
	}
	if err := tx.Commit(ctx); err != nil {
		err = fmt.Errorf("consumer: commit: %w", err)
		if len(r.applied) == 0 { // nothing was handled: no event to blame
			return r, err
		}
		return r, blame(err, tx.Conn())
	}
	return r, nil
}

func (r *run) decide(ctx context.Context, tx pgx.Tx) error {
	if err := r.loadDue(ctx, tx); err != nil {
		return err
	}
	events := make([]inbox.Event, len(r.records))
	for i := range r.records {
		events[i] = r.records[i].event
	}
	loaded, err := inbox.Load(ctx, tx, r.scope, events, r.release)
	if errors.Is(err, inbox.ErrPartitionUnknown) || (err == nil && r.isAhead(loaded.Progress)) {
		return errRewound
	}
	if err != nil {
		return err
	}
	if err := r.assemble(&loaded); err != nil {
		return err
	}
	if err := r.learnParked(ctx, tx, loaded.Progress); err != nil {
		return err
	}
	events = make([]inbox.Event, len(r.items))
	for i := range r.items {
		r.judgeAgain(&r.items[i])
		events[i] = r.items[i].event
		events[i].Repeated = r.items[i].msg.Offset < loaded.Progress[r.items[i].msg.Partition].NextOffset
	}
	loaded.View.Settled = r.settled
	r.plan = inbox.Decide(loaded.View, events, len(r.records), r.release, r.limit)
	if err := r.learnSettled(ctx, tx); err != nil {
		return err
	}
	if len(r.settled) > len(loaded.View.Settled) {
		loaded.View.Settled = r.settled
		r.plan = inbox.Decide(loaded.View, events, len(r.records), r.release, r.limit)
	}
	r.gates = loaded.View.Gates
	r.more = slices.Concat(r.plan.More, r.unread(loaded.View.Held))
	r.changes = loaded.Changes(r.now)
	r.changes.Counted = r.counted > 0
	return nil
}

// isAhead reports whether this session has read what the database has not seen
// the effects of.
func (c *chunk) isAhead(stored map[int32]inbox.Progress) bool {
	return !c.topic.redrives && slices.ContainsFunc(c.shares, func(sh *share) bool { return stored[sh.p.id].NextOffset < sh.from })
}

// assemble puts the held events behind the records.
func (r *run) assemble(loaded *inbox.Loaded) error {
	r.items = append(make([]item, 0, len(r.records)+len(loaded.Held)), r.records...)
	loaded.View.Held = make(map[inbox.Aggregate][]int)
	for _, h := range loaded.Held {
		it, err := r.r.readHeld(r.topic, h)
		if err != nil {
			return fmt.Errorf("consumer: read held event at %s/%d/%d: %w", r.scope.Topic, h.Partition, h.Offset, err)
		}
		loaded.View.Held[it.event.Aggregate] = append(loaded.View.Held[it.event.Aggregate], len(r.items))
		r.items = append(r.items, it)
	}
	return nil
}

func (r *run) judgeAgain(it *item) {
	if it.event.Fault == inbox.Unreadable {
		return
	}
	if f := r.condemned[it.place()]; f != nil {
		it.fault, it.event.Fault = f, inbox.Broken
		if it.event.Tombstone {
			it.event.Fault = inbox.Unreadable
		}
	} else if later := r.paused[it.place()]; later != nil {
		it.pause, it.event.Fault = later, inbox.Failed
	}
}

// learnSettled looks up whether events that are about to be given up have been
// settled before. It is asked for these few alone, to spare every chunk the question.
func (r *run) learnSettled(ctx context.Context, tx pgx.Tx) error {
	var ids []string
	for _, s := range r.plan.Steps {
		if id := r.items[s.Event].event.EventID; id != "" && (s.Verdict == inbox.Dead || s.Verdict == inbox.Conflict) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	settled, err := inbox.SettledIDs(ctx, tx, r.scope.Consumer, ids)
	if err != nil || len(settled) == 0 {
		return err
	}
	r.learn(settled)
	return nil
}

// learn replaces the map, because the decision before holds the old one.
func (c *chunk) learn(ids []string) {
	settled := make(map[string]bool, len(c.settled)+len(ids))
	for id := range c.settled {
		settled[id] = true
	}
	for _, id := range ids {
		settled[id] = true
	}
	c.settled = settled
}

// unread are the aggregates of which every held event that was read is dealt
// with, so that there may be more.
func (r *run) unread(held map[inbox.Aggregate][]int) (more []inbox.Aggregate) {
	done := make(map[inbox.Aggregate]int)
	for _, s := range r.plan.Steps {
		if it := &r.items[s.Event]; it.held {
			done[it.event.Aggregate]++
		}
	}
	for a, indexes := range held {
		if len(indexes) == inbox.HeldLimit && done[a] == len(indexes) {
			more = append(more, a)
		}
	}
	return more
}

// store writes everything but the effects, in one round trip.
func (r *run) store(ctx context.Context, tx pgx.Tx) error {
	r.changes.Moves, r.changes.NextOffsets = r.plan.Moves, r.nextOffsets()
	for _, s := range r.plan.Steps {
		if s.Verdict == inbox.Again {
			r.items[s.Event].retry.GateEventID = r.plan.FailedAt[s.Event]
		}
		r.change(&r.items[s.Event], s.Verdict)
	}
	batch := &pgx.Batch{}
	r.changes.Queue(batch)
	for _, b := range r.letters {
		r.queueBurial(batch, b)
	}
	r.queueClosings(batch)
	if len(r.applied) > 0 {
		r.sortByTenant()
		r.tenant = r.applied[0].event.Aggregate.TenantID
		batch.Queue(statement("set_tenant"), r.tenant)
	}
	if batch.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("consumer: store progress of %s in %s: %w", r.scope.Consumer, r.scope.Topic, err)
	}
	if err := r.dropKnown(); err != nil {
		return err
	}
	if err := r.alert(ctx, tx); err != nil {
		return err
	}
	return r.forward(ctx, tx)
}

func (c *chunk) nextOffsets() map[int32]int64 {
	next := make(map[int32]int64, len(c.shares))
	for _, sh := range c.shares {
		if offset, ok := sh.p.nextAfter(sh); ok {
			next[sh.p.id] = offset
		}
	}
	return next
}

// releases are the aggregates of more by the partition they belong to.
func (r *run) releases() map[int32][]inbox.Waiter {
	if len(r.more) == 0 {
		return nil
	}
	of := make(map[inbox.Aggregate]*Message)
	for i := range r.items {
		of[r.items[i].event.Aggregate] = &r.items[i].msg
	}
	all := make(map[int32][]inbox.Waiter)
	for _, a := range r.more {
		if m := of[a]; m != nil {
			all[m.Partition] = append(all[m.Partition], inbox.Waiter{Aggregate: a, RecordKey: m.Key})
		}
	}
	return all
}

func (r *run) change(it *item, verdict inbox.Verdict) {
	e := &it.event
	if e.Tombstone && r.tried {
		r.changes.Overtaken(it.attemptID())
	}
	switch verdict {
	case inbox.Apply:
		r.applied = append(r.applied, it)
		if e.Tombstone {
			r.changes.Deleted(it.msg.Key, it.msg.Partition, it.msg.Offset)
		} else {
			r.changes.Done(e.EventID, it.msg.Partition, it.msg.Offset)
		}
	case inbox.HoldGap:
		r.hold(it, inbox.ReasonGap)
	case inbox.HoldBlocked:
		r.hold(it, inbox.ReasonBlocked)
	case inbox.Conflict:
		r.hold(it, inbox.ReasonConflict)
		r.bury(it, &fault{VersionConflict, "another event of the aggregate has this version; its producer was restored from a backup or counts wrongly", 1})
		return
	case inbox.Dead:
		r.bury(it, it.fault)
	case inbox.Again:
		r.park(it)
	}
	if it.held && !keeps(verdict) {
		r.changes.LetGo(it.msg.Partition, it.msg.Offset)
		r.endRetry(it, verdict)
		if verdict != inbox.Dead {
			r.closeRedriven(it, verdict)
		}
	}
}

// keeps reports whether a held event stays held.
func keeps(v inbox.Verdict) bool {
	return v == inbox.HoldGap || v == inbox.HoldBlocked || v == inbox.Again
}

func (r *run) hold(it *item, reason string) {
	if it.event.Due && reason == inbox.ReasonBlocked {
		return // its key waits for an earlier one; it stays due
	}
	later := it.retry
	if it.pause != nil {
		later.Tier, later.Attempts, later.DueAt = it.pause.tier, it.pause.fault.attempts, it.pause.due
	}
	if it.event.Due && reason == inbox.ReasonGap {
		r.changes.Unblock(&it.event)
	}
	r.changes.Hold(inbox.Held{
		Event: &it.event, EventType: it.msg.EventType, Reason: reason, Retry: later,
		Record: inbox.HeldRecord{
			Partition: it.msg.Partition, Offset: it.msg.Offset, Key: it.msg.Key,
			Headers: storedHeaders(it.msg.Headers), Value: it.value, RecordTime: it.msg.RecordTime,
		},
	})
}

// dropKnown acts on ids that turned out to be settled. Where versions decide,
// the whole chunk is decided again with that knowledge; otherwise their effects
// are left out.
func (r *run) dropKnown() error {
	known := r.changes.Known()
	if len(known) == 0 {
		return nil
	}
	r.learn(known)
	if r.scope.Mode != inbox.Unordered {
		return errKnown
	}
	kept := r.applied[:0]
	for _, it := range r.applied {
		if !r.settled[it.event.EventID] {
			kept = append(kept, it)
		}
	}
	r.applied = kept
	for i, s := range r.plan.Steps {
		if s.Verdict == inbox.Apply && r.settled[r.items[s.Event].event.EventID] {
			r.plan.Steps[i].Verdict = inbox.Duplicate
		}
	}
	return nil
}

func (r *run) effect(ctx context.Context, tx pgx.Tx) error {
	if len(r.applied) == 0 {
		return nil
	}
	var err error
	if r.apart {
		err = r.effectApart(ctx, tx)
	} else {
		err = r.effectOf(ctx, tx, r.applied)
	}
	if err != nil {
		return err
	}
	return r.markRejected(ctx, tx)
}

// effectOf gives events their effects and stores what their handlers appended.
func (r *run) effectOf(ctx context.Context, tx pgx.Tx, items []*item) error {
	inside, buffer := outbox.WithBuffer(ctx, tx)
	if err := r.handle(inside, tx, items); err != nil {
		return err
	}
	r.appended = r.appended || buffer.Len() > 0
	return buffer.Flush(ctx, r.r.cfg.Outbox)
}
