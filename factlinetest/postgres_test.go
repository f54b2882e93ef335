package factlinetest_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"factline.dev/factlinetest"
)

func TestPostgresGivesEachTestADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	template := factlinetest.PostgresTemplate("own", func(ctx context.Context, conn *pgx.Conn) error {
		runs.Add(1)
		_, err := conn.Exec(ctx, `create schema s; create table s.t (n int); insert into s.t values (1)`)
		return err
	})
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			db := factlinetest.Postgres(t, template)
			if _, err := db.Exec(t.Context(), `update s.t set n = n + 1`); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := db.QueryRow(t.Context(), `select sum(n) from s.t`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			if n != 2 {
				t.Errorf("sum = %d, want 2: another test's update is visible", n)
			}
		})
	}
	t.Cleanup(func() {
		if runs.Load() != 1 {
			t.Errorf("the migration ran %d times, want once", runs.Load())
		}
	})
}

func TestPostgresRefusesUnqualifiedNames(t *testing.T) {
	t.Parallel()
	db := factlinetest.Postgres(t)
	_, err := db.Exec(t.Context(), `create table t (n int)`)
	if err == nil || !strings.Contains(err.Error(), "no schema has been selected") {
		t.Errorf("create table without a schema: %v, want a refusal", err)
	}
}

func TestDSNReachesTheSameDatabase(t *testing.T) {
	t.Parallel()
	db := factlinetest.Postgres(t)
	if _, err := db.Exec(t.Context(), `create table public.here (n int)`); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), factlinetest.DSN(db))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), `select n from public.here`); err != nil {
		t.Error(err)
	}
}
