package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// SkipRequest is what [Skip] needs. All fields are required.
type SkipRequest struct {
	ID string
	// Reason is kept with the act; an auditor reads it.
	Reason string
	// Operator is who decided.
	Operator string
}

func (r SkipRequest) validate() error {
	var problems []error
	for _, f := range []struct{ name, value, hint string }{
		{"ID", r.ID, "list the dead letters to find it"},
		{"Reason", r.Reason, "say why the event may be lost to this consumer"},
		{"Operator", r.Operator, "say who decided"},
	} {
		if strings.TrimSpace(f.value) == "" {
			problems = append(problems, fmt.Errorf("deadletter.SkipRequest.%s: it is empty; %s", f.name, f.hint))
		}
	}
	return errors.Join(problems...)
}

// SkipResult is what a skip did.
type SkipResult struct {
	// ActionID names the audited row.
	ActionID string `json:"actionId"`
	// Unblocked reports whether the record key is free now. It stays blocked
	// while another dead letter of it is open.
	Unblocked bool `json:"unblocked"`
	// HeldEvents is how many events of the key waited at that moment. The
	// consumer applies them within its sweep interval, up to the next gap.
	HeldEvents int64 `json:"heldEvents"`
}

// Skip gives an event up for good: it will never be applied by this consumer,
// and what waits behind it goes on. Errors: [ErrNotFound]; [ErrSettled] when
// it was skipped or applied before; [ErrRedriven] while its group tries it
// again; a [*NotNextError] when earlier versions of its aggregate are missing.
func Skip(ctx context.Context, pool *pgxpool.Pool, r SkipRequest) (SkipResult, error) {
	if err := r.validate(); err != nil {
		return SkipResult{}, fmt.Errorf("deadletter: skip: %w", err)
	}
	var result SkipResult
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) (err error) {
		result, err = skip(ctx, tx, r, time.Now())
		return err
	})
	if err == nil || isRefusal(err) {
		return result, err
	}
	return SkipResult{}, fmt.Errorf("deadletter: skip %s: %w", r.ID, err)
}

// isRefusal reports whether an error says all there is to say.
func isRefusal(err error) bool {
	var notNext *NotNextError
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrSettled) || errors.Is(err, ErrRedriven) || errors.As(err, &notNext)
}

// letter is what a skip needs to know of a dead letter.
type letter struct {
	consumer, topic                    string
	partition                          int32
	offset                             int64
	tenantID, aggregateType, aggregate string
	version                            int64
	eventID                            string
	class                              consumer.Class
	blocks                             bool
	blockKey                           []byte
	state                              string
	applied                            *int64
	counted, cutStart                  bool
}

func skip(ctx context.Context, tx pgx.Tx, r SkipRequest, now time.Time) (SkipResult, error) {
	l, err := lock(ctx, tx, r.ID)
	if err != nil {
		return SkipResult{}, err
	}
	switch l.state {
	case Open:
	case Redriven:
		return SkipResult{}, ErrRedriven
	default:
		return SkipResult{}, ErrSettled
	}
	if err := l.checkNext(r.ID); err != nil {
		return SkipResult{}, err
	}
	result := SkipResult{ActionID: "act_" + envelope.NewID(), Unblocked: true}
	batch := &pgx.Batch{}
	batch.Queue(statement("close"), r.ID, now)
	if l.blocks {
		l.queueRelease(batch, &result)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return SkipResult{}, err
	}
	return result, record(ctx, tx, r, l, result, now)
}

// lock takes the partition's lock before anything else, in the order in which
// the consumer does.
func lock(ctx context.Context, tx pgx.Tx, id string) (*letter, error) {
	var l letter
	err := tx.QueryRow(ctx, statement("lock_partition"), id).Scan(&l.cutStart)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return nil, err
	}
	err = tx.QueryRow(ctx, statement("load"), id).Scan(&l.consumer, &l.topic, &l.partition, &l.offset,
		&l.tenantID, &l.aggregateType, &l.aggregate, &l.version, &l.eventID, &l.class, &l.blocks, &l.blockKey,
		&l.state, &l.applied, &l.counted)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	return &l, err
}

// checkNext refuses to move a gate over versions that were never applied. An
// event without a version, and one that conflicts with an applied version, move
// no gate.
func (l *letter) checkNext(id string) error {
	if !l.movesGate() {
		return nil
	}
	var applied int64
	if l.applied != nil {
		applied = *l.applied
	}
	if l.version == applied+1 || (!l.counted && l.cutStart) {
		return nil
	}
	return &NotNextError{ID: id, AggregateType: l.aggregateType, AggregateID: l.aggregate, Version: l.version, Applied: applied}
}

func (l *letter) movesGate() bool {
	return l.blocks && l.version > 0 && (l.applied == nil || l.version > *l.applied)
}

func (l *letter) queueRelease(batch *pgx.Batch, result *SkipResult) {
	if l.movesGate() {
		batch.Queue(statement("pass_gate"), l.consumer, l.topic, l.tenantID, l.aggregateType, l.aggregate,
			l.version, l.eventID, !l.counted && l.version > 1)
	}
	if l.class == consumer.VersionConflict {
		batch.Queue(statement("drop_conflict"), l.consumer, l.topic, l.partition, l.offset)
	}
	key := []any{l.consumer, l.topic, l.tenantID, l.blockKey}
	batch.Queue(statement("unblock"), key...)
	batch.Queue(statement("block_by_next"), key...).Exec(func(tag pgconn.CommandTag) error {
		result.Unblocked = tag.RowsAffected() == 0
		return nil
	})
	batch.Queue(statement("wait_for_gap"), key...).Exec(func(tag pgconn.CommandTag) error {
		result.HeldEvents = tag.RowsAffected()
		return nil
	})
}

func record(ctx context.Context, tx pgx.Tx, r SkipRequest, l *letter, result SkipResult, now time.Time) error {
	detail, err := json.Marshal(map[string]any{
		"consumer": l.consumer, "topic": l.topic, "partition": l.partition, "offset": l.offset, "eventId": l.eventID,
		"tenantId": l.tenantID, "aggregateType": l.aggregateType, "aggregateId": l.aggregate, "aggregateVersion": l.version,
		"unblocked": result.Unblocked, "heldEvents": result.HeldEvents,
	})
	if err != nil {
		return err
	}
	return recordAction(ctx, tx, action{
		id: result.ActionID, name: "deadletter.skip", target: r.ID, operator: r.Operator, reason: r.Reason, detail: detail, at: now,
	})
}

// action is an act of an operator.
type action struct {
	id, name, target, operator, reason string
	detail                             []byte
	at                                 time.Time
}

// recordAction keeps it for auditors, in the transaction that makes it true.
func recordAction(ctx context.Context, tx pgx.Tx, a action) error {
	_, err := tx.Exec(ctx, statement("record_action"), named.Args{
		"action_id": a.id, "action": a.name, "target": a.target, "operator": a.operator, "reason": a.reason, "detail": a.detail, "now": a.at,
	})
	return err
}
