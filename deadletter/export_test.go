package deadletter

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Statements returns every embedded statement by name.
func Statements() map[string]string {
	all := make(map[string]string)
	entries, _ := statements.ReadDir("sql")
	for _, e := range entries {
		text, _ := statements.ReadFile("sql/" + e.Name())
		all[e.Name()] = string(text)
	}
	return all
}

// Collect stores records as a collector does that has just read them.
func Collect(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger, records ...*kgo.Record) error {
	c := &Collector{cfg: CollectorConfig{Pool: pool, Logger: logger}.WithDefaults()}
	return c.collect(ctx, records)
}

// Expire deletes what a collector with this retention would.
func Expire(ctx context.Context, pool *pgxpool.Pool, retention time.Duration, now time.Time) error {
	c := &Collector{cfg: CollectorConfig{Pool: pool, Retention: retention, Now: func() time.Time { return now }}.WithDefaults()}
	return c.expire(ctx)
}

// Pattern is what a message comes down to in a fingerprint.
func Pattern(message string) string { return pattern(message) }

// MaskPayload is what a preview shows of an event.
func MaskPayload(contracts Contracts, value []byte) string {
	return string(maskPayload(contracts, value))
}
