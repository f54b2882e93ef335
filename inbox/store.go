package inbox

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed sql/*.sql
var statements embed.FS

// statement returns one embedded SQL file. It panics on an unknown name, which
// is a programmer's error that the prepare test finds.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("inbox: unknown statement " + name)
	}
	return string(text)
}

// ErrPartitionUnknown says that the database has no row for a partition: this
// consumer never started on it, or the database was restored to before it did.
var ErrPartitionUnknown = errors.New("inbox: lock partition: the database does not know it; start it with StartPartition first")

// ErrPartitionTaken says that another member took a partition while its lock was
// waited for. The transaction is to be rolled back and run again, which then waits
// for its turn as one that shares nothing.
var ErrPartitionTaken = errors.New("inbox: lock partition: another member took it while it was waited for; run the transaction again")

// Scope is what of a topic one transaction of a consumer handles.
type Scope struct {
	// Consumer is the group id.
	Consumer string
	Topic    string
	// Partitions are those that the transaction reads from, at least one.
	Partitions []int32
	Mode       Mode
	// Continue is [View.Continue].
	Continue bool
	// Member lets the transactions of one member share a partition, where
	// [TakePartitions] marked it as that member's. The caller sees to it that no
	// two of them have a record key in common. Empty shares with nobody.
	Member string
}

// Querier is a transaction, a connection or a pool.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// Progress is how far a consumer has come in a partition.
type Progress struct {
	Topic     string
	Partition int32
	// NextOffset is the first offset whose record has had no effect.
	NextOffset int64
	// CutStart says that the log had lost its start when the consumer first read
	// the partition.
	CutStart bool
}

// Offsets returns the progress of a consumer in every partition of topics that
// it has started.
func Offsets(ctx context.Context, db Querier, consumer string, topics []string) ([]Progress, error) {
	rows, err := db.Query(ctx, statement("offsets"), consumer, topics)
	if err != nil {
		return nil, fmt.Errorf("inbox: read offsets of %s: %w", consumer, err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Progress, err error) {
		err = row.Scan(&p.Topic, &p.Partition, &p.NextOffset, &p.CutStart)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("inbox: read offsets of %s: %w", consumer, err)
	}
	return all, nil
}

// IsAhead reports whether a consumer has applied records of a topic that stand
// at or above its next offset, beside a lower one that is still under way. It
// reads the whole inbox of the consumer: it is for tools.
func IsAhead(ctx context.Context, db Querier, consumer, topic string) (bool, error) {
	rows, err := db.Query(ctx, statement("is_ahead"), consumer, topic)
	if err != nil {
		return false, fmt.Errorf("inbox: look for effects of %s beyond its offsets: %w", consumer, err)
	}
	ahead, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[bool])
	if err != nil {
		return false, fmt.Errorf("inbox: look for effects of %s beyond its offsets: %w", consumer, err)
	}
	return ahead, nil
}

// StartPartition records where a consumer begins to read partitions that the
// database does not know yet. Known ones stay as they are.
func StartPartition(ctx context.Context, db Querier, consumer string, now time.Time, starts ...Progress) error {
	batch := &pgx.Batch{}
	for _, s := range starts {
		batch.Queue(statement("start_partition"), consumer, s.Topic, s.Partition, s.NextOffset, s.CutStart, now)
	}
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("inbox: start partitions of %s: %w", consumer, err)
	}
	return nil
}

// HeldRecord is a held event as it stood on the log.
type HeldRecord struct {
	Partition           int32
	Offset              int64
	Key, Headers, Value []byte
	RecordTime          time.Time
	Retry               Retry
}

// HeldLimit is how many held events of one aggregate [Load] reads at a time.
const HeldLimit = 200

// Loaded is what [Load] found.
type Loaded struct {
	// Progress is how far the consumer has come in each partition of the scope.
	Progress map[int32]Progress
	// View lacks Held, which the caller fills once it has read the records.
	View View
	// Held are the held events of the aggregates, each aggregate's in version
	// order, at most 200 of one.
	Held []HeldRecord

	scope Scope
	// addresses are where the rows of the gates lie.
	addresses map[Aggregate]string
	// planned is set where the transaction has this package's own plan settings.
	planned bool
}

// Load locks the rows of the partitions in tx and reads, in one round trip, what
// is known about the aggregates and keys of events and about the aggregates of
// release. It waits while somebody else works on one of the partitions, and returns
// [ErrPartitionTaken] where one changed hands meanwhile.
func Load(ctx context.Context, tx Querier, s Scope, events []Event, release []Aggregate) (Loaded, error) {
	l := Loaded{scope: s, Progress: make(map[int32]Progress, len(s.Partitions)), addresses: make(map[Aggregate]string, len(events)), View: View{
		Mode: s.Mode, Continue: s.Continue, CutStart: make(map[int32]bool),
		Gates: make(map[Aggregate]Position, len(events)), Blocks: make(map[Key]Block),
	}}
	err := l.lock(ctx, tx, s, func(batch *pgx.Batch) {
		if s.Mode != Unordered {
			l.queueView(batch, s, events, release)
		}
	})
	if err != nil {
		return Loaded{}, fmt.Errorf("inbox: load partitions %v of %s for %s: %w", s.Partitions, s.Topic, s.Consumer, err)
	}
	return l, nil
}

// lock locks the partitions and then, in the same round trip, runs what view
// queues. A row that changed its mark while its lock was waited for does not come
// back, and is locked all the same, as one that is shared: two transactions that went
// on from there to have it alone would wait for each other.
func (l *Loaded) lock(ctx context.Context, tx Querier, s Scope, view func(*pgx.Batch)) error {
	batch := &pgx.Batch{}
	l.queueLock(batch, s)
	view(batch)
	err := tx.SendBatch(ctx, batch).Close()
	if !errors.Is(err, ErrPartitionUnknown) || s.Member == "" {
		return err
	}
	known, failure := isKnown(ctx, tx, s)
	switch {
	case failure != nil:
		return failure
	case known:
		return ErrPartitionTaken
	}
	return err
}

func isKnown(ctx context.Context, tx Querier, s Scope) (bool, error) {
	rows, err := tx.Query(ctx, statement("count_partitions"), s.Consumer, s.Topic, s.Partitions)
	if err != nil {
		return false, err
	}
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
	return n == len(s.Partitions), err
}

func (l *Loaded) queueLock(batch *pgx.Batch, s Scope) {
	place, member := []any{s.Consumer, s.Topic, s.Partitions}, []any(nil)
	queue, lock := "queue_alone", "lock_partitions"
	if s.Member != "" {
		queue, lock, member = "queue_beside", "share_partitions", []any{s.Member}
	}
	batch.Queue(statement(queue), place...)
	batch.Queue(statement(lock), slices.Concat(place, member)...).Query(func(rows pgx.Rows) error {
		p := Progress{Topic: s.Topic}
		_, err := pgx.ForEachRow(rows, []any{&p.Partition, &p.NextOffset, &p.CutStart}, func() error {
			l.Progress[p.Partition], l.View.CutStart[p.Partition] = p, p.CutStart
			return nil
		})
		if err == nil && len(l.Progress) < len(s.Partitions) {
			return ErrPartitionUnknown
		}
		return err
	})
}

func (l *Loaded) queueView(batch *pgx.Batch, s Scope, events []Event, release []Aggregate) {
	aggregates, keys := distinct(events, release)
	if len(aggregates) == 0 {
		return
	}
	tenants, types, ids := columns(aggregates)
	if !l.planned {
		batch.Queue(statement("own_plan"))
		l.planned = true
	}
	batch.Queue(statement("load_gates"), s.Consumer, s.Topic, tenants, types, ids).Query(func(rows pgx.Rows) error {
		var n int64
		var p Position
		var address string
		_, err := pgx.ForEachRow(rows, []any{&n, &p.Version, &p.EventID, &p.IsBaseline, &address}, func() error {
			l.View.Gates[aggregates[n-1]], l.addresses[aggregates[n-1]] = p, address
			return nil
		})
		return err
	})
	if s.Mode == Ordered {
		l.queueHeld(batch, s, tenants, types, ids)
		l.queueBlocks(batch, s, keys)
	}
}

func (l *Loaded) queueHeld(batch *pgx.Batch, s Scope, tenants, types, ids []string) {
	batch.Queue(statement("load_held"), s.Consumer, s.Topic, tenants, types, ids, HeldLimit).Query(func(rows pgx.Rows) error {
		held, err := pgx.CollectRows(rows, scanHeld)
		l.Held = held
		return err
	})
}

func (l *Loaded) queueBlocks(batch *pgx.Batch, s Scope, keys []Key) {
	tenants, blockKeys := make([]string, len(keys)), make([][]byte, len(keys))
	for i, k := range keys {
		tenants[i], blockKeys[i] = k.TenantID, []byte(k.BlockKey)
	}
	batch.Queue(statement("load_blocks"), s.Consumer, s.Topic, tenants, blockKeys).Query(func(rows pgx.Rows) error {
		var k Key
		var blockKey []byte
		var b Block
		_, err := pgx.ForEachRow(rows, []any{&k.TenantID, &blockKey, &b.Aggregate.Type, &b.Aggregate.ID, &b.Version, &b.EventID}, func() error {
			k.BlockKey, b.Aggregate.TenantID = string(blockKey), k.TenantID
			l.View.Blocks[k] = b
			return nil
		})
		return err
	})
}

// SettledIDs returns those of ids whose fate is decided: applied, rejected or
// given up.
func SettledIDs(ctx context.Context, tx Querier, consumer string, ids []string) ([]string, error) {
	rows, err := tx.Query(ctx, statement("settled_ids"), consumer, ids)
	if err != nil {
		return nil, fmt.Errorf("inbox: read settled events of %s: %w", consumer, err)
	}
	settled, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("inbox: read settled events of %s: %w", consumer, err)
	}
	return settled, nil
}

func distinct(events []Event, release []Aggregate) ([]Aggregate, []Key) {
	seen := make(map[Aggregate]bool, len(events))
	blockable := make(map[Key]bool, len(events))
	aggregates := make([]Aggregate, 0, len(events)+len(release))
	keys := make([]Key, 0, len(events))
	for _, a := range release {
		if !seen[a] {
			seen[a] = true
			aggregates = append(aggregates, a)
		}
	}
	for i := range events {
		e := &events[i]
		if e.Fault == Unreadable || e.Tombstone {
			continue
		}
		if !seen[e.Aggregate] {
			seen[e.Aggregate] = true
			aggregates = append(aggregates, e.Aggregate)
		}
		if k := e.Key(); !blockable[k] {
			blockable[k] = true
			keys = append(keys, k)
		}
	}
	return aggregates, keys
}

func columns(aggregates []Aggregate) (tenants, types, ids []string) {
	tenants, types, ids = make([]string, len(aggregates)), make([]string, len(aggregates)), make([]string, len(aggregates))
	for i, a := range aggregates {
		tenants[i], types[i], ids[i] = a.TenantID, a.Type, a.ID
	}
	return tenants, types, ids
}
