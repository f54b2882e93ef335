// Package deadletter lets an operator see and settle what consumers gave up.
//
// Use it on the database of a consumer: [List] and [Get] read, [Skip] settles.
// The same records, for other tools, stand on the dead-letter topics. Do not
// delete rows of these tables by hand: the gate of the aggregate would never
// open.
//
// Guarantees: every act is one transaction, names its operator and reason in
// factline.operator_action, and is serialised with the consumer that works on
// the same partition. A dead letter is settled at most once. [Skip] never lets a
// later event of an aggregate overtake one that still waits.
package deadletter

import (
	"context"
	"errors"
	"time"

	"factline.dev/consumer"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The states of a dead letter.
const (
	// Open waits for an operator.
	Open = "OPEN"
	// Skipped was given up for good, with a reason.
	Skipped = "SKIPPED"
)

// Entry is one dead letter of this database.
type Entry struct {
	// ID names the dead letter in commands.
	ID string `json:"deadLetterId"`
	// DeadLetter is what also stands on the dead-letter topic.
	consumer.DeadLetter `json:"record"`
	TenantID            string `json:"tenantId"`
	AggregateType       string `json:"aggregateType"`
	AggregateID         string `json:"aggregateId"`
	AggregateVersion    int64  `json:"aggregateVersion"`
	// State is Open or Skipped.
	State string `json:"state"`
	// ClosedAt is when it was skipped, nil while it is open.
	ClosedAt *time.Time `json:"closedAt,omitempty"`
	// HeldEvents is how many events of the same record key wait behind it.
	HeldEvents int64 `json:"heldEvents"`
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
	return nil, errors.New("deadletter: list: not ready")
}

// Get returns one dead letter with its whole record, or [ErrNotFound].
func Get(ctx context.Context, pool *pgxpool.Pool, id string) (Entry, error) {
	return Entry{}, errors.New("deadletter: get: not ready")
}

// SkipRequest is what [Skip] needs. All fields are required.
type SkipRequest struct {
	ID string
	// Reason is kept with the act; an auditor reads it.
	Reason string
	// Operator is who decided.
	Operator string
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
// it was skipped before; a [*NotNextError] when earlier versions of its
// aggregate are still missing.
func Skip(ctx context.Context, pool *pgxpool.Pool, r SkipRequest) (SkipResult, error) {
	return SkipResult{}, errors.New("deadletter: skip: not ready")
}
