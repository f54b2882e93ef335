package deadletter

import (
	"context"
	"time"

	"factline.dev/internal/named"
)

const (
	// expireEvery is how often a collector looks for what has expired.
	expireEvery = time.Hour
	// expireBatch is the most rows that one statement deletes, so that none holds
	// its locks for long.
	expireBatch = 1000
)

// expireUntilDone deletes what has expired, at once and then every hour, until ctx
// ends.
func (c *Collector) expireUntilDone(ctx context.Context) {
	if c.cfg.Retention < 0 {
		return
	}
	ticker := time.NewTicker(expireEvery)
	defer ticker.Stop()
	for {
		if err := c.expire(ctx); err != nil && ctx.Err() == nil {
			c.cfg.Logger.Warn("dead letters not expired yet", "group", c.cfg.Group, "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// expire deletes in batches: items first, because letters that a redrive lists
// stay. The receipts of redrives are small and are kept.
func (c *Collector) expire(ctx context.Context) error {
	before := c.cfg.Now().Add(-c.cfg.Retention)
	for _, name := range []string{"expire_items", "expire_letters"} {
		for {
			tag, err := c.cfg.Pool.Exec(ctx, statement(name), named.Args{"before": before, "limit": expireBatch})
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 {
				break
			}
		}
	}
	return nil
}
