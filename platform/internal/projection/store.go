package projection

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed sql/*.sql
var statements embed.FS

//go:embed migration/*.sql
var migrations embed.FS

// statement returns one embedded SQL file; a test prepares them all.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic("projection: unknown statement " + name)
	}
	return string(text)
}

// on returns a statement for one table: the live one or a rebuilt one.
func on(table pgx.Identifier, name string) string {
	return strings.ReplaceAll(statement(name), "projected_table", table.Sanitize())
}

func migrationFiles() fs.FS {
	files, err := fs.Sub(migrations, "migration")
	if err != nil {
		panic("projection: no migrations embedded")
	}
	return files
}

// liveTable returns where a projection is written and read now. Its lock on the
// pointers lasts until tx ends.
func liveTable(ctx context.Context, tx pgx.Tx, projection string) (pgx.Identifier, error) {
	var name string
	if err := tx.QueryRow(ctx, statement("find_live"), projection).Scan(&name); err != nil {
		return nil, fmt.Errorf("projection: find the live table of %s: %w", projection, err)
	}
	return pgx.Identifier{Schema, name}, nil
}

// save upserts rows, all in one statement; a row that the table has at that
// version or later stays.
func save[T any](ctx context.Context, tx pgx.Tx, name string, table pgx.Identifier, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	text, err := json.Marshal(rows)
	if err == nil {
		_, err = tx.Exec(ctx, on(table, name), pgx.NamedArgs{"rows": string(text)})
	}
	if err != nil {
		return fmt.Errorf("projection: write %s: %w", strings.Join(table, "."), err)
	}
	return nil
}

func values[K comparable, V any](m map[K]V) []V { return slices.Collect(maps.Values(m)) }

// create makes an empty table like the live one, with its policy.
func create(ctx context.Context, tx pgx.Tx, name string, table pgx.Identifier) error {
	for _, s := range []string{name, "protect", "allow_tenant"} {
		if _, err := tx.Exec(ctx, on(table, s)); err != nil {
			return fmt.Errorf("projection: make %s: %w", strings.Join(table, "."), err)
		}
	}
	return nil
}
