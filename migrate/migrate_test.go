package migrate_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"factline.dev/factlinetest"
	"factline.dev/migrate"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

func TestUpTwiceAndFromManyInstancesChangesNothing(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			if err := migrate.Up(t.Context(), pool, migrate.Config{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	var lanes, partitions int
	err := pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM factline.outbox_lane),
		(SELECT count(*) FROM pg_inherits WHERE inhparent = 'factline.outbox_event'::regclass)`).Scan(&lanes, &partitions)
	if err != nil {
		t.Fatal(err)
	}
	if lanes != 16 || partitions != 9 {
		t.Errorf("%d lanes and %d partitions, want 16, and eight days and the default", lanes, partitions)
	}
}

func TestLanesChangeOnlyWhileTheOutboxIsEmpty(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t)
	for _, lanes := range []int{16, 4, 8} {
		if err := migrate.Up(t.Context(), pool, migrate.Config{Lanes: lanes}); err != nil {
			t.Fatal(err)
		}
		var got, sequences int
		err := pool.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM factline.outbox_lane),
			(SELECT count(*) FROM pg_sequences WHERE schemaname = 'factline' AND sequencename LIKE 'outbox_position_%')`).Scan(&got, &sequences)
		if err != nil || got != lanes || sequences != lanes {
			t.Fatalf("%d lanes and %d sequences (%v), want %d", got, sequences, err, lanes)
		}
	}
	_, err := pool.Exec(t.Context(), `INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id,
		aggregate_type, aggregate_id, aggregate_version, topic, stamped) VALUES (0, 1, 'e', 'T', 't', 'A', 'a', 1, 'x', true)`)
	if err != nil {
		t.Fatal(err)
	}
	err = migrate.Up(t.Context(), pool, migrate.Config{Lanes: 16})
	if err == nil || !strings.Contains(err.Error(), "drain it") {
		t.Errorf("a change over events gave %v, want a refusal that says what to do", err)
	}
	for _, tt := range []struct{ sql, want string }{
		{`WITH e AS (DELETE FROM factline.outbox_event RETURNING *)
			INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version,
				topic, stamped, created_at, reason, is_culprit, parked_at)
			SELECT lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version,
				topic, stamped, created_at, '', true, now() FROM e`, "publish or skip"},
		{"UPDATE factline.outbox_parked SET skipped_at = now()", ""},
	} {
		if _, err := pool.Exec(t.Context(), tt.sql); err != nil {
			t.Fatal(err)
		}
		err := migrate.Up(t.Context(), pool, migrate.Config{Lanes: 16})
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("after %s a change gave %v, want %q", tt.sql, err, tt.want)
		}
	}
	if err := migrate.Up(t.Context(), pool, migrate.Config{Lanes: 300}); err == nil || !strings.Contains(err.Error(), "migrate.Config.Lanes") {
		t.Errorf("300 lanes gave %v", err)
	}
}

// Every append queues behind a lock on the heads of aggregates that is waited for.
func TestAMigrationThatMeetsALongTransactionFailsAndIsRunAgain(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t)
	if err := migrate.Up(t.Context(), pool, migrate.Config{}); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{down(t, "00009_retry_together"), down(t, "00008_append"), "DELETE FROM factline.schema_version WHERE version_id >= 8"} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "SELECT FROM factline.outbox_stream"); err != nil {
			return err
		}
		var pg *pgconn.PgError
		if err := migrate.Up(limited, pool, migrate.Config{}); !errors.As(err, &pg) || pg.Code != "55P03" {
			t.Errorf("beside a reader of the heads Up gave %v, want the end of its patience", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate.Up(t.Context(), pool, migrate.Config{}); err != nil {
		t.Error(err)
	}
}

func down(t *testing.T, migration string) string {
	t.Helper()
	text, err := os.ReadFile("sql/" + migration + ".sql")
	if err != nil {
		t.Fatal(err)
	}
	_, down, _ := strings.Cut(string(text), "-- +goose Down")
	return down
}

func TestTheStoreOfDeadLettersIsMadeOnceAndOnlyWhereAskedFor(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t)
	if err := migrate.Up(t.Context(), pool, migrate.Config{}); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'deadletter'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 0 {
		t.Errorf("Up alone made %d tables of the store", n)
	}
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if err := migrate.UpDeadLetters(t.Context(), pool); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := count(); n != 6 {
		t.Errorf("%d tables, want five and the version", n)
	}
}

// Before, a migration that waited for a lock had everybody wait behind it.
func TestAMigrationWaitsForNoLockForLong(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t)
	if err := migrate.Up(t.Context(), pool, migrate.Config{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("sql/00009_retry_together.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, down, _ := strings.Cut(string(text), "-- +goose Down")
	for _, sql := range []string{down, `DELETE FROM factline.schema_version WHERE version_id >= 9`} {
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `LOCK TABLE factline.held_event IN ROW EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err == nil || !strings.Contains(err.Error(), "lock timeout") {
		t.Fatalf("Up = %v, want it to give up", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := migrate.Up(t.Context(), pool, migrate.Config{}); err != nil {
		t.Errorf("Up after that: %v", err)
	}
}
