package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/internal/named"
)

// limit refuses appends while too many events wait. Counting costs more than an
// append, so a count holds for a while. Safe for concurrent use.
type limit struct {
	most int64 // 0 for no limit

	mu      sync.Mutex
	pending int64
	until   time.Time // the count holds
}

// countHolds is how long a count of the waiting events is taken for true.
const countHolds = time.Second

func (l *limit) check(ctx context.Context, tx pgx.Tx) error {
	if l.most == 0 {
		return nil
	}
	pending, err := l.count(ctx, tx)
	if err != nil {
		return fmt.Errorf("outbox: append: count what waits to be published: %w", explain(err))
	}
	if pending >= l.most {
		return &FullError{Pending: pending, Limit: l.most}
	}
	return nil
}

// count lets one caller ask at a time; the others go by what was known before.
func (l *limit) count(ctx context.Context, tx pgx.Tx) (int64, error) {
	l.mu.Lock()
	pending, known := l.pending, time.Now().Before(l.until)
	if !known {
		l.until = time.Now().Add(countHolds)
	}
	l.mu.Unlock()
	if known {
		return pending, nil
	}
	err := tx.QueryRow(ctx, statement("pending"), named.Args{"most": l.most}).Scan(&pending)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case errors.Is(err, pgx.ErrNoRows): // the transaction cannot know; the next one is asked
		l.until = time.Time{}
	case err != nil:
		return 0, err
	default:
		l.pending = pending
	}
	return l.pending, nil
}
