package platform

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/platform/internal/projection"
	"factline.dev/replay"
)

// ProjectionService is the service whose database holds the read models.
const ProjectionService = projection.Name

// Replays returns the read models that replay can rebuild, "order-summary" and
// "order-line", each beside the table that is live now. pool reaches the
// database of [ProjectionService].
func Replays(ctx context.Context, pool *pgxpool.Pool) ([]replay.Projection, error) {
	var all []replay.Projection
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) (err error) {
		all, err = projection.Replays(ctx, tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("platform: list read models: %w", err)
	}
	return all, nil
}
