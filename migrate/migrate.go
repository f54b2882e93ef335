// Package migrate creates and upgrades the library's own tables, all of them in
// the PostgreSQL schema factline.
//
// Run [Up] in the service's start-up, or once before a deploy, with a role that
// may create that schema. Do not use it for business tables: they belong to the
// service, in a schema of its own.
//
// Guarantees: running it twice, or from several instances at once, changes
// nothing the second time; a change is additive first, so that the library
// version before this one keeps running on the new tables. A failed migration
// is rolled back and named in the error.
package migrate

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed sql/*.sql
var files embed.FS

// Config says what the tables are made for. Its zero value is usable.
type Config struct {
	// Lanes is how many lanes the outbox has: the most chunks a relay can have
	// in flight at once. It cannot change while the outbox holds events, parked
	// ones and those that are set aside included.
	// Default 16, at most 256.
	Lanes int
	// Now is the day from which outbox partitions are made. Default the current
	// time; tests set it.
	Now time.Time
}

// WithDefaults returns c with every unset field at its default.
func (c Config) WithDefaults() Config {
	if c.Lanes == 0 {
		c.Lanes = 16
	}
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	return c
}

// Up brings the schema factline of the pool's database to this library's
// version. It waits for another instance that is doing the same.
func Up(ctx context.Context, pool *pgxpool.Pool, cfg Config) error {
	cfg = cfg.WithDefaults()
	if cfg.Lanes < 1 || cfg.Lanes > 256 {
		return fmt.Errorf("migrate: check migrate.Config.Lanes: %d is outside 1 to 256; 16 suits most services", cfg.Lanes)
	}
	if err := apply(ctx, pool, "factline", files); err != nil {
		return fmt.Errorf("migrate: bring schema factline up to date: %w", err)
	}
	if _, err := pool.Exec(ctx, "SELECT factline.outbox_set_lanes($1)", cfg.Lanes); err != nil {
		return fmt.Errorf("migrate: set outbox lanes to %d: %w", cfg.Lanes, err)
	}
	if _, err := pool.Exec(ctx, "SELECT factline.outbox_make_partitions($1)", cfg.Now); err != nil {
		return fmt.Errorf("migrate: make outbox partitions: %w", err)
	}
	return nil
}

// makeSchema takes a lock first: of two instances that find no schema at once,
// one would fail, IF NOT EXISTS or not.
func makeSchema(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('factline schema ' || $1, 0))", schema); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{schema}.Sanitize())
		return err
	})
}

// apply runs the migrations of the only folder in files.
func apply(ctx context.Context, pool *pgxpool.Pool, schema string, files embed.FS) (err error) {
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	folders, err := files.ReadDir(".")
	if err != nil {
		return err
	}
	sqlFiles, err := fs.Sub(files, folders[0].Name())
	if err != nil {
		return err
	}
	if err := makeSchema(ctx, pool, schema); err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, sqlFiles,
		goose.WithTableName(schema+".schema_version"), goose.WithSessionLocker(locker))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}
