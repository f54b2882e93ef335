package factlinetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MigrateFunc brings an empty database to the state that tests start from.
type MigrateFunc func(ctx context.Context, conn *pgx.Conn) error

// Template is a database that is migrated once per test binary and then copied
// for each test. Make it with [PostgresTemplate] and keep it in a package-level
// variable. It is safe for concurrent use.
type Template struct {
	name    string
	migrate MigrateFunc

	once     sync.Once
	database string
	err      error
}

// PostgresTemplate names a migration. Nothing runs before the first [Postgres]
// that uses it. The name appears in database names and in errors. migrate gets a
// connection with an empty search_path.
func PostgresTemplate(name string, migrate MigrateFunc) *Template {
	return &Template{name: name, migrate: migrate}
}

// Postgres returns a pool on a new database, copied from the template, or empty
// without one (at most one may be given). The pool is closed and the database
// dropped when the test ends; when it failed, the database stays and the log
// says how to look at it.
func Postgres(t testing.TB, template ...*Template) *pgxpool.Pool {
	t.Helper()
	if len(template) > 1 {
		t.Fatalf("factlinetest: Postgres takes at most one template (%d given); migrate both in one", len(template))
	}
	ctx := t.Context()
	s, err := theServer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	from := "template0"
	if len(template) == 1 {
		if from, err = template[0].prepare(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	name, err := s.create(ctx, t.Name(), from)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := s.pool(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.finish(t, pool, name) })
	return pool
}

// DSN returns the connection string behind a pool of [Postgres], for code under
// test that opens its own connections. It holds a password, of a throw-away
// server.
func DSN(pool *pgxpool.Pool) string { return pool.Config().ConnString() }

func (tm *Template) prepare(ctx context.Context, s *server) (string, error) {
	tm.once.Do(func() {
		// One test's context must not decide over the others' template.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		tm.database, tm.err = tm.build(ctx, s)
	})
	return tm.database, tm.err
}

func (tm *Template) build(ctx context.Context, s *server) (string, error) {
	name, err := s.create(ctx, "template_"+tm.name, "template0")
	if err != nil {
		return "", err
	}
	s.remember(name)
	conn, err := pgx.Connect(ctx, s.url(name))
	if err != nil {
		return "", fmt.Errorf("factlinetest: migrate template %s: %w", tm.name, err)
	}
	if err := tm.migrate(ctx, conn); err != nil {
		_ = conn.Close(ctx)
		return "", fmt.Errorf("factlinetest: migrate template %s: %w", tm.name, err)
	}
	// A connection that is still closing would make the copy fail.
	if err := conn.Close(ctx); err != nil {
		return "", fmt.Errorf("factlinetest: migrate template %s: %w", tm.name, err)
	}
	return name, s.seal(ctx, name)
}

// databaseName fits PostgreSQL's 63 bytes and says when and for whom it was made.
func databaseName(now time.Time, random, purpose string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, purpose)
	name := fmt.Sprintf("%s%d_%s_%s", namePrefix, now.Unix(), strings.ToLower(random[:6]), clean)
	return name[:min(len(name), 63)]
}
