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
func (s *slice) replayAll(ctx context.Context, out *outcome) error {
	pool := s.recorder.Pool(platform.ProjectionService)
	projections, err := platform.Replays(ctx, pool)
	if err != nil {
		return err
	}
	var all []check.Rebuilt
	for _, p := range projections {
		rebuilt, err := s.rebuild(ctx, p)
		if err != nil {
			return err
		}
		all = append(all, rebuilt)
	}
	out.check(check.RebuildsEqual(all))
	return nil
}

func (s *slice) rebuild(ctx context.Context, p replay.Projection) (rebuilt check.Rebuilt, err error) {
	rebuilt.Projection = p.Name
	if rebuilt.Before, err = s.hash(ctx, p.Live); err != nil {
		return rebuilt, err
	}
	report, err := replay.Run(ctx, replay.Config{
		Projection: p, Pool: s.recorder.Pool(platform.ProjectionService), Brokers: s.brokers, Contracts: s.catalogue, Keep: true,
	})
	if err != nil {
		return rebuilt, fmt.Errorf("prove: replay %s: %w", p.Name, err)
	}
	copied := pgx.Identifier(strings.SplitN(report.Rebuilt.Table, ".", 2))
	if rebuilt.Copy, err = s.hash(ctx, copied); err != nil {
		return rebuilt, err
	}
	if rebuilt.After, err = s.hash(ctx, p.Live); err != nil {
		return rebuilt, err
	}
	rebuilt.SaysEqual, rebuilt.Applied = report.Equal, report.Applied
	_, err = s.recorder.Pool(platform.ProjectionService).Exec(ctx, "DROP TABLE "+copied.Sanitize())
	return rebuilt, err
}

func (s *slice) hash(ctx context.Context, table pgx.Identifier) (history.Table, error) {
	return s.recorder.HashTable(ctx, platform.ProjectionService, table)
}
