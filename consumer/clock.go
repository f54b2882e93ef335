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
	// known is set once the database has answered.
	known atomic.Bool
}

func (c *clock) now() time.Time { return c.host().Add(time.Duration(c.ahead.Load())) }

// tooSlow is what an answer takes that is worth less than the one before.
const tooSlow = time.Second

// ask compares the clocks. The answer is taken for one of half-way there and back,
// which is why the time starts with a connection at hand.
func (c *clock) ask(ctx context.Context, pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	asked := c.host()
	var at time.Time
	if err := conn.QueryRow(ctx, statement("clock")).Scan(&at); err != nil {
		return err
	}
	took := c.host().Sub(asked)
	if took > tooSlow && c.known.Load() {
		return nil
	}
	c.ahead.Store(int64(at.Sub(asked.Add(took / 2))))
	c.known.Store(true)
	return nil
}
