package prove

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"factline.dev/platform"
	"factline.dev/prove/check"
	"factline.dev/prove/history"
	"factline.dev/replay"
)

// replayAll rebuilds every read model from the first record and hashes live
// table and copy itself, beside what the replay says of them.
func (o *observer) replayAll(ctx context.Context, out *outcome) error {
	pool := o.recorder.Pool(platform.ProjectionService)
	projections, err := platform.Replays(ctx, pool)
	if err != nil {
		return err
	}
	var all []check.Rebuilt
	for _, p := range projections {
		rebuilt, err := o.rebuild(ctx, p)
		if err != nil {
			return err
		}
		all = append(all, rebuilt)
	}
	out.check(check.RebuildsEqual(all))
	return nil
}

func (o *observer) rebuild(ctx context.Context, p replay.Projection) (rebuilt check.Rebuilt, err error) {
	rebuilt.Projection = p.Name
	if rebuilt.Before, err = o.hash(ctx, p.Live); err != nil {
		return rebuilt, err
	}
	report, err := replay.Run(ctx, replay.Config{
		Projection: p, Pool: o.recorder.Pool(platform.ProjectionService), Brokers: o.brokers, Contracts: o.catalogue, Keep: true,
	})
	if err != nil {
		return rebuilt, fmt.Errorf("prove: replay %s: %w", p.Name, err)
	}
	copied := pgx.Identifier(strings.SplitN(report.Rebuilt.Table, ".", 2))
	if rebuilt.Copy, err = o.hash(ctx, copied); err != nil {
		return rebuilt, err
	}
	if rebuilt.After, err = o.hash(ctx, p.Live); err != nil {
		return rebuilt, err
	}
	rebuilt.SaysEqual, rebuilt.Applied = report.Equal, report.Applied
	_, err = o.recorder.Pool(platform.ProjectionService).Exec(ctx, "DROP TABLE "+copied.Sanitize())
	return rebuilt, err
}

func (o *observer) hash(ctx context.Context, table pgx.Identifier) (history.Table, error) {
	return o.recorder.HashTable(ctx, platform.ProjectionService, table)
}
