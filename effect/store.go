package effect

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// errLost: another worker has claimed the call since, or an operator settled it.
var errLost = errors.New("the call is no longer this worker's")

// claimed is a call that is this worker's until its lease ends.
type claimed struct {
	id, epoch            int64
	key, orderKey        string
	tenantID, eventID    string
	cause                envelope.Cause
	request, response    []byte
	answered             bool
	attempts, resultRuns int
	storedAt             time.Time
	// claimedAt is by this process' clock, before the claim was sent. leasedUntil
	// is never after the database's end of the lease, as far as clocks run alike.
	claimedAt, leasedUntil time.Time
}

func (c *claimed) args() named.Args { return named.Args{"call_id": c.id, "epoch": c.epoch} }

// patience is how long one try to record something may take: half of what is
// left of the lease, so that a connection that has gone silent leaves time for
// another one. Once the lease is over the answer is still worth its record.
func (c *claimed) patience(now time.Time) time.Duration {
	left := c.leasedUntil.Sub(now)
	if left <= 0 {
		return statementTimeout
	}
	return min(max(left/2, minPatience), statementTimeout)
}

// store is what a worker asks of the database.
type store struct {
	pool        *pgxpool.Pool
	name, owner string
	lease       time.Duration
}

func (s *store) check(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, statement("check"))
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "42P01" {
		return ErrNoTables
	}
	// Anything else may pass, and the loop rides it out.
	return nil
}

func (s *store) claim(ctx context.Context, most int) ([]*claimed, error) {
	at := time.Now()
	rows, err := s.pool.Query(ctx, statement("claim"), named.Args{"name": s.name, "owner": s.owner, "lease": s.lease, "most": most})
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (*claimed, error) {
		c := &claimed{claimedAt: at, leasedUntil: at.Add(s.lease)}
		return c, row.Scan(&c.id, &c.epoch, &c.key, &c.orderKey, &c.tenantID, &c.eventID, &c.cause, &c.request, &c.response,
			&c.answered, &c.attempts, &c.resultRuns, &c.storedAt)
	})
}

// change runs a statement on a call that must still be this worker's.
func (s *store) change(ctx context.Context, c *claimed, name string, args named.Args) error {
	ctx, cancel := context.WithTimeout(ctx, c.patience(time.Now()))
	defer cancel()
	tag, err := s.pool.Exec(ctx, statement(name), args)
	if err == nil && tag.RowsAffected() == 0 {
		return errLost
	}
	return err
}

// finish marks an answered call as done, gives its answer effect and lets the
// next call of its order key go, all in one transaction. The lock of the order
// key comes last, after whatever the handler locks, as where calls are stored.
// It has as long as the lease, so that neither a handler nor a silent connection
// holds the worker for good.
func (s *store) finish(records context.Context, c *claimed, handle func(context.Context, pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(records, s.lease)
	defer cancel()
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, statement("finish"), c.args())
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errLost
		}
		if handle != nil {
			if _, err := tx.Exec(ctx, statement("set_tenant"), named.Args{"tenant_id": c.tenantID}); err != nil {
				return err
			}
			if err := handle(ctx, tx); err != nil {
				return blame(records, ctx, err, tx.Conn())
			}
		}
		return letNext(ctx, tx, s.name, c.orderKey)
	})
}

// letNext makes the next call of an order key due. The lock keeps out those who
// store one, so that none is stored as held when nobody is left to let it go.
func letNext(ctx context.Context, tx pgx.Tx, name, orderKey string) error {
	if orderKey == "" {
		return nil
	}
	var b pgx.Batch
	for _, step := range []string{"lock_order", "let_next"} {
		b.Queue(statement(step), named.Args{"name": name, "order_key": orderKey})
	}
	return tx.SendBatch(ctx, &b).Close()
}

type stateCount struct {
	calls  int64
	oldest float64 // seconds
}

func (s *store) status(ctx context.Context) (map[string]stateCount, error) {
	rows, err := s.pool.Query(ctx, statement("status"), named.Args{"name": s.name})
	if err != nil {
		return nil, err
	}
	found := map[string]stateCount{}
	var state string
	var n stateCount
	_, err = pgx.ForEachRow(rows, []any{&state, &n.calls, &n.oldest}, func() error {
		found[state] = n
		return nil
	})
	return found, err
}

// deleteBatch bounds what one transaction deletes, and so how long it keeps
// others and the log of the database busy.
const deleteBatch = 1000

func (s *store) deleteOld(ctx context.Context, retention time.Duration) error {
	for _, name := range []string{"delete_finished", "delete_orders"} {
		for {
			tag, err := s.pool.Exec(ctx, statement(name), named.Args{"name": s.name, "retention": retention, "most": deleteBatch})
			if err != nil {
				return err
			}
			if tag.RowsAffected() < deleteBatch {
				break
			}
		}
	}
	return nil
}

// handlerError is a failure of OnResult itself. Any other error of its
// transaction is the machinery's and uses no attempt.
type handlerError struct{ error }

func (e *handlerError) Unwrap() error { return e.error }

// blame decides whether an error that came out of OnResult is its own: a
// deadlock, a lost connection or the end of records is not. The end of ctx, its
// deadline, is, and so is a context that OnResult made and ended itself, even
// where that closed the connection.
func blame(records, ctx context.Context, err error, conn *pgx.Conn) error {
	ended := ctx.Err() != nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if records.Err() != nil || conn.IsClosed() && !ended {
		return err
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && isTransientCode(pg.Code) {
		return err
	}
	return &handlerError{err}
}

// isTransientCode knows the conditions of PostgreSQL, appendix A, that come
// from other transactions or from the server.
func isTransientCode(code string) bool {
	switch code {
	case "40001", "40P01", "40003", "55P03", "25006":
		return true
	}
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P") || strings.HasPrefix(code, "58")
}

// errorText is what is kept of an error: text that the database takes, bounded.
func errorText(err error) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", ""), "")
	if len(text) > 1000 {
		text = strings.ToValidUTF8(text[:1000], "") + "…"
	}
	return text
}
