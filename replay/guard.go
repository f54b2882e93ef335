package replay

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// writes counts the rows that a transaction wrote, by table.
type writes map[string]int64

func readWrites(ctx context.Context, tx pgx.Tx) (writes, error) {
	rows, err := tx.Query(ctx, statement("writes"))
	if err != nil {
		return nil, fmt.Errorf("replay: read what the handler wrote: %w", err)
	}
	found := make(writes)
	var schema, table string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&schema, &table, &n}, func() error {
		found[schema+"."+table] = n
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("replay: read what the handler wrote: %w", err)
	}
	return found, nil
}

// guarded runs the projection's handler and rolls everything back when it wrote
// anywhere but to its table: into the live one, or into an outbox.
func (c *chunk) guarded(ctx context.Context, tx pgx.Tx, apply func() error) error {
	before, err := readWrites(ctx, tx)
	if err != nil {
		return err
	}
	if err := apply(); err != nil {
		return err
	}
	after, err := readWrites(ctx, tx)
	if err != nil {
		return err
	}
	var strangers []string
	for table, n := range after {
		if n > before[table] && table != strings.Join(c.table, ".") {
			strangers = append(strangers, table)
		}
	}
	if len(strangers) == 0 {
		return nil
	}
	slices.Sort(strangers)
	refused := &RefusedError{Projection: c.cfg.Projection.Name}
	refused.add(EffectsOpen, "its handler writes to %s and may write to the table it is given alone; nothing of it was kept", strings.Join(strangers, ", "))
	return refused
}
