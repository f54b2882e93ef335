package outbox

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"factline.dev/internal/named"
)

//go:embed sql/*.sql
var statements embed.FS

// statement returns one embedded SQL file. It panics on an unknown name, which
// is a programmer's error that the prepare test finds.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("outbox: unknown statement " + name)
	}
	return string(text)
}

// Outbox appends events of one service. Safe for concurrent use.
type Outbox struct {
	cfg                                 Config
	appendSQL, appendOneSQL, forwardSQL string
	woken                               chan struct{}
	limit                               limit
	refusals                            refusals
}

// New returns an outbox for the service cfg names. It touches no database.
func New(cfg Config) (*Outbox, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("outbox: check configuration: %w", err)
	}
	refused, err := newRefusals(cfg.Registerer)
	if err != nil {
		return nil, fmt.Errorf("outbox: register metrics: %w", err)
	}
	return &Outbox{
		cfg: cfg, refusals: refused, appendSQL: statement("append"), appendOneSQL: statement("append_one"), forwardSQL: statement("forward"),
		woken: make(chan struct{}, 1), limit: limit{most: cfg.MaxPending},
	}, nil
}

// Append stores events in the caller's transaction; they exist when it commits
// and never otherwise. Events of one aggregate get consecutive versions in the
// order given. Call [Outbox.Wake] after the commit.
//
// An event that breaks its contract or a limit is refused before the database
// is asked, and tx stays usable, as it does after a [*FullError]. A
// [*VersionConflictError] or a database error leaves tx aborted: roll it back.
//
// Inside a consumer's handler the events wait in a [Buffer] until the end of
// the transaction, so that aggregates are locked in one order; conflicts then
// surface there.
func (o *Outbox) Append(ctx context.Context, tx pgx.Tx, events ...Event) error {
	rows := make([]row, 0, len(events))
	for _, e := range events {
		r, err := o.prepare(ctx, e)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	if b := bufferFrom(ctx, tx); b != nil {
		b.rows = append(b.rows, rows...)
		return nil
	}
	if err := o.limit.check(ctx, tx); err != nil {
		return err
	}
	return o.store(ctx, tx, rows)
}

// Forward stores records for any topic in the caller's transaction. Key,
// headers and value reach the log byte by byte. Records of one key that are
// forwarded by transactions that run at once have no order; a caller that needs
// one lets them run after each other.
func (o *Outbox) Forward(ctx context.Context, tx pgx.Tx, records ...Record) error {
	var a appendArgs
	for _, r := range records {
		prepared, err := prepareRecord(r)
		if err != nil {
			return err
		}
		a.add(prepared)
	}
	if len(records) == 0 {
		return nil
	}
	tag, err := tx.Exec(ctx, o.forwardSQL, named.Args{
		"hashes": a.hashes, "event_ids": a.eventIDs, "event_types": a.eventTypes, "tenant_ids": a.tenantIDs,
		"topics": a.topics, "record_keys": a.keys, "headers": a.headers, "values": a.prefixes,
	})
	return o.stored("forward records", tag, err)
}

// Baseline adopts an aggregate that existed before the outbox: its next event
// gets version+1. It changes nothing for an aggregate that has a head. A version
// below 0 is refused before the database is asked.
func (o *Outbox) Baseline(ctx context.Context, tx pgx.Tx, tenantID, aggregateType, aggregateID string, version int64) error {
	if version < 0 {
		return fmt.Errorf("outbox: baseline %s %s: version %d is negative; pass its last version, 0 for none", aggregateType, aggregateID, version)
	}
	_, err := tx.Exec(ctx, statement("baseline"), named.Args{
		"tenant_id": tenantID, "aggregate_type": aggregateType, "aggregate_id": aggregateID, "version": version,
	})
	if err != nil {
		return fmt.Errorf("outbox: baseline %s %s at version %d: %w", aggregateType, aggregateID, version, err)
	}
	return nil
}

// Wake tells the relay in this process that something was committed. It never
// blocks; without it the relay's polling finds the event a little later.
func (o *Outbox) Wake() {
	select {
	case o.woken <- struct{}{}:
	default:
	}
}

func (o *Outbox) store(ctx context.Context, tx pgx.Tx, rows []row) error {
	switch len(rows) {
	case 0:
		return nil
	case 1:
		return o.storeOne(ctx, tx, &rows[0])
	}
	var a appendArgs
	for _, r := range rows {
		a.add(r)
	}
	heads := a.number(rows)
	tag, err := tx.Exec(ctx, o.appendSQL, named.Args{
		"stream_tenants": heads.tenants, "stream_types": heads.types, "stream_ids": heads.ids, "added": heads.added,
		"hashes": a.hashes, "event_ids": a.eventIDs, "event_types": a.eventTypes, "tenant_ids": a.tenantIDs,
		"aggregate_types": a.aggregateTypes, "aggregate_ids": a.aggregateIDs, "topics": a.topics, "record_keys": a.keys,
		"headers": a.headers, "prefixes": a.prefixes, "suffixes": a.suffixes,
		"behind": a.behind, "since": a.since, "expected": a.expected,
	})
	return o.stored("append events", tag, err)
}

func (o *Outbox) storeOne(ctx context.Context, tx pgx.Tx, r *row) error {
	tag, err := tx.Exec(ctx, o.appendOneSQL, named.Args{
		"tenant_id": r.tenantID, "aggregate_type": r.aggregateType, "aggregate_id": r.aggregateID, "adds": r.adds(),
		"expected": r.expected, "hash": r.hash, "event_id": r.eventID, "event_type": r.eventType, "topic": r.topic,
		"record_key": r.key, "headers": r.headers, "prefix": r.prefix, "suffix": r.suffix,
	})
	return o.stored("append events", tag, err)
}

func (o *Outbox) stored(doing string, tag pgconn.CommandTag, err error) error {
	if conflict := conflictOf(err); conflict != nil {
		return conflict
	}
	if err != nil {
		return fmt.Errorf("outbox: %s of %s: %w", doing, o.cfg.Producer, explain(err))
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("outbox: %s of %s: %w", doing, o.cfg.Producer, ErrWrongTransaction)
	}
	return nil
}

func explain(err error) error {
	var pg *pgconn.PgError
	// 42P01 undefined table, 42883 undefined function, 3F000 no such schema
	if errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "42883" || pg.Code == "3F000") {
		return fmt.Errorf("%w: %w", ErrWrongTransaction, err)
	}
	return err
}

// conflictCode is raised by factline.outbox_conflict.
const conflictCode = "FL001"

func conflictOf(err error) *VersionConflictError {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != conflictCode {
		return nil
	}
	var detail struct {
		Type, ID         string
		Expected, Actual int64
	}
	_ = json.Unmarshal([]byte(pg.Detail), &detail) // our own function wrote it
	return &VersionConflictError{
		AggregateType: detail.Type, AggregateID: detail.ID, Expected: detail.Expected, Actual: detail.Actual,
	}
}
