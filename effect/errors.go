package effect

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoTables is returned where the given database has no calls.
	ErrNoTables = errors.New("effect: find the calls in this database: schema factline has no effect_call; run migrate.Up on it first")
	// ErrNotFound says that no call has this id in this database.
	ErrNotFound = errors.New("effect: find the call: no call has this id in this database; list them, or look in the database of another service")
	// ErrNotDead says that a call waits for nobody's decision.
	ErrNotDead = errors.New("effect: settle the call: it is not DEAD; look at its state, only a call that was given up needs a decision")
)

// ConflictError says that a key was stored before for another call. Nothing was
// stored, and the transaction stays usable.
type ConflictError struct {
	Name, Key string
	// Field is what differs: "request" or "order key".
	Field string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("effect: store call %s of %s: the key was stored before with another %s; give each call a key of its own, made from the event's id",
		e.Key, e.Name, e.Field)
}

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

type retryAfterError struct {
	error
	after time.Duration
}

func (e *retryAfterError) Unwrap() error { return e.error }

// Permanent marks an error that no retry can cure: the call is given up after
// this attempt. Nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// RetryAfter asks for the next attempt after d, at most a day. It uses an
// attempt. Nil stays nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err, min(max(d, 0), 24*time.Hour)}
}

// IsPermanent reports whether err or what it wraps came from [Permanent].
func IsPermanent(err error) bool {
	var e *permanentError
	return errors.As(err, &e)
}

// RetryDelay returns the pause that [RetryAfter] asked for in err or what it
// wraps, and whether it did.
func RetryDelay(err error) (time.Duration, bool) {
	var e *retryAfterError
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.after, true
}
