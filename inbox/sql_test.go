package inbox_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/factlinetest"
	"factline.dev/inbox"
	"factline.dev/migrate"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

var migrated = factlinetest.PostgresTemplate("inbox", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrate.Up(ctx, pool, migrate.Config{})
})

func TestEveryStatementPreparesOnTheMigratedSchema(t *testing.T) {
	t.Parallel()
	conn, err := factlinetest.Postgres(t, migrated).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for name, sql := range inbox.Statements() {
		if _, err := conn.Conn().Prepare(t.Context(), name, sql); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
