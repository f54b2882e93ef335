package outbox

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/internal/devstack"
	"factline.dev/migrate"
)

// Pitfall 4: the database is dumped and restored into a new cluster, whose
// transaction ids are far below those of the old one. A gap that was there in
// the dump has to be proved empty by the new ids, and nothing is lost.
func TestARestoredDatabaseGoesOnInANewCluster(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	other := b.withOther()
	for range 5 {
		b.append(event("a", ""), event("b", ""), event("x1", ""))
	}
	stop := b.relay()
	b.published(10)
	b.awaitAside(5)
	open, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = open.Rollback(context.Background()) })
	if err := b.outbox.Append(t.Context(), open, event("c", "never committed")); err != nil {
		t.Fatal(err)
	}
	later := b.sameLane("c", 1)[0]
	b.append(event(later, ""))
	b.published(11) // so that the gap is noticed and the low-water mark waits for it
	stop()
	b.append(event("a", ""), event(later, ""))
	if _, err := b.pool.Exec(t.Context(), burnTransactionIDs); err != nil {
		t.Fatal(err)
	}
	source := b.pool
	before := b.transactionID()
	b.pool = b.newCluster()
	if after := b.transactionID(); after >= before {
		t.Fatalf("the new cluster is at transaction %d and the old one was at %d; want a smaller id", after, before)
	}
	b.restore(source)
	if err := open.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.kafka.CreateTopic(t, other, 3, nil)
	b.relay()
	b.append(event("a", ""), event("c", ""), event("x1", ""))
	b.settled()
	b.once(15)
	b.of(other).once(6)
}

// burnTransactionIDs takes twenty thousand: each block that writes has its own.
const burnTransactionIDs = `DO $$ BEGIN
	CREATE TABLE public.burned (n int);
	FOR n IN 1 .. 20000 LOOP BEGIN INSERT INTO public.burned VALUES (n); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP;
	DROP TABLE public.burned; END $$`

func (b *bundle) transactionID() (id int64) {
	b.t.Helper()
	if err := b.pool.QueryRow(b.t.Context(), "SELECT pg_current_xact_id()::text::bigint").Scan(&id); err != nil {
		b.t.Fatal(err)
	}
	return id
}

// newCluster is a server of its own with the tables of the outbox.
func (b *bundle) newCluster() *pgxpool.Pool {
	b.t.Helper()
	dir, err := os.MkdirTemp("", "factline-restored-")
	if err == nil {
		err = os.Chmod(dir, 0o755) //nolint:gosec // the server's user must be able to enter it
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	pg, err := devstack.StartPostgres(b.t.Context(), devstack.PostgresConfig{DataDir: filepath.Join(dir, "data"), Volatile: true, Prebuilt: true})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = pg.Stop(context.Background()) })
	pool, err := pgxpool.New(b.t.Context(), pg.URL("postgres"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(pool.Close)
	if err := migrate.Up(b.t.Context(), pool, migrate.Config{}); err != nil {
		b.t.Fatal(err)
	}
	return pool
}

// restore copies every row and every sequence of the library from one snapshot,
// as pg_dump and pg_restore do.
func (b *bundle) restore(source *pgxpool.Pool) {
	b.t.Helper()
	err := pgx.BeginTxFunc(b.t.Context(), source, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(from pgx.Tx) error {
		tables, err := column(b.t.Context(), from, `SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'factline'::regnamespace
			AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'schema_version' ORDER BY 1`)
		if err != nil {
			return err
		}
		for _, table := range tables {
			var rows bytes.Buffer
			if _, err := from.Conn().PgConn().CopyTo(b.t.Context(), &rows, "COPY (SELECT * FROM factline."+table+") TO STDOUT"); err != nil {
				return err
			}
			if err := b.load(table, &rows); err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
		}
		sequences, err := column(b.t.Context(), from, `SELECT format('SELECT setval(%L, %s, %L)', 'factline.' || sequencename, coalesce(last_value, 1), last_value IS NOT NULL)
			FROM pg_sequences WHERE schemaname = 'factline'`)
		for _, set := range sequences {
			if _, err := b.pool.Exec(b.t.Context(), set); err != nil {
				return err
			}
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func column(ctx context.Context, tx pgx.Tx, sql string) ([]string, error) {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (b *bundle) load(table string, rows *bytes.Buffer) error {
	return pgx.BeginFunc(b.t.Context(), b.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(b.t.Context(), "TRUNCATE factline."+table+" CASCADE"); err != nil {
			return err
		}
		_, err := tx.Conn().PgConn().CopyFrom(b.t.Context(), rows, "COPY factline."+table+" FROM STDIN")
		return err
	})
}
