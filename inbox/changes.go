package inbox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The reasons for which an event is held.
const (
	ReasonGap      = "GAP"
	ReasonBlocked  = "BLOCKED"
	ReasonConflict = "CONFLICT"
	ReasonRetry    = "RETRY"
)

// Changes collects what a chunk changes in the tables of the inbox, to be
// stored in one round trip. Not safe for concurrent use.
type Changes struct {
	// Moves are the gates of [Plan.Moves].
	Moves []Move
	// NextOffsets are, by partition, the first offset that is not finished once
	// the chunk commits. A partition of which nothing was read has none.
	NextOffsets map[int32]int64
	// Counted says that the attempt is in the inbox already, by [CountAttempts]
	// before it began.
	Counted bool

	scope     Scope
	now       time.Time
	addresses map[Aggregate]string
	planned   bool

	done  placed
	past  placed
	dead  placed
	tries []int32
	gone  placed
	// deleted are tombstones, deletedKeys their record keys, in step.
	deleted     placed
	deletedKeys [][]byte
	held        heldColumns
	blocks      blockColumns
	lifted      []Event
	late        []string
	stored      map[string]bool
}

// placed are event ids and where they stand, in step.
type placed struct {
	ids        []string
	partitions []int32
	offsets    []int64
}

func (p *placed) add(id string, partition int32, offset int64) {
	p.ids = append(p.ids, id)
	p.partitions = append(p.partitions, partition)
	p.offsets = append(p.offsets, offset)
}

// Changes returns an empty set of changes at one time, for the transaction that
// loaded l.
func (l *Loaded) Changes(now time.Time) *Changes {
	return &Changes{scope: l.scope, now: now, addresses: l.addresses, planned: l.planned}
}

// Done records that an event takes effect.
func (c *Changes) Done(eventID string, partition int32, offset int64) {
	c.done.add(eventID, partition, offset)
}

// Passed records that an event that failed counts as settled, because a later
// one took its place.
func (c *Changes) Passed(eventID string, partition int32, offset int64) {
	c.past.add(eventID, partition, offset)
}

// Dead records that an event is given up after so many attempts.
func (c *Changes) Dead(eventID string, partition int32, offset int64, attempts int) {
	c.dead.add(eventID, partition, offset)
	c.tries = append(c.tries, int32(attempts))
}

// LetGo removes a held event.
func (c *Changes) LetGo(partition int32, offset int64) { c.gone.add("", partition, offset) }

// Deleted records that a tombstone takes effect: what failed of its record key at
// lower offsets is not tried again.
func (c *Changes) Deleted(recordKey []byte, partition int32, offset int64) {
	c.deleted.add("", partition, offset)
	c.deletedKeys = append(c.deletedKeys, recordKey)
}

// Held is an event to keep until its turn comes.
type Held struct {
	Event     *Event
	EventType string
	Record    HeldRecord
	// Reason is one of the Reason constants.
	Reason string
	// Retry says when and how often it is tried again, for ReasonRetry alone.
	Retry Retry
}

type heldColumns struct {
	partitions                     []int32
	offsets, versions              []int64
	tenants, aggregateTypes        []string
	aggregateIDs, eventIDs, types  []string
	blockKeys, keys, headers, data [][]byte
	times, due                     []time.Time
	reasons                        []string
	tiers, attempts                []int32
	gates                          []string
}

// Hold keeps an event. Holding it again changes its reason, and how far its
// retries are.
func (c *Changes) Hold(h Held) {
	k := &c.held
	k.partitions = append(k.partitions, h.Record.Partition)
	k.offsets = append(k.offsets, h.Record.Offset)
	k.tenants = append(k.tenants, h.Event.Aggregate.TenantID)
	k.aggregateTypes = append(k.aggregateTypes, h.Event.Aggregate.Type)
	k.aggregateIDs = append(k.aggregateIDs, h.Event.Aggregate.ID)
	k.versions = append(k.versions, h.Event.Version)
	k.eventIDs = append(k.eventIDs, h.Event.EventID)
	k.types = append(k.types, h.EventType)
	k.blockKeys = append(k.blockKeys, []byte(h.Event.BlockKey))
	k.keys = append(k.keys, h.Record.Key)
	k.headers = append(k.headers, h.Record.Headers)
	k.data = append(k.data, h.Record.Value)
	k.times = append(k.times, h.Record.RecordTime)
	k.reasons = append(k.reasons, h.Reason)
	k.tiers = append(k.tiers, int32(h.Retry.Tier))
	k.attempts = append(k.attempts, int32(h.Retry.Attempts))
	k.due = append(k.due, h.Retry.DueAt)
	k.gates = append(k.gates, h.Retry.GateEventID)
}

type blockColumns struct {
	at                  map[Key]int
	partitions          []int32
	tenants, types, ids []string
	keys                [][]byte
	versions            []int64
	events, letters     []string
	reasons             []string
}

// Block makes later events of e's key wait for the dead letter with this id. Of
// several blocks of one key the last call counts.
func (c *Changes) Block(e *Event, deadLetterID, reason string) {
	b := &c.blocks
	if b.at == nil {
		b.at = make(map[Key]int)
	}
	at, again := b.at[e.Key()]
	if !again {
		at = len(b.ids)
		b.at[e.Key()] = at
		b.grow()
	}
	b.partitions[at] = e.Partition
	b.tenants[at], b.keys[at] = e.Aggregate.TenantID, []byte(e.BlockKey)
	b.types[at], b.ids[at], b.versions[at] = e.Aggregate.Type, e.Aggregate.ID, e.Version
	b.events[at], b.letters[at], b.reasons[at] = e.EventID, deadLetterID, reason
}

func (b *blockColumns) grow() {
	b.partitions = append(b.partitions, 0)
	b.tenants, b.keys = append(b.tenants, ""), append(b.keys, nil)
	b.types, b.ids, b.versions = append(b.types, ""), append(b.ids, ""), append(b.versions, 0)
	b.events, b.letters, b.reasons = append(b.events, ""), append(b.letters, ""), append(b.reasons, "")
}

// Queue adds the statements of all changes to a batch, which must be sent in
// the transaction of [Load].
func (c *Changes) Queue(batch *pgx.Batch) {
	consumer, topic := c.scope.Consumer, c.scope.Topic
	if len(c.gone.ids) > 0 && !c.planned {
		batch.Queue(statement("own_plan"))
		c.planned = true
	}
	if len(c.done.ids) > 0 {
		c.queueDone(batch)
	}
	if d := c.past; len(d.ids) > 0 {
		batch.Queue(statement("insert_done"), consumer, topic, d.ids, d.partitions, d.offsets, c.now, 0)
	}
	if d := c.dead; len(d.ids) > 0 {
		batch.Queue(statement("insert_dead"), consumer, topic, d.ids, d.partitions, d.offsets, c.tries, c.now)
	}
	if len(c.Moves) > 0 {
		c.queueMoves(batch)
	}
	// Holding comes before letting go: a record that was delivered again can do
	// both in one chunk, and then it is gone.
	if h := c.held; len(h.offsets) > 0 {
		batch.Queue(statement("hold"), consumer, topic, h.partitions, h.offsets, h.tenants, h.aggregateTypes, h.aggregateIDs,
			h.versions, h.eventIDs, h.types, h.blockKeys, h.keys, h.headers, h.data, h.times, h.reasons, c.now, h.tiers, h.attempts, h.due, h.gates)
	}
	if len(c.gone.ids) > 0 {
		batch.Queue(statement("let_go"), consumer, topic, c.gone.partitions, c.gone.offsets)
	}
	if d := c.deleted; len(d.ids) > 0 {
		batch.Queue(statement("drop_retries"), consumer, topic, d.partitions, d.offsets, c.deletedKeys, c.now)
	}
	if len(c.lifted) > 0 {
		c.queueUnblock(batch)
	}
	for _, id := range c.late {
		batch.Queue(statement("forget_attempts"), consumer, id)
	}
	if b := c.blocks; len(b.ids) > 0 {
		batch.Queue(statement("block"), consumer, topic, b.partitions, b.tenants, b.keys, b.types, b.ids,
			b.versions, b.events, b.letters, b.reasons, c.now)
		batch.Queue(statement("wait_for_block"), consumer, topic, b.tenants, b.keys)
	}
	if len(c.NextOffsets) > 0 {
		c.queueOffsets(batch)
	}
	if c.planned {
		batch.Queue(statement("handlers_plan"))
	}
}

// Unblock lets what waits behind e go on, which blocked its key as one that is
// tried again.
func (c *Changes) Unblock(e *Event) { c.lifted = append(c.lifted, *e) }

// Overtaken removes the count of attempts of an event that failed and came too late
// when it was tried again, or that leaves no trace in the inbox otherwise.
func (c *Changes) Overtaken(eventID string) { c.late = append(c.late, eventID) }

func (c *Changes) queueUnblock(batch *pgx.Batch) {
	tenants, keys, ids := make([]string, len(c.lifted)), make([][]byte, len(c.lifted)), make([]string, len(c.lifted))
	for i := range c.lifted {
		e := &c.lifted[i]
		tenants[i], keys[i], ids[i] = e.Aggregate.TenantID, []byte(e.BlockKey), e.EventID
	}
	consumer, topic := c.scope.Consumer, c.scope.Topic
	batch.Queue(statement("unblock"), consumer, topic, tenants, keys, ids)
	batch.Queue(statement("block_by_next"), consumer, topic, tenants, keys, c.now)
	batch.Queue(statement("wait_for_gap"), consumer, topic, tenants, keys)
}

func (c *Changes) queueOffsets(batch *pgx.Batch) {
	partitions := slices.Sorted(maps.Keys(c.NextOffsets))
	offsets := make([]int64, len(partitions))
	for i, id := range partitions {
		offsets[i] = c.NextOffsets[id]
	}
	batch.Queue(statement("finish_offsets"), c.scope.Consumer, c.scope.Topic, partitions, offsets, c.now)
}

func (c *Changes) queueDone(batch *pgx.Batch) {
	d, more := c.done, 1
	if c.Counted {
		more = 0
	}
	batch.Queue(statement("insert_done"), c.scope.Consumer, c.scope.Topic, d.ids, d.partitions, d.offsets, c.now, more).
		Query(func(rows pgx.Rows) error {
			c.stored = make(map[string]bool, len(d.ids))
			var id string
			_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
				c.stored[id] = true
				return nil
			})
			return err
		})
}

// queueMoves moves the gates that were loaded by their row's address and opens
// the others.
func (c *Changes) queueMoves(batch *pgx.Batch) {
	var moved, opened gateColumns
	for _, m := range c.Moves {
		if address, ok := c.addresses[m.Aggregate]; ok {
			moved.addresses = append(moved.addresses, address)
			moved.add(m)
		} else {
			opened.add(m)
		}
	}
	if n := len(moved.addresses); n > 0 {
		tenants, types, ids := columns(moved.aggregates)
		batch.Queue(statement("move_gates"), moved.addresses, moved.versions, moved.events, tenants, types, ids,
			c.scope.Consumer, c.scope.Topic, c.scope.Mode == Latest).Exec(c.all(n))
	}
	if n := len(opened.aggregates); n > 0 {
		tenants, types, ids := columns(opened.aggregates)
		batch.Queue(statement("open_gates"), c.scope.Consumer, c.scope.Topic, tenants, types, ids,
			opened.versions, opened.events, opened.baselines).Exec(c.all(n))
	}
}

// all checks that so many gates were as they were loaded. Others are at work on an
// aggregate whose events have several record keys, or none.
func (c *Changes) all(n int) func(pgconn.CommandTag) error {
	return func(tag pgconn.CommandTag) error {
		if tag.RowsAffected() != int64(n) {
			return fmt.Errorf("inbox: move gates of %s: %d of %d were there as loaded; somebody else works on the same aggregates, try again", c.scope.Consumer, tag.RowsAffected(), n)
		}
		return nil
	}
}

type gateColumns struct {
	aggregates []Aggregate
	addresses  []string
	versions   []int64
	events     []string
	baselines  []bool
}

func (g *gateColumns) add(m Move) {
	g.aggregates = append(g.aggregates, m.Aggregate)
	g.versions = append(g.versions, m.Position.Version)
	g.events = append(g.events, m.Position.EventID)
	g.baselines = append(g.baselines, m.Position.IsBaseline)
}

// Known returns, after the batch was read, the events given to [Changes.Done]
// that the consumer had settled before: their ids were in the inbox already.
func (c *Changes) Known() []string {
	if len(c.stored) == len(c.done.ids) {
		return nil
	}
	var known []string
	for _, id := range c.done.ids {
		if !c.stored[id] {
			known = append(known, id)
		}
	}
	return known
}

// MarkRejected turns events that were recorded as done in this transaction into
// rejected ones.
func MarkRejected(ctx context.Context, tx pgx.Tx, consumer string, ids []string) error {
	if _, err := tx.Exec(ctx, statement("mark_rejected"), consumer, ids); err != nil {
		return fmt.Errorf("inbox: mark events of %s rejected: %w", consumer, err)
	}
	return nil
}
