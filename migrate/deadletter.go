package migrate

import (
	"context"
	"embed"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed deadletter/*.sql
var deadLetterFiles embed.FS

// UpDeadLetters brings the schema deadletter, the store of all dead letters, to
// this library's version. Only the database that collects them needs it, beside
// [Up]. It waits for another instance that is doing the same.
func UpDeadLetters(ctx context.Context, pool *pgxpool.Pool) error {
	if err := apply(ctx, pool, "deadletter", deadLetterFiles); err != nil {
		return fmt.Errorf("migrate: bring schema deadletter up to date: %w", err)
	}
	return nil
}
