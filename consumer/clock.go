package consumer

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// clock is the database's, as far as a host knows it: its own, moved by what the two
// differed when it asked last. Failed events are due by it, which other hosts look at
// as well. Safe for concurrent use.
type clock struct {
	// host is the host's own.
	host  func() time.Time
	ahead atomic.Int64
}

func (c *clock) now() time.Time { return c.host().Add(time.Duration(c.ahead.Load())) }

// ask compares the clocks. The answer is taken for one of half-way there and back.
func (c *clock) ask(ctx context.Context, pool *pgxpool.Pool) error {
	asked := c.host()
	var at time.Time
	if err := pool.QueryRow(ctx, statement("clock")).Scan(&at); err != nil {
		return err
	}
	c.ahead.Store(int64(at.Sub(asked.Add(c.host().Sub(asked) / 2))))
	return nil
}
