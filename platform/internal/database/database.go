// Package database is how a service of the platform reaches its own database:
// migrations of its business schema, and transactions that see one tenant.
//
// Every business table has row-level security on the setting factline.tenant,
// forced for its owner too. [InTenant] sets it for one transaction only, so a
// pooled connection never carries a tenant over. The tenant [Platform] sees all
// tenants: it is for timers, rebuilds and comparisons, never for a request.
package database

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// Platform is the tenant of work that belongs to none: it sees every row.
const Platform = "platform"

// Migrate brings the business schema to the version of files, which are goose
// migrations. Several instances may do it at once.
func Migrate(ctx context.Context, pool *pgxpool.Pool, schema string, files fs.FS) (err error) {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{schema}.Sanitize()); err != nil {
		return fmt.Errorf("database: make schema %s: %w; the role must own the database", schema, err)
	}
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return fmt.Errorf("database: migrate schema %s: %w", schema, err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(schema+".schema_version"), goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("database: migrate schema %s: %w", schema, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("database: migrate schema %s: %w", schema, err)
	}
	return nil
}

// SetTenant lets the rest of the transaction see this tenant's rows alone.
func SetTenant(ctx context.Context, tx pgx.Tx, tenant string) error {
	if _, err := tx.Exec(ctx, "SELECT set_config('factline.tenant', $1, true)", tenant); err != nil {
		return fmt.Errorf("database: set tenant: %w", err)
	}
	return nil
}

// InTenant runs fn in a transaction that sees the tenant's rows alone. It
// commits when fn returns nil.
func InTenant(ctx context.Context, pool *pgxpool.Pool, tenant string, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if err := SetTenant(ctx, tx, tenant); err != nil {
			return err
		}
		return fn(tx)
	})
}

// attempts is how often a transaction is run when the database itself ends it.
const attempts = 5

// Retrying runs fn again when PostgreSQL ended its transaction for the sake of
// another one. fn must begin a new transaction each time.
func Retrying(ctx context.Context, fn func() error) error {
	for attempt := 1; ; attempt++ {
		err := fn()
		if err == nil || !isConflict(err) || attempt == attempts {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(attempt) * 5 * time.Millisecond):
		}
	}
}

func isConflict(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// IsUnavailable reports whether err says that the database cannot be reached or
// is shutting down, so that the same request may succeed later.
func IsUnavailable(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code[:2] == "08" || pg.Code[:2] == "53" || pg.Code == "57P01" || pg.Code == "57P02" || pg.Code == "57P03" || isConflict(err)
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || pgconn.SafeToRetry(err) || errors.Is(err, context.DeadlineExceeded)
}
