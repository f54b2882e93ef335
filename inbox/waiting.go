package inbox

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Waiter is an aggregate with held events, and the record key they came with.
type Waiter struct {
	Aggregate Aggregate
	RecordKey []byte
}

// Due returns the aggregates with a held event whose turn has come, by
// partition, at most limit of each.
func Due(ctx context.Context, db Querier, consumer, topic string, partitions []int32, limit int) (map[int32][]Waiter, error) {
	rows, err := db.Query(ctx, statement("due"), consumer, topic, partitions, limit)
	if err != nil {
		return nil, fmt.Errorf("inbox: find due events of %s: %w", consumer, err)
	}
	due := make(map[int32][]Waiter)
	var partition int32
	var w Waiter
	a := &w.Aggregate
	_, err = pgx.ForEachRow(rows, []any{&partition, &a.TenantID, &a.Type, &a.ID, &w.RecordKey}, func() error {
		due[partition] = append(due[partition], w)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("inbox: find due events of %s: %w", consumer, err)
	}
	return due, nil
}

// Waiting counts what waits in some partitions.
type Waiting struct {
	// Held is the number of held events by reason.
	Held map[string]int64
	// BlockedKeys is the number of keys that wait for an operator.
	BlockedKeys int64
	// Gaps are the aggregates that wait longest for a missing version, at most
	// 20.
	Gaps []Gap
}

// Gap is an aggregate with a missing version.
type Gap struct {
	Partition int32
	Aggregate Aggregate
	// Applied is the last version applied, Next the lowest one that waits.
	Applied, Next int64
	HeldEvents    int64
	// Since is when the first of them was held.
	Since time.Time
}

// CountWaiting reads what waits. Gaps are those from before gapsBefore.
func CountWaiting(ctx context.Context, db Querier, consumer, topic string, partitions []int32, gapsBefore time.Time) (Waiting, error) {
	w := Waiting{Held: make(map[string]int64)}
	batch := &pgx.Batch{}
	batch.Queue(statement("waiting"), consumer, topic, partitions).Query(func(rows pgx.Rows) error {
		var reason string
		var n int64
		_, err := pgx.ForEachRow(rows, []any{&reason, &n}, func() error {
			w.Held[reason] = n
			return nil
		})
		return err
	})
	batch.Queue(statement("blocked"), consumer, topic, partitions).QueryRow(func(row pgx.Row) error {
		return row.Scan(&w.BlockedKeys)
	})
	batch.Queue(statement("old_gaps"), consumer, topic, partitions, gapsBefore).Query(func(rows pgx.Rows) error {
		var err error
		w.Gaps, err = pgx.CollectRows(rows, scanGap)
		return err
	})
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return Waiting{}, fmt.Errorf("inbox: count waiting events of %s: %w", consumer, err)
	}
	return w, nil
}

func scanGap(row pgx.CollectableRow) (g Gap, err error) {
	err = row.Scan(&g.Partition, &g.Aggregate.TenantID, &g.Aggregate.Type, &g.Aggregate.ID,
		&g.Next, &g.Applied, &g.HeldEvents, &g.Since)
	return g, err
}
