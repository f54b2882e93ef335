package runbook

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed sql/*.sql
var statements embed.FS

// statement returns one embedded SQL file. It panics on an unknown name, which
// is a programmer's error that the prepare test finds.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("runbook: unknown statement " + name)
	}
	return string(text)
}

// Timeout bounds each read of a database.
const Timeout = 15 * time.Second

// tenantEverywhere is the tenant that row-level security lets see all rows.
const tenantEverywhere = "platform"

// read runs fn in a read-only transaction that sees the rows of every tenant.
func read(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('factline.tenant', $1, true)", tenantEverywhere); err != nil {
			return err
		}
		return fn(tx)
	})
}

// collect reads the rows of one statement into structs.
func collect[T any](ctx context.Context, pool *pgxpool.Pool, sql string, args ...any) (all []T, err error) {
	err = read(ctx, pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByName[T])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("runbook: read database %s: %w", pool.Config().ConnConfig.Database, err)
	}
	return all, nil
}
