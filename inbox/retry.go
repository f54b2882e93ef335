package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Retry is how far an event is that failed and is tried again later.
type Retry struct {
	// Tier is how many pauses of the chain are used.
	Tier int
	// Attempts is how many were made when it was parked.
	Attempts int
	DueAt    time.Time
	// HeldAt is when it was kept first.
	HeldAt time.Time
	// GateEventID is [Event.GateEventID].
	GateEventID string
	// RedriveID and DeadLetterID are set while a dead letter is tried again.
	RedriveID, DeadLetterID string
}

// Place is where a record stands within a topic.
type Place struct {
	Partition int32
	Offset    int64
}

// DueRecord is where within its partition an event stands that is to be tried
// again, and its record key.
type DueRecord struct {
	Offset    int64
	RecordKey []byte
}

// FindDue returns the events that are to be tried again now, by partition, at
// most limit of each, and when the next one is due, which is zero where none
// waits.
func FindDue(ctx context.Context, db Querier, consumer, topic string, partitions []int32, now time.Time, limit int) (due map[int32][]DueRecord, next time.Time, err error) {
	batch := &pgx.Batch{}
	batch.Queue(statement("find_due"), consumer, topic, partitions, now, limit).Query(func(rows pgx.Rows) error {
		due = make(map[int32][]DueRecord)
		var partition int32
		var d DueRecord
		_, err := pgx.ForEachRow(rows, []any{&partition, &d.Offset, &d.RecordKey}, func() error {
			due[partition] = append(due[partition], d)
			return nil
		})
		return err
	})
	batch.Queue(statement("next_due"), consumer, topic, partitions, now).QueryRow(func(row pgx.Row) error {
		var at *time.Time
		err := row.Scan(&at)
		if at != nil {
			next = *at
		}
		return err
	})
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return nil, time.Time{}, fmt.Errorf("inbox: find what %s tries again: %w", consumer, err)
	}
	return due, next, nil
}

// LoadDue locks the partition and returns the event that stands at a place if it
// is to be tried again now, and reports false when somebody else did.
func LoadDue(ctx context.Context, tx Querier, s Scope, at Place, now time.Time) (h HeldRecord, found bool, err error) {
	l := Loaded{Progress: make(map[int32]Progress), View: View{CutStart: make(map[int32]bool)}}
	err = l.lock(ctx, tx, s, func(batch *pgx.Batch) {
		batch.Queue(statement("load_due"), s.Consumer, s.Topic, at.Partition, at.Offset, now).Query(func(rows pgx.Rows) error {
			all, err := pgx.CollectRows(rows, scanHeld)
			if found = len(all) > 0; found {
				h = all[0]
			}
			return err
		})
	})
	if err != nil {
		return h, false, fmt.Errorf("inbox: load %s/%d/%d for %s: %w", s.Topic, at.Partition, at.Offset, s.Consumer, err)
	}
	return h, found, nil
}

func scanHeld(row pgx.CollectableRow) (h HeldRecord, err error) {
	err = row.Scan(&h.Partition, &h.Offset, &h.Key, &h.Headers, &h.Value, &h.RecordTime,
		&h.Retry.Tier, &h.Retry.Attempts, &h.Retry.HeldAt, &h.Retry.GateEventID, &h.Retry.RedriveID, &h.Retry.DeadLetterID)
	return h, err
}

// TakeRedrive makes an open dead letter of a consumer due for one more attempt,
// in one transaction. It reports false, and changes nothing, where the letter is
// unknown or not open, where it was redriven with this id before, and for a
// tombstone.
func TakeRedrive(ctx context.Context, db interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}, consumer, deadLetterID, redriveID string, now time.Time,
) (taken bool, err error) {
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		var n int
		err := tx.QueryRow(ctx, statement("lock_letter"), deadLetterID, consumer).Scan(&n)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, statement("take_redrive"), deadLetterID, consumer, redriveID, now).Scan(&n)
		taken = n == 1
		return err
	})
	if err != nil {
		return false, fmt.Errorf("inbox: redrive %s of %s: %w", deadLetterID, consumer, err)
	}
	return taken, nil
}

// WaitForRetry returns those of ids that failed before and wait for their next
// attempt.
func WaitForRetry(ctx context.Context, tx Querier, s Scope, ids []string) ([]string, error) {
	rows, err := tx.Query(ctx, statement("waits_for_retry"), s.Consumer, s.Topic, s.Partitions, ids)
	if err != nil {
		return nil, fmt.Errorf("inbox: read what %s tries again: %w", s.Consumer, err)
	}
	waiting, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("inbox: read what %s tries again: %w", s.Consumer, err)
	}
	return waiting, nil
}

// Attempts returns how many attempts of an event are counted that is not
// settled.
func Attempts(ctx context.Context, db Querier, consumer, eventID string) (int, error) {
	rows, err := db.Query(ctx, statement("attempts"), consumer, eventID)
	if err != nil {
		return 0, fmt.Errorf("inbox: read attempts of %s by %s: %w", eventID, consumer, err)
	}
	n, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("inbox: read attempts of %s by %s: %w", eventID, consumer, err)
	}
	return n, nil
}

// CountAttempt records one more failed attempt of an event and returns how many
// there are. settled reports that the event was settled meanwhile, by this
// consumer's other owner of the partition.
func CountAttempt(ctx context.Context, db Querier, s Scope, e *Event, offset int64, now time.Time) (attempts int, settled bool, err error) {
	rows, err := db.Query(ctx, statement("count_attempt"), s.Consumer, e.EventID, s.Topic, e.Partition, offset, now)
	if err != nil {
		return 0, false, fmt.Errorf("inbox: count attempt of %s by %s: %w", e.EventID, s.Consumer, err)
	}
	counts, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return 0, false, fmt.Errorf("inbox: count attempt of %s by %s: %w", e.EventID, s.Consumer, err)
	}
	if len(counts) == 0 {
		return 0, true, nil
	}
	return counts[0], false, nil
}

// UncountAttempt takes back the attempt that [CountAttempt] returned, because it
// came to no end that says anything about the event.
func UncountAttempt(ctx context.Context, db Querier, consumer, eventID string, attempt int) error {
	rows, err := db.Query(ctx, statement("uncount_attempt"), consumer, eventID, attempt)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err != nil {
		return fmt.Errorf("inbox: take back attempt %d of %s by %s: %w", attempt, eventID, consumer, err)
	}
	return nil
}
