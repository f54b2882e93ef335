package replay

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/inbox"
)

// point is how far the live group is, and what it decided on the way.
type point struct {
	// offsets are its next offset in each partition.
	offsets map[place]int64
	// decisions are the events it gave up, by id.
	decisions map[string]decision
}

type decision struct {
	EventID      string
	Topic        string
	DeadLetterID string
	ErrorClass   string
	State        string
}

func (d decision) isSkipped() bool { return d.State == "SKIPPED" }

// isConflict: another event holds its version, so a skip advances nothing.
func (d decision) isConflict() bool { return d.ErrorClass == string(consumer.VersionConflict) }

func (p point) gaveUp(eventID string) bool {
	_, ok := p.decisions[eventID]
	return ok
}

// readPoint reads both in one snapshot of its own.
func readPoint(ctx context.Context, cfg Config) (at point, err error) {
	err = pgx.BeginTxFunc(ctx, cfg.Pool, snapshotOptions(), func(tx pgx.Tx) error {
		at, err = pointIn(ctx, tx, cfg)
		return err
	})
	return at, err
}

func snapshotOptions() pgx.TxOptions {
	return pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
}

func pointIn(ctx context.Context, tx pgx.Tx, cfg Config) (point, error) {
	at := point{offsets: make(map[place]int64), decisions: make(map[string]decision)}
	group, topics := cfg.Projection.Group, cfg.topics()
	progress, err := inbox.Offsets(ctx, tx, group, topics)
	if err != nil {
		return at, err
	}
	for _, p := range progress {
		at.offsets[place{p.Topic, p.Partition}] = p.NextOffset
	}
	rows, err := tx.Query(ctx, statement("decisions"), group, topics)
	if err != nil {
		return at, fmt.Errorf("replay: read what %s gave up: %w", group, err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[decision])
	if err != nil {
		return at, fmt.Errorf("replay: read what %s gave up: %w", group, err)
	}
	for _, d := range all {
		at.decisions[d.EventID] = d
	}
	return at, nil
}

// isRestless reports whether the live group still has to apply events whose
// turn has come, or has applied some beyond its offsets, so that its table is not
// what they say.
func isRestless(ctx context.Context, tx pgx.Tx, cfg Config, at point) (bool, error) {
	partitions := make(map[string][]int32)
	for p := range at.offsets {
		partitions[p.topic] = append(partitions[p.topic], p.partition)
	}
	for topic, numbers := range partitions {
		due, err := inbox.Due(ctx, tx, cfg.Projection.Group, topic, numbers, 1)
		if err != nil || len(due) > 0 {
			return true, err
		}
		ahead, err := inbox.IsAhead(ctx, tx, cfg.Projection.Group, topic)
		if err != nil || ahead {
			return true, err
		}
	}
	return false, nil
}
