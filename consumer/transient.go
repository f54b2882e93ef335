package consumer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// handlerError is a failure that belongs to events: their handler's, or what
// their effects met at the end of the transaction. Any other error of a chunk
// is the machinery's and is retried without an attempt.
type handlerError struct {
	err   error
	stack string
}

func (e *handlerError) Error() string { return e.err.Error() }
func (e *handlerError) Unwrap() error { return e.err }

// isHandlers reports whether an error belongs to events.
func isHandlers(err error) bool {
	_, ok := errors.AsType[*handlerError](err)
	return ok
}

// blame decides whether an error that came out of the effects of events is
// their own: a lost connection, a deadlock or a cancellation is not.
func blame(err error, conn *pgx.Conn) error {
	var already *handlerError
	switch {
	case err == nil, errors.As(err, &already) && already.stack != "":
		return err
	case isTransient(err):
		return err
	// A handler's own deadline closes the connection too, and is its own failure.
	case conn.IsClosed() && !errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return &handlerError{err: err}
}

// isTransient reports whether err says nothing about the event: the same
// transaction may succeed when it is run again.
func isTransient(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return isTransientCode(pg.Code)
	}
	return errors.Is(err, context.Canceled)
}

// isTransientCode knows the conditions of PostgreSQL, appendix A, that come
// from other transactions or from the server.
func isTransientCode(code string) bool {
	switch code {
	case "40001", "40P01", "40003", // serialization failure, deadlock, completion unknown
		"55P03", // lock not available
		"25006": // read only: a standby that was the primary
		return true
	}
	for _, class := range []string{
		"08",  // connection
		"53",  // insufficient resources
		"57P", // shutdown, crash, cannot connect now
		"58",  // system
	} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// guarded runs a handler and turns a panic into an error with its stack.
func guarded(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &handlerError{err: fmt.Errorf("handler panicked: %v", p), stack: string(debug.Stack())}
		}
	}()
	return fn()
}
