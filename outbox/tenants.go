package outbox

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/internal/named"
)

// TenantBacklog is what of a tenant waits to be published.
type TenantBacklog struct {
	// TenantID is empty for records that were forwarded without one.
	TenantID string `json:"tenantId"`
	Pending  int64  `json:"pending"`
	// OldestSeconds is the age of the oldest waiting event.
	OldestSeconds float64 `json:"oldestSeconds"`
	// IsCut says that a lane holds more than was counted. What was not counted was
	// appended after what was, lane by lane.
	IsCut bool `json:"isCut"`
}

// Tenants lists the tenants with the most events that wait in the pool's
// database, at most limit of them. There may be any number of tenants, so no
// metric tells them apart: ask when the backlog grows. It counts the first
// [MaxCountedPending] events of each lane.
func Tenants(ctx context.Context, pool *pgxpool.Pool, limit int) ([]TenantBacklog, error) {
	return tenants(ctx, pool, limit, MaxCountedPending)
}

func tenants(ctx context.Context, pool *pgxpool.Pool, limit, most int) ([]TenantBacklog, error) {
	var all []TenantBacklog
	// One batch is one implicit transaction.
	var b pgx.Batch
	b.Queue(statement("snapshot_xmin"))
	b.Queue(statement("tenants"), named.Args{"limit": limit, "most": most}).Query(func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, pgx.RowToStructByName[TenantBacklog])
		return err
	})
	if err := pool.SendBatch(ctx, &b).Close(); err != nil {
		return nil, fmt.Errorf("outbox: list tenants: %w", explain(err))
	}
	return all, nil
}
