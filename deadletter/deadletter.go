package deadletter

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/internal/named"
)

//go:embed sql/*.sql
var statements embed.FS

// statement returns one embedded SQL file. It panics on an unknown name, which
// is a programmer's error that the prepare test finds.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("deadletter: unknown statement " + name)
	}
	return string(text)
}

// The states of a dead letter.
const (
	// Open waits for an operator.
	Open = "OPEN"
	// Redriven is on its way to its group.
	Redriven = "REDRIVEN"
	// Applied had its effect after a redrive.
	Applied = "APPLIED"
	// Skipped was given up for good, with a reason.
	Skipped = "SKIPPED"
	// Superseded is needed no more: something newer of a current-state topic came.
	Superseded = "SUPERSEDED"
	// Corrected had no effect, and a corrected event had it in its place.
	Corrected = "CORRECTED"
)

// Entry is one dead letter of this database.
type Entry struct {
	// ID names the dead letter in commands.
	ID string `json:"deadLetterId"`
	// Record is what also stands on the dead-letter topic.
	Record           consumer.DeadLetter `json:"record"`
	TenantID         string              `json:"tenantId"`
	AggregateType    string              `json:"aggregateType"`
	AggregateID      string              `json:"aggregateId"`
	AggregateVersion int64               `json:"aggregateVersion"`
	// State is Open, Redriven while its group tries it again, Applied, Skipped,
	// Superseded or Corrected.
	State string `json:"state"`
	// ClosedAt is when it was settled, nil before.
	ClosedAt *time.Time `json:"closedAt,omitempty"`
	// HeldEvents is how many events of the same record key wait behind it.
	HeldEvents int64 `json:"heldEvents"`
	// Corrections are the events that operators put in its place, oldest first.
	// Record holds the last of them. Left out of lists.
	Corrections []Correction `json:"corrections,omitempty"`
}

// Filter narrows a [List]. Empty fields match all.
type Filter struct {
	Consumer, Topic, State string
	// Limit is the most entries returned, newest first. Default 200, at most
	// 10000.
	Limit int
}

// List returns dead letters without their original headers and value, newest
// first.
func List(ctx context.Context, pool *pgxpool.Pool, f Filter) ([]Entry, error) {
	if f.Limit <= 0 {
		f.Limit = 200
	}
	rows, err := pool.Query(ctx, statement("list"), f.Consumer, f.Topic, f.State, min(f.Limit, 10_000))
	if err != nil {
		return nil, fmt.Errorf("deadletter: list: %w", err)
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("deadletter: list: %w", err)
	}
	return entries, nil
}

// Get returns one dead letter with its whole record, or [ErrNotFound].
func Get(ctx context.Context, pool *pgxpool.Pool, id string) (Entry, error) {
	entry, err := get(ctx, pool, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Entry{}, fmt.Errorf("deadletter: get %s: %w", id, err)
	}
	return entry, err
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func get(ctx context.Context, db querier, id string) (Entry, error) {
	rows, err := db.Query(ctx, statement("get"), id)
	if err != nil {
		return Entry{}, err
	}
	entry, err := pgx.CollectExactlyOneRow(rows, scanEntry)
	if errors.Is(err, pgx.ErrNoRows) {
		return Entry{}, ErrNotFound
	}
	if err != nil {
		return Entry{}, err
	}
	if rows, err = db.Query(ctx, statement("corrections"), named.Args{"letter_id": id}); err != nil {
		return Entry{}, err
	}
	entry.Corrections, err = pgx.CollectRows(rows, scanCorrection)
	return entry, err
}

func scanEntry(row pgx.CollectableRow) (e Entry, err error) {
	var headers []byte
	d := &e.Record
	err = row.Scan(&e.ID, &d.ConsumerGroup, &d.SourceTopic, &d.SourcePartition, &d.SourceOffset,
		&e.TenantID, &e.AggregateType, &e.AggregateID, &e.AggregateVersion,
		&d.EventID, &d.EventType, &d.ErrorClass, &d.ErrorMessage, &d.AttemptCount,
		&d.OriginalKey, &headers, &d.OriginalValue, &d.FailedAt, &e.State, &e.ClosedAt, &e.HeldEvents)
	if err != nil {
		return Entry{}, err
	}
	d.OriginalHeaders, err = envelope.DecodeHeaders(headers)
	return e, err
}
