package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/factlinetest"
)

// Before, half of what a connection was waited for, and of any answer that was late,
// came to be the difference of the clocks.
func TestNoWaitIsTakenForADifferenceOfTheClocks(t *testing.T) {
	t.Parallel()
	cfg, err := pgxpool.ParseConfig(factlinetest.DSN(factlinetest.Postgres(t)))
	if err != nil {
		t.Fatal(err)
	}
	var waited, answering time.Duration
	cfg.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) {
		waited += time.Hour
		return true, nil
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	c := &clock{host: func() time.Time {
		waited += answering
		return time.Now().Add(waited)
	}}
	for _, answering = range []time.Duration{0, time.Hour} {
		before := waited
		if err := c.ask(t.Context(), pool); err != nil {
			t.Fatal(err)
		}
		// The host's clock came to be ahead meanwhile, as the first answer said.
		if off := time.Duration(c.ahead.Load()) + time.Hour; off.Abs() > time.Minute {
			t.Errorf("after an answer in %s and %s the clocks differ by %s more than they do", answering, waited-before, off)
		}
	}
}
