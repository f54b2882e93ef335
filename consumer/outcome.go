package consumer

import (
	"errors"
	"time"
)

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

type retryAfterError struct {
	err   error
	after time.Duration
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

type rejectedError struct{ err error }

func (e *rejectedError) Error() string { return e.err.Error() }
func (e *rejectedError) Unwrap() error { return e.err }

type unauthorizedError struct{ err error }

func (e *unauthorizedError) Error() string { return e.err.Error() }
func (e *unauthorizedError) Unwrap() error { return e.err }

// contractError is a payload that a handler could not decode.
type contractError struct{ err error }

func (e *contractError) Error() string { return e.err.Error() }
func (e *contractError) Unwrap() error { return e.err }

// Permanent marks an error that no retry can cure: the event becomes a dead
// letter after this attempt. Nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err: err}
}

// Unauthorized marks an event that asks for what it may not have, such as a
// change of another tenant's rows: it becomes a dead letter with the class
// TENANT_VIOLATION at once, and [Config.SecurityAlert] is told. Nil stays nil.
func Unauthorized(err error) error {
	if err == nil {
		return nil
	}
	return &unauthorizedError{err: err}
}

// RetryAfter asks for the next attempt after d, such as the Retry-After of a
// dependency that is out. The event waits as one that failed in place does, with
// d in the place of the next tier's pause; its key waits, all others go on. When
// all tiers are used the dead letter is classed DEPENDENCY_EXHAUSTED. Of a topic
// without tiers the partition waits in place. Nil stays nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{err: err, after: max(d, 0)}
}

// Rejected says that the business refuses what the event asks for, which is a
// result and no failure: what the handler wrote and appended (usually a
// rejection event) commits, and the inbox keeps the event as REJECTED. Nil
// stays nil.
func Rejected(err error) error {
	if err == nil {
		return nil
	}
	return &rejectedError{err: err}
}

// IsPermanent reports whether err or what it wraps came from [Permanent].
func IsPermanent(err error) bool {
	var e *permanentError
	return errors.As(err, &e)
}

// IsUnauthorized reports whether err or what it wraps came from [Unauthorized].
func IsUnauthorized(err error) bool {
	var e *unauthorizedError
	return errors.As(err, &e)
}

// IsRejected reports whether err or what it wraps came from [Rejected].
func IsRejected(err error) bool {
	var e *rejectedError
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
