package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// ParkedEvent is the parked event that stands first of its key.
type ParkedEvent struct {
	// ID names it in commands.
	ID               string `json:"id" db:"parked_id"`
	Lane             int16  `json:"lane"`
	Position         int64  `json:"position"`
	EventID          string `json:"eventId" db:"event_id"`
	EventType        string `json:"eventType" db:"event_type"`
	TenantID         string `json:"tenantId" db:"tenant_id"`
	AggregateType    string `json:"aggregateType" db:"aggregate_type"`
	AggregateID      string `json:"aggregateId" db:"aggregate_id"`
	AggregateVersion int64  `json:"aggregateVersion" db:"aggregate_version"`
	Topic            string `json:"topic"`
	Key              []byte `json:"key" db:"record_key"`
	// Reason is what the broker or the relay had against it.
	Reason string `json:"reason"`
	// Waits is true until an operator decides. Then it is on its way: it goes
	// with those behind it when the lane's owner next renews its lease.
	Waits     bool      `json:"waits" db:"is_culprit"`
	CreatedAt time.Time `json:"createdAt" db:"created_at"`
	ParkedAt  time.Time `json:"parkedAt" db:"parked_at"`
	// HeldEvents is how many later events of the key wait behind it.
	HeldEvents int64 `json:"heldEvents" db:"held_events"`
}

// ParkedFilter narrows [Parked]. Empty fields match all.
type ParkedFilter struct {
	ID, Topic string
	// Limit is the most events returned. Default 200, at most 10000.
	Limit int
}

// Parked returns the parked events that hold back their keys, newest first. It
// needs no relay and no broker.
func Parked(ctx context.Context, pool *pgxpool.Pool, f ParkedFilter) ([]ParkedEvent, error) {
	if f.Limit <= 0 {
		f.Limit = 200
	}
	rows, err := pool.Query(ctx, statement("parked"), named.Args{"parked_id": f.ID, "topic": f.Topic, "limit": min(f.Limit, 10_000)})
	if err != nil {
		return nil, fmt.Errorf("outbox: list parked events: %w", explain(err))
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByName[ParkedEvent])
	if err != nil {
		return nil, fmt.Errorf("outbox: list parked events: %w", explain(err))
	}
	return events, nil
}

// Decision is what becomes of a parked event.
type Decision string

// The decisions.
const (
	// Retry sends it again, and what waits behind it after it.
	Retry Decision = "retry"
	// Skip gives it up: nobody sends it from now on, and what waits behind it is
	// sent. Only a relay that was paused in the middle of sending it may still do
	// so when it wakes up.
	Skip Decision = "skip"
)

// ResolveRequest is what [Resolve] needs. All fields are required.
type ResolveRequest struct {
	// ID is that of a ParkedEvent.
	ID       string
	Decision Decision
	// Reason is kept with the act; an auditor reads it.
	Reason string
	// Operator is who decided.
	Operator string
}

func (r ResolveRequest) validate() error {
	var problems []error
	if r.Decision != Retry && r.Decision != Skip {
		problems = append(problems, fmt.Errorf("outbox.ResolveRequest.Decision: %q is unknown; use retry or skip", r.Decision))
	}
	for _, f := range []struct{ name, value, hint string }{
		{"ID", r.ID, "list the parked events to find it"},
		{"Reason", r.Reason, "say why"},
		{"Operator", r.Operator, "say who decided"},
	} {
		if strings.TrimSpace(f.value) == "" {
			problems = append(problems, fmt.Errorf("outbox.ResolveRequest.%s: it is empty; %s", f.name, f.hint))
		}
	}
	return errors.Join(problems...)
}

// ResolveResult is what a decision did.
type ResolveResult struct {
	// ActionID names the audited row.
	ActionID string `json:"actionId"`
	EventID  string `json:"eventId"`
	// HeldEvents is how many events of the key waited behind it at that moment.
	HeldEvents int64 `json:"heldEvents"`
}

// Resolve decides about a parked event, in one transaction with an audited row.
// The owner of its lane sends what is free to go within a third of its LeaseTTL,
// in the order of the positions, and lets new events of the key follow only
// then. An event that is refused again is parked again. Errors:
// [ErrNotWaiting]; a [*HeldBehindError] for an event that is not the first of
// its key.
func Resolve(ctx context.Context, pool *pgxpool.Pool, r ResolveRequest) (ResolveResult, error) {
	if err := r.validate(); err != nil {
		return ResolveResult{}, fmt.Errorf("outbox: resolve a parked event: %w", err)
	}
	var result ResolveResult
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) (err error) {
		result, err = resolve(ctx, tx, r)
		return err
	})
	var behind *HeldBehindError
	if err == nil || errors.Is(err, ErrNotWaiting) || errors.As(err, &behind) {
		return result, err
	}
	return ResolveResult{}, fmt.Errorf("outbox: resolve %s: %w", r.ID, explain(err))
}

// resolved is what an auditor should know of the event.
type resolved struct {
	Lane             int16  `json:"lane"`
	Position         int64  `json:"position"`
	EventID          string `json:"eventId"`
	EventType        string `json:"eventType"`
	TenantID         string `json:"tenantId"`
	AggregateType    string `json:"aggregateType"`
	AggregateID      string `json:"aggregateId"`
	AggregateVersion int64  `json:"aggregateVersion"`
	Topic            string `json:"topic"`
	Reason           string `json:"parkedBecause"`
	HeldEvents       int64  `json:"heldEvents"`
}

func resolve(ctx context.Context, tx pgx.Tx, r ResolveRequest) (ResolveResult, error) {
	rows, err := tx.Query(ctx, statement("resolve"), named.Args{"parked_id": r.ID, "skip": r.Decision == Skip})
	if err != nil {
		return ResolveResult{}, err
	}
	event, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[resolved])
	if errors.Is(err, pgx.ErrNoRows) {
		return ResolveResult{}, whyNot(ctx, tx, r.ID)
	}
	if err != nil {
		return ResolveResult{}, err
	}
	detail, err := json.Marshal(event)
	if err != nil {
		return ResolveResult{}, err
	}
	result := ResolveResult{ActionID: "act_" + envelope.NewID(), EventID: event.EventID, HeldEvents: event.HeldEvents}
	_, err = tx.Exec(ctx, statement("record_action"), named.Args{
		"action_id": result.ActionID, "action": "outbox." + string(r.Decision), "target": r.ID,
		"operator": r.Operator, "reason": r.Reason, "detail": detail,
	})
	return result, err
}

// whyNot says what is wrong with an id that stands for no waiting event.
func whyNot(ctx context.Context, tx pgx.Tx, id string) error {
	var culprit string
	err := tx.QueryRow(ctx, statement("culprit_of"), named.Args{"parked_id": id}).Scan(&culprit)
	switch {
	case errors.Is(err, pgx.ErrNoRows) || err == nil && culprit == "":
		return ErrNotWaiting
	case err != nil:
		return err
	}
	return &HeldBehindError{ID: id, Culprit: culprit}
}
