package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/effect"
	"factline.dev/envelope"
	"factline.dev/inbox"
)

// item is a record read once and judged before its transaction.
type item struct {
	msg   consumer.Message
	event inbox.Event
	value []byte
	// violation is why the event breaks its contract today.
	violation error
	held      bool
}

// rebuild is one replay at work. Its chunks run concurrently, one a partition.
type rebuild struct {
	cfg     Config
	table   pgx.Identifier
	applied map[string]map[string]bool
	sources map[string]Source
	at      point
	tally   tally
}

// read turns a record into an item the way the live group does.
func (r *rebuild) read(msg consumer.Message, value []byte) item {
	it := item{msg: msg, value: value}
	raw, err := envelope.DecodeRaw(value)
	if err == nil && len(msg.Key) > envelope.MaxKeyBytes {
		err = &envelope.LimitError{What: "key", Size: len(msg.Key), Limit: envelope.MaxKeyBytes}
	}
	if err != nil {
		it.event.Fault = inbox.Unreadable
		return it
	}
	it.msg.Raw = raw
	it.event = inbox.Event{
		Aggregate: inbox.Aggregate{TenantID: raw.TenantID, Type: raw.AggregateType, ID: raw.AggregateID},
		Version:   raw.AggregateVersion, EventID: raw.EventID, BlockKey: string(msg.Key),
		Handled: r.applied[msg.Topic][raw.EventType],
	}
	if len(msg.Key) == 0 {
		it.event.BlockKey = raw.AggregateID
	}
	r.judge(&it)
	return it
}

// judge lets the live group's decision stand where it made one.
func (r *rebuild) judge(it *item) {
	d, decided := r.at.decisions[it.event.EventID]
	switch {
	case decided && d.isSkipped():
		it.event.Handled = false
	case decided:
		it.event.Fault = inbox.Broken
	case r.sources[it.msg.Topic].Mode == consumer.Ordered && it.event.Version < 1:
		it.event.Fault, it.violation = inbox.Broken, errors.New("aggregateVersion is missing")
	case it.event.Handled:
		it.violation = r.cfg.Contracts.Validate(it.msg.EventType, it.msg.EventVersion, it.value)
		if it.violation != nil {
			it.event.Fault = inbox.Broken
		}
	}
}

func (r *rebuild) readRecord(record *kgo.Record) item {
	var headers []envelope.Header
	for _, h := range record.Headers {
		headers = append(headers, envelope.Header{Key: h.Key, Value: h.Value})
	}
	return r.read(consumer.Message{
		Topic: record.Topic, Partition: record.Partition, Offset: record.Offset,
		Key: record.Key, Headers: headers, RecordTime: clamp(record.Timestamp),
	}, record.Value)
}

// clamp is how the live group reads a timestamp that any producer may have
// invented; the rule stands in [consumer.Message].
func clamp(t time.Time) time.Time {
	first, last := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	switch {
	case t.Before(first):
		return first
	case t.After(last):
		return last
	}
	return t.UTC()
}

func (r *rebuild) readHeld(topic string, h inbox.HeldRecord) (item, error) {
	headers, err := envelope.DecodeHeaders(h.Headers)
	if err != nil {
		return item{}, err
	}
	it := r.read(consumer.Message{
		Topic: topic, Partition: h.Partition, Offset: h.Offset, Key: h.Key, Headers: headers, RecordTime: h.RecordTime.UTC(),
	}, h.Value)
	it.held = true
	return it, nil
}

// chunk is records of one partition, or held events of some aggregates, in one
// transaction.
type chunk struct {
	*rebuild
	scope   inbox.Scope
	records []item
	next    int64
	release []inbox.Aggregate
	settled map[string]bool

	items   []item
	plan    inbox.Plan
	changes *inbox.Changes
	effects []*item
	// closedCalls were asked for by the last run.
	closedCalls int64
}

func (r *rebuild) newChunk(topic string, partition int32) *chunk {
	goesOn := false
	if t, ok := r.cfg.Contracts.Topic(topic); ok {
		goesOn = t.OnDeadLetter == "continue"
	}
	return &chunk{rebuild: r, settled: make(map[string]bool), scope: inbox.Scope{
		Consumer: r.cfg.scope(), Topic: topic, Partitions: []int32{partition}, Mode: r.sources[topic].Mode, Continue: goesOn,
	}}
}

// errKnown asks to decide again: an id was settled under another version.
var errKnown = errors.New("replay: an event id was settled before")

func (c *chunk) do(ctx context.Context) error {
	for {
		err := pgx.BeginFunc(ctx, c.cfg.Pool, func(tx pgx.Tx) error { return c.run(ctx, tx) })
		if errors.Is(err, errKnown) {
			continue
		}
		if err == nil {
			c.tally.count(c)
		}
		return err
	}
}

func (c *chunk) run(ctx context.Context, tx pgx.Tx) error {
	if err := c.decide(ctx, tx); err != nil {
		return err
	}
	if err := c.store(ctx, tx); err != nil {
		return err
	}
	if len(c.effects) == 0 {
		return nil
	}
	return c.guarded(ctx, tx, func() error { return c.apply(ctx, tx) })
}

func (c *chunk) decide(ctx context.Context, tx pgx.Tx) error {
	events := make([]inbox.Event, len(c.records))
	for i := range c.records {
		events[i] = c.records[i].event
	}
	loaded, err := inbox.Load(ctx, tx, c.scope, events, c.release)
	if err != nil {
		return err
	}
	c.changes = loaded.Changes(c.cfg.Now())
	c.items = append(make([]item, 0, len(c.records)+len(loaded.Held)), c.records...)
	loaded.View.Held = make(map[inbox.Aggregate][]int)
	for _, h := range loaded.Held {
		it, err := c.readHeld(c.scope.Topic, h)
		if err != nil {
			return fmt.Errorf("replay: read held event at %s/%d/%d: %w", c.scope.Topic, h.Partition, h.Offset, err)
		}
		loaded.View.Held[it.event.Aggregate] = append(loaded.View.Held[it.event.Aggregate], len(c.items))
		c.items = append(c.items, it)
		events = append(events, it.event)
	}
	c.settleConflicts()
	loaded.View.Settled = c.settled
	c.plan = inbox.Decide(loaded.View, events, len(c.records), c.release, math.MaxInt)
	return c.relearn(ctx, tx, loaded.View, events)
}

// settleConflicts: an event that lost its version to another, and was then
// skipped, must neither take effect nor block again.
func (c *chunk) settleConflicts() {
	for i := range c.items {
		if d, ok := c.at.decisions[c.items[i].event.EventID]; ok && d.isSkipped() && d.isConflict() {
			c.settled[d.EventID] = true
		}
	}
}

// relearn asks the inbox about events that are to be given up, as the live
// group does: a repetition of a settled one is a duplicate.
func (c *chunk) relearn(ctx context.Context, tx pgx.Tx, view inbox.View, events []inbox.Event) error {
	var ids []string
	for _, s := range c.plan.Steps {
		if id := events[s.Event].EventID; id != "" && (s.Verdict == inbox.Dead || s.Verdict == inbox.Conflict) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	settled, err := inbox.SettledIDs(ctx, tx, c.scope.Consumer, ids)
	if err != nil || len(settled) == 0 {
		return err
	}
	for _, id := range settled {
		c.settled[id] = true
	}
	c.plan = inbox.Decide(view, events, len(c.records), c.release, math.MaxInt)
	return nil
}

func (c *chunk) store(ctx context.Context, tx pgx.Tx) error {
	c.effects, c.closedCalls = nil, 0
	c.changes.Moves = c.plan.Moves
	if c.next > 0 {
		c.changes.NextOffsets = map[int32]int64{c.scope.Partitions[0]: c.next}
	}
	for _, s := range c.plan.Steps {
		if err := c.change(&c.items[s.Event], s.Verdict); err != nil {
			return err
		}
	}
	batch := &pgx.Batch{}
	c.changes.Queue(batch)
	if batch.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("replay: store progress of %s: %w", c.scope.Consumer, err)
	}
	known := c.changes.Known()
	for _, id := range known {
		c.settled[id] = true
	}
	if len(known) > 0 {
		return errKnown
	}
	return nil
}

func (c *chunk) change(it *item, verdict inbox.Verdict) error {
	switch verdict {
	case inbox.Apply:
		c.effects = append(c.effects, it)
		c.changes.Done(it.event.EventID, it.msg.Partition, it.msg.Offset)
	case inbox.HoldGap:
		c.hold(it, inbox.ReasonGap)
		return nil
	case inbox.HoldBlocked:
		c.hold(it, inbox.ReasonBlocked)
		return nil
	case inbox.Conflict:
		c.hold(it, inbox.ReasonConflict)
		return c.giveUp(it)
	case inbox.Dead:
		if err := c.giveUp(it); err != nil {
			return err
		}
	}
	if it.held {
		c.changes.LetGo(it.msg.Partition, it.msg.Offset)
	}
	return nil
}

func (c *chunk) hold(it *item, reason string) {
	c.changes.Hold(inbox.Held{
		Event: &it.event, EventType: it.msg.EventType, Reason: reason,
		Record: inbox.HeldRecord{
			Partition: it.msg.Partition, Offset: it.msg.Offset, Key: it.msg.Key,
			Headers: envelope.EncodeHeaders(it.msg.Headers), Value: it.value, RecordTime: it.msg.RecordTime,
		},
	})
}

// giveUp repeats a decision of the live group. Without one the two would part
// here, so the replay ends.
func (c *chunk) giveUp(it *item) error {
	if it.event.Fault == inbox.Unreadable {
		return nil
	}
	d, decided := c.at.decisions[it.event.EventID]
	if !decided {
		why := "its version is another event's"
		if it.violation != nil {
			why = it.violation.Error()
		}
		refused := &RefusedError{Projection: c.cfg.Projection.Name}
		refused.add(VersionUnreadable, "event %s (%s v%d) at %s/%d/%d was applied by the live group and cannot be today: %s",
			it.event.EventID, it.msg.EventType, it.msg.EventVersion, it.msg.Topic, it.msg.Partition, it.msg.Offset, why)
		return refused
	}
	c.changes.Dead(it.event.EventID, it.msg.Partition, it.msg.Offset, 1)
	if c.scope.Mode == inbox.Ordered && (!c.scope.Continue || d.isConflict()) {
		c.changes.Block(&it.event, d.DeadLetterID, d.ErrorClass)
	}
	return nil
}

func (c *chunk) touchedHeld() bool {
	return len(c.items) > len(c.records) || slices.ContainsFunc(c.plan.Steps, func(s inbox.Step) bool { return s.Verdict == inbox.HoldGap })
}

// apply hands each tenant's events to the projection in the order decided.
func (c *chunk) apply(ctx context.Context, tx pgx.Tx) error {
	byTenant := make(map[string][]consumer.Message)
	var tenants []string
	for _, it := range c.effects {
		tenant := it.msg.TenantID
		if byTenant[tenant] == nil {
			tenants = append(tenants, tenant)
		}
		byTenant[tenant] = append(byTenant[tenant], it.msg)
	}
	ctx = effect.WithReplay(ctx, func(string, effect.Call) { c.closedCalls++ })
	for _, tenant := range tenants {
		if _, err := tx.Exec(ctx, statement("set_tenant"), tenant); err != nil {
			return fmt.Errorf("replay: set tenant: %w", err)
		}
		ms := byTenant[tenant]
		inside := envelope.WithCause(ctx, envelope.Cause{TenantID: tenant})
		if err := c.cfg.Projection.Apply(inside, tx, c.table, ms); err != nil {
			return fmt.Errorf("replay: apply %d events from %s (%s/%d/%d) on: %w; the live group's handler did",
				len(ms), ms[0].EventID, ms[0].Topic, ms[0].Partition, ms[0].Offset, err)
		}
	}
	return nil
}
