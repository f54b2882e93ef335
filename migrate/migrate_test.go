package migrate_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

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
	if err := migrate.Up(t.Context(), pool, migrate.Config{Lanes: 300}); err == nil || !strings.Contains(err.Error(), "migrate.Config.Lanes") {
		t.Errorf("300 lanes gave %v", err)
	}
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
