package outbox

import (
	"errors"
	"fmt"
)

// ErrWrongTransaction is returned where an append finds no outbox in the
// database of the given transaction.
var ErrWrongTransaction = errors.New("outbox: find the outbox in this database: schema factline has no lanes; run migrate.Up on it first")

// ErrNotWaiting says that no parked event with this id waits for a decision.
var ErrNotWaiting = errors.New("outbox: resolve a parked event: none with this id waits in this database; it was retried or skipped before, or another service has it")

// FullError says that so many events wait to be published that Append refuses
// more. Nothing was stored, and the transaction stays usable.
type FullError struct {
	// Pending is how many events wait, Limit is Config.MaxPending.
	Pending, Limit int64
}

func (e *FullError) Error() string {
	return fmt.Sprintf("outbox: append: %d events wait to be published and the limit is %d; see whether the relay and the broker run, and try again", e.Pending, e.Limit)
}

// HeldBehindError says that a parked event is not the one to decide about: it
// waits behind another of its key.
type HeldBehindError struct {
	ID string
	// Culprit is the parked event that holds it back.
	Culprit string
}

func (e *HeldBehindError) Error() string {
	return fmt.Sprintf("outbox: resolve %s: it only waits behind another event of its key; resolve %s", e.ID, e.Culprit)
}

// VersionConflictError says that an aggregate is not at the version its caller
// expected: somebody else changed it first. Nothing was stored for any event of
// the call. Load the aggregate again and decide anew.
type VersionConflictError struct {
	AggregateType, AggregateID string
	// Expected is what the caller gave; Actual is what the database holds, 0
	// where the aggregate does not exist.
	Expected, Actual int64
}

func (e *VersionConflictError) Error() string {
	return fmt.Sprintf("outbox: append to %s %s: it is at version %d, not at %d; load it again and decide anew",
		e.AggregateType, e.AggregateID, e.Actual, e.Expected)
}

// ProducerMismatchError says that a service tried to append an event that
// another service owns.
type ProducerMismatchError struct {
	EventType, Owner, Producer string
}

func (e *ProducerMismatchError) Error() string {
	return fmt.Sprintf("outbox: append %s: it belongs to %s, not to %s; only the owner of a fact may state it",
		e.EventType, e.Owner, e.Producer)
}
