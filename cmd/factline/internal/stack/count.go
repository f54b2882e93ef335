package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// count reads one number over all tenants.
func (c *Connection) count(ctx context.Context, service, sql string, into *int64) error {
	found, err := c.Only(service)
	if err != nil {
		return fmt.Errorf("stack: count: %w", err)
	}
	err = pgx.BeginTxFunc(ctx, found[0].Pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('factline.tenant', 'platform', true)"); err != nil {
			return err
		}
		if strings.Contains(sql, "{table}") {
			var table string
			if err := tx.QueryRow(ctx, statement("order_summary_table")).Scan(&table); err != nil {
				return err
			}
			sql = strings.ReplaceAll(sql, "{table}", table)
		}
		return tx.QueryRow(ctx, sql).Scan(into)
	})
	if err != nil {
		return fmt.Errorf("stack: count in the database of %s: %w", service, err)
	}
	return nil
}
