package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"factline.dev/prove/history"
)

func TestOnlyAnAnswerToACommitTellsAWriterWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	commit := func(err error) error { return &commitError{err} }
	cases := []struct {
		name string
		err  error
		want history.Outcome
	}{
		{"it was rolled back on purpose", errRolledBack, history.Failed},
		{"the connection ended before the commit", fmt.Errorf("write: %w", io.ErrUnexpectedEOF), history.Failed},
		{"the time was up before the commit", context.DeadlineExceeded, history.Failed},
		{"the connection ended within the commit", commit(io.ErrUnexpectedEOF), history.Unknown},
		{"the time was up within the commit", commit(context.DeadlineExceeded), history.Unknown},
		{"the server rolled back instead", commit(pgx.ErrTxCommitRollback), history.Failed},
		{"the server refused the commit", commit(&pgconn.PgError{Code: "40001"}), history.Failed},
		{"the server does not know itself", commit(&pgconn.PgError{Code: "40003"}), history.Unknown},
		{"the server lost a connection", commit(&pgconn.PgError{Code: "08006"}), history.Unknown},
		{"the server was told to end", commit(&pgconn.PgError{Code: "57P01"}), history.Unknown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := outcomeOf(c.err); got != c.want {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestWritersPlanRollbacksAndSlowTransactionsBySeed(t *testing.T) {
	t.Parallel()
	type plan struct {
		Accounts []string
		Amounts  []int64
		Rollback bool
		Slow     bool
	}
	draw := func(seed uint64) (all []plan) {
		w := &Writers{Accounts: 20}
		dice := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's dice, no secret
		for n := range 400 {
			op := w.plan(dice, n)
			if len(op.events) != len(op.accounts) || len(op.amounts) != len(op.accounts) {
				t.Errorf("%+v", op)
			}
			all = append(all, plan{op.accounts, op.amounts, op.rollback, op.pause > 0})
		}
		return all
	}
	drawn := draw(7)
	if !reflect.DeepEqual(drawn, draw(7)) || reflect.DeepEqual(drawn, draw(8)) {
		t.Error("the seed does not decide")
	}
	rollbacks, slow := 0, 0
	for _, p := range drawn {
		if p.Rollback {
			rollbacks++
		}
		if p.Slow {
			slow++
		}
	}
	if rollbacks < 20 || rollbacks > 100 || slow < 10 || slow > 60 {
		t.Errorf("of 400 %d are rolled back and %d slow", rollbacks, slow)
	}
}

func TestAWriterWithoutADatabaseHasFailedAndIsNotInDoubt(t *testing.T) {
	t.Parallel()
	if got := outcomeOf(fmt.Errorf("begin: %w", errors.New("connection refused"))); got != history.Failed {
		t.Errorf("%s", got)
	}
}
