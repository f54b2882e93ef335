package inbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// DueRecord is an event of a partition that is to be tried again.
type DueRecord struct {
	Offset    int64
	RecordKey []byte
	// Suspect is set where an attempt together with others did not end.
	Suspect bool
	// Bytes are those of its value and headers.
	Bytes int
}

// DuePartitions returns in which partitions something is to be tried again now, and
// when the next event of any is due, which is zero where none waits.
func DuePartitions(ctx context.Context, db Querier, consumer, topic string, partitions []int32, now time.Time) (due []int32, next time.Time, err error) {
	batch := &pgx.Batch{}
	batch.Queue(statement("own_plan"))
	batch.Queue(statement("due_partitions"), consumer, topic, partitions, now).Query(func(rows pgx.Rows) error {
		var partition int32
		var isDue bool
		var at *time.Time
		_, err := pgx.ForEachRow(rows, []any{&partition, &isDue, &at}, func() error {
			if isDue {
				due = append(due, partition)
			}
			if at != nil && (next.IsZero() || at.Before(next)) {
				next = *at
			}
			return nil
		})
		return err
	})
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return nil, time.Time{}, fmt.Errorf("inbox: find where %s tries again: %w", consumer, err)
	}
	return due, next, nil
}

// FindDue returns the events of a partition that are to be tried again now, the
// longest overdue first, at most limit. What it reads does not grow with the number
// that waits.
func FindDue(ctx context.Context, db Querier, consumer, topic string, partition int32, now time.Time, limit int) (due []DueRecord, err error) {
	batch := &pgx.Batch{}
	batch.Queue(statement("own_plan"))
	batch.Queue(statement("find_due"), consumer, topic, partition, now, limit).Query(func(rows pgx.Rows) error {
		due, err = pgx.CollectRows(rows, pgx.RowToStructByPos[DueRecord])
		return err
	})
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("inbox: find what %s tries again in %s/%d: %w", consumer, topic, partition, err)
	}
	return due, nil
}

// LoadDue locks the partition and returns those of the events at some offsets of it
// that are to be tried again now, in the order of the log: what is missing was tried
// by somebody else.
func LoadDue(ctx context.Context, tx Querier, s Scope, partition int32, offsets []int64, now time.Time) (due []HeldRecord, err error) {
	l := Loaded{Progress: make(map[int32]Progress), View: View{CutStart: make(map[int32]bool)}}
	err = l.lock(ctx, tx, s, func(batch *pgx.Batch) {
		batch.Queue(statement("own_plan"))
		batch.Queue(statement("load_due"), s.Consumer, s.Topic, partition, offsets, now).Query(func(rows pgx.Rows) error {
			due, err = pgx.CollectRows(rows, scanHeld)
			return err
		})
		batch.Queue(statement("handlers_plan"))
	})
	if err != nil {
		return nil, fmt.Errorf("inbox: load %d events of %s/%d for %s: %w", len(offsets), s.Topic, partition, s.Consumer, err)
	}
	return due, nil
}

// Suspect marks events that are about to be tried again: until each has an
// outcome, one of them may have taken the process down. db is not the transaction
// that tries them, whose end must not take the mark along.
func Suspect(ctx context.Context, db Querier, s Scope, partition int32, offsets []int64) error {
	batch := &pgx.Batch{}
	batch.Queue(statement("own_plan"))
	batch.Queue(statement("suspect"), s.Consumer, s.Topic, partition, offsets)
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("inbox: mark %d events of %s/%d as tried by %s: %w", len(offsets), s.Topic, partition, s.Consumer, err)
	}
	return nil
}

func scanHeld(row pgx.CollectableRow) (h HeldRecord, err error) {
	err = row.Scan(&h.Partition, &h.Offset, &h.Key, &h.Headers, &h.Value, &h.RecordTime,
		&h.Retry.Tier, &h.Retry.Attempts, &h.Retry.HeldAt, &h.Retry.GateEventID, &h.Retry.RedriveID, &h.Retry.DeadLetterID)
	return h, err
}

// Redrive asks for one more attempt of a dead letter. One id of a redrive is taken
// once for each letter.
type Redrive struct{ ID, DeadLetterID string }

// TakeRedrives makes open dead letters of a consumer due for one more attempt, in a
// transaction for each partition that they came from. It returns those that were
// taken, in no order, and changes nothing of a letter that is unknown or not open,
// that was redriven with this id before, and of a tombstone. After an error some may
// be taken; taking them again does nothing.
func TakeRedrives(ctx context.Context, db Beginner, consumer string, now time.Time, redrives ...Redrive) (taken []Redrive, err error) {
	for len(redrives) > 0 {
		var batch []Redrive
		batch, redrives = distinctLetters(redrives)
		places, err := letterPlaces(ctx, db, consumer, batch)
		if err != nil {
			return taken, err
		}
		for _, place := range places {
			some, err := takeRedrivesOf(ctx, db, consumer, place, now)
			if err != nil {
				return taken, fmt.Errorf("inbox: redrive %d dead letters of %s from %s/%d: %w", len(place.redrives), consumer, place.topic, place.partition, err)
			}
			taken = append(taken, some...)
		}
	}
	return taken, nil
}

// Beginner is a pool, a connection or a transaction.
type Beginner interface {
	Querier
	Begin(ctx context.Context) (pgx.Tx, error)
}

// distinctLetters are the first redrives, up to one of a letter that came before.
func distinctLetters(redrives []Redrive) (batch, rest []Redrive) {
	seen := make(map[string]bool, len(redrives))
	for i, r := range redrives {
		if seen[r.DeadLetterID] {
			return redrives[:i], redrives[i:]
		}
		seen[r.DeadLetterID] = true
	}
	return redrives, nil
}

// letterPlace is what is to be redriven of a partition.
type letterPlace struct {
	topic     string
	partition int32
	redrives  []Redrive
}

func letterPlaces(ctx context.Context, db Querier, consumer string, redrives []Redrive) ([]*letterPlace, error) {
	byLetter := make(map[string]Redrive, len(redrives))
	for _, r := range redrives {
		byLetter[r.DeadLetterID] = r
	}
	type place struct {
		topic     string
		partition int32
	}
	found := make(map[place]*letterPlace)
	var places []*letterPlace
	var at place
	var id string
	batch := &pgx.Batch{}
	batch.Queue(statement("own_plan"))
	batch.Queue(statement("letter_places"), consumer, slices.Collect(maps.Keys(byLetter))).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&id, &at.topic, &at.partition}, func() error {
			if found[at] == nil {
				found[at] = &letterPlace{topic: at.topic, partition: at.partition}
				places = append(places, found[at])
			}
			found[at].redrives = append(found[at].redrives, byLetter[id])
			return nil
		})
		return err
	})
	batch.Queue(statement("handlers_plan"))
	if err := db.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("inbox: find dead letters of %s: %w", consumer, err)
	}
	return places, nil
}

// takeRedrivesOf holds the lock of the partition, as every transaction on it does.
func takeRedrivesOf(ctx context.Context, db Beginner, consumer string, of *letterPlace, now time.Time) (taken []Redrive, err error) {
	letters, ids := make([]string, len(of.redrives)), make([]string, len(of.redrives))
	byLetter := make(map[string]Redrive, len(of.redrives))
	for i, r := range of.redrives {
		letters[i], ids[i], byLetter[r.DeadLetterID] = r.DeadLetterID, r.ID, r
	}
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		l := Loaded{Progress: make(map[int32]Progress), View: View{CutStart: make(map[int32]bool)}}
		s := Scope{Consumer: consumer, Topic: of.topic, Partitions: []int32{of.partition}}
		err := l.lock(ctx, tx, s, func(batch *pgx.Batch) {
			batch.Queue(statement("own_plan"))
			batch.Queue(statement("take_redrives"), letters, consumer, ids, now).Query(func(rows pgx.Rows) error {
				var id string
				_, err := pgx.ForEachRow(rows, []any{&id}, func() error {
					taken = append(taken, byLetter[id])
					return nil
				})
				return err
			})
			batch.Queue(statement("handlers_plan"))
		})
		if errors.Is(err, ErrPartitionUnknown) { // the consumer never read what the letter came from
			return nil
		}
		return err
	})
	return taken, err
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

// CountAttempts records one more failed attempt of each event and returns how many
// there are by event id. One that is missing was settled meanwhile, by this
// consumer's other owner of the partition.
func CountAttempts(ctx context.Context, db Querier, s Scope, attempts []Attempt, now time.Time) (map[string]int, error) {
	var at placed
	for _, a := range attempts {
		at.add(a.EventID, a.Partition, a.Offset)
	}
	counts := make(map[string]int, len(attempts))
	rows, err := db.Query(ctx, statement("count_attempts"), s.Consumer, s.Topic, at.ids, at.partitions, at.offsets, now)
	if err == nil {
		var id string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error {
			counts[id] = n
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("inbox: count an attempt of %d events by %s: %w", len(attempts), s.Consumer, err)
	}
	return counts, nil
}

// Attempt is one of the event with an id, whose record stands at a place.
type Attempt struct {
	EventID string
	Place
}

// UncountAttempt takes back the attempt that [CountAttempts] returned, because it
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
