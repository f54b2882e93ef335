package workload

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/envelope"
	"factline.dev/outbox"
	"factline.dev/prove/history"
)

//go:embed sql/write.sql
var write string

// AmountPosted is the event that writers append.
const AmountPosted = "AmountPosted"

// Posting is its payload.
type Posting struct {
	AccountID   string `json:"accountId"`
	OperationID string `json:"operationId"`
	Amount      int64  `json:"amount"`
}

// Writers are clients of a database that change state and append events in one
// transaction, some of which they roll back and some of which they take long
// over.
type Writers struct {
	Pool   *pgxpool.Pool
	Outbox *outbox.Outbox
	Tenant string
	// Accounts is how many aggregates there are.
	Accounts int
	// Rate is how many transactions are begun in a second, by so many writers.
	Rate    float64
	Writers int
	Seed    uint64
}

// operation is a transaction to be.
type operation struct {
	id       string
	events   []outbox.Event
	accounts []string
	amounts  []int64
	rollback bool
	// pause is between the append and the end of the transaction.
	pause time.Duration
}

// Drive writes until enough is closed and returns what became of everything.
// When ctx ends, what is under way is cut off.
func (w *Writers) Drive(ctx context.Context, enough <-chan struct{}) []history.Operation {
	work := make(chan operation)
	done := make([][]history.Operation, w.Writers)
	var writers sync.WaitGroup
	for i := range done {
		writers.Go(func() {
			for op := range work {
				done[i] = append(done[i], w.do(ctx, op))
			}
		})
	}
	w.schedule(ctx, enough, work)
	close(work)
	writers.Wait()
	return slices.Concat(done...)
}

// schedule hands operations out at the rate, later where every writer waits.
func (w *Writers) schedule(ctx context.Context, enough <-chan struct{}, work chan<- operation) {
	dice := rand.New(rand.NewPCG(w.Seed, 0x77726974)) //nolint:gosec // a test's dice, no secret
	tick := time.NewTicker(time.Duration(float64(time.Second) / w.Rate))
	defer tick.Stop()
	for n := 1; ; n++ {
		op := w.plan(dice, n)
		select {
		case <-tick.C:
		case <-enough:
			return
		case <-ctx.Done():
			return
		}
		select {
		case work <- op:
		case <-enough:
			return
		case <-ctx.Done():
			return
		}
	}
}

// plan draws an operation: events of one to three accounts, one in eight to be
// rolled back, one in sixteen slow.
func (w *Writers) plan(dice *rand.Rand, n int) operation {
	op := operation{id: fmt.Sprintf("op_%08d", n), rollback: dice.IntN(8) == 0}
	for range 1 + dice.IntN(3) {
		account := fmt.Sprintf("acc_%05d", dice.IntN(w.Accounts))
		if slices.Contains(op.accounts, account) {
			continue
		}
		op.accounts, op.amounts = append(op.accounts, account), append(op.amounts, int64(1+dice.IntN(1000)))
		op.events = append(op.events, outbox.Event{
			ID: envelope.NewID(), Type: AmountPosted, AggregateID: account, TenantID: w.Tenant,
			Payload: Posting{AccountID: account, OperationID: op.id, Amount: op.amounts[len(op.amounts)-1]},
		})
	}
	if dice.IntN(16) == 0 {
		op.pause = time.Duration((50 + 450*dice.Float64()) * float64(time.Millisecond))
	}
	return op
}

// patience bounds one operation, so that a connection that has gone silent does
// not hold a writer for ever.
const writerPatience = 20 * time.Second

func (w *Writers) do(ctx context.Context, op operation) history.Operation {
	ctx, cancel := context.WithTimeout(ctx, writerPatience)
	defer cancel()
	known := history.Operation{ID: op.id, Outcome: history.OK}
	for _, e := range op.events {
		known.EventIDs = append(known.EventIDs, e.ID)
	}
	if err := w.attempt(ctx, op); err != nil {
		known.Outcome, known.Reason = outcomeOf(err), err.Error()
	}
	return known
}

// commitError is an error of a commit that was begun.
type commitError struct{ err error }

func (e *commitError) Error() string { return "commit: " + e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }

var errRolledBack = errors.New("rolled back on purpose")

// outcomeOf says what a writer may conclude: without a commit nothing was done,
// and of a commit only the server's own answer tells.
func outcomeOf(err error) history.Outcome {
	var commit *commitError
	if !errors.As(err, &commit) || errors.Is(err, pgx.ErrTxCommitRollback) {
		return history.Failed
	}
	// 08xxx and 40003 say themselves that they do not know.
	pg, answered := errors.AsType[*pgconn.PgError](err)
	if answered && pg.Code != "40003" && !strings.HasPrefix(pg.Code, "08") && !strings.HasPrefix(pg.Code, "57P") {
		return history.Failed
	}
	return history.Unknown
}

func (w *Writers) attempt(ctx context.Context, op operation) error {
	tx, err := w.Pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	if _, err := tx.Exec(ctx, write, op.id, op.accounts, op.amounts); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := w.Outbox.Append(ctx, tx, op.events...); err != nil {
		return err
	}
	if op.pause > 0 {
		select {
		case <-time.After(op.pause):
		case <-ctx.Done():
		}
	}
	if op.rollback {
		return cmp.Or(tx.Rollback(ctx), errRolledBack)
	}
	if err := tx.Commit(ctx); err != nil {
		return &commitError{err}
	}
	return nil
}
