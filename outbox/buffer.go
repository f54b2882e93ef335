package outbox

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Buffer collects what is appended during one transaction, to be stored by one
// statement at its end. A consumer uses it: its handlers append in the order of
// the log, which is no order to lock aggregates in. Not safe for concurrent use.
type Buffer struct {
	tx   pgx.Tx
	rows []row
}

type bufferKey struct{}

// WithBuffer returns a context in which [Outbox.Append] on tx, and on no other
// transaction, collects events in the returned buffer.
func WithBuffer(ctx context.Context, tx pgx.Tx) (context.Context, *Buffer) {
	b := &Buffer{tx: tx}
	return context.WithValue(ctx, bufferKey{}, b), b
}

func bufferFrom(ctx context.Context, tx pgx.Tx) *Buffer {
	if b, ok := ctx.Value(bufferKey{}).(*Buffer); ok && b.tx == tx {
		return b
	}
	return nil
}

// Len returns how many events wait.
func (b *Buffer) Len() int { return len(b.rows) }

// Flush stores the collected events with one statement, which locks their
// aggregates in a fixed order, and empties the buffer. Its errors are those of
// [Outbox.Append].
func (b *Buffer) Flush(ctx context.Context, o *Outbox) error {
	rows := b.rows
	b.rows = nil
	return o.store(ctx, b.tx, rows)
}
