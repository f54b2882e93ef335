package factlinetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	namePrefix = "factline_test_"
	keepFor    = 24 * time.Hour
)

// server is where the databases of this test binary live.
type server struct {
	url      func(database string) string
	embedded *embedded // nil with FACTLINE_POSTGRES

	admin *pgxpool.Pool

	mu        sync.Mutex
	templates []string
}

// shared holds the one server of the process. Tests are functions: there is no
// object of ours that they could pass from one to the next.
//
//nolint:gochecknoglobals // see above
var shared struct {
	mu     sync.Mutex
	server *server
	err    error
}

func theServer(ctx context.Context) (*server, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil && shared.err == nil {
		// One test's context must not decide over the others' server.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Minute)
		defer cancel()
		shared.server, shared.err = openServer(ctx)
	}
	return shared.server, shared.err
}

func openServer(ctx context.Context) (*server, error) {
	s, err := chooseServer(ctx)
	if err != nil {
		return nil, err
	}
	if s.admin, err = pgxpool.New(ctx, s.url("postgres")); err != nil {
		return nil, fmt.Errorf("factlinetest: connect to PostgreSQL: %w", err)
	}
	if err = s.check(ctx); err == nil {
		err = s.sweep(ctx, time.Now())
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func chooseServer(ctx context.Context) (*server, error) {
	given := os.Getenv("FACTLINE_POSTGRES")
	if given == "" {
		e, err := startEmbedded(ctx)
		if err != nil {
			return nil, fmt.Errorf("factlinetest: tests need a PostgreSQL server: %w; or name a running one in FACTLINE_POSTGRES, as postgres://user:password@host:5432/postgres", err)
		}
		return &server{url: e.pg.URL, embedded: e}, nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "postgres") {
		return nil, errors.New("factlinetest: FACTLINE_POSTGRES is no URL; write postgres://user:password@host:5432/postgres")
	}
	return &server{url: func(database string) string {
		v := *u
		if database != "postgres" {
			v.Path = "/" + database
		}
		return v.String()
	}}, nil
}

func (s *server) check(ctx context.Context) error {
	var may bool
	const q = `select rolcreatedb or rolsuper from pg_catalog.pg_roles where rolname = current_user`
	if err := s.admin.QueryRow(ctx, q).Scan(&may); err != nil {
		return fmt.Errorf("factlinetest: ask PostgreSQL for our rights: %w; check FACTLINE_POSTGRES", err)
	}
	if !may {
		return errors.New("factlinetest: the user of FACTLINE_POSTGRES may not create databases; run: alter role NAME createdb createrole")
	}
	return nil
}

// create copies a database. FILE_COPY beats the default for templates of many
// tables. An unqualified name must fail here, so search_path is empty.
func (s *server) create(ctx context.Context, purpose, from string) (string, error) {
	name := databaseName(time.Now(), rand.Text(), purpose)
	id := pgx.Identifier{name}.Sanitize()
	for _, sql := range []string{
		fmt.Sprintf("create database %s template %s strategy file_copy", id, pgx.Identifier{from}.Sanitize()),
		fmt.Sprintf("alter database %s set search_path = ''", id),
	} {
		if err := s.exec(ctx, sql); err != nil {
			return "", fmt.Errorf("factlinetest: create database %s from %s: %w", name, from, err)
		}
	}
	return name, nil
}

// seal keeps everybody out, as a copy fails while anybody is connected.
func (s *server) seal(ctx context.Context, name string) error {
	err := s.exec(ctx, fmt.Sprintf("alter database %s allow_connections false", pgx.Identifier{name}.Sanitize()))
	if err != nil {
		return fmt.Errorf("factlinetest: seal template %s: %w", name, err)
	}
	return nil
}

func (s *server) remember(template string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates = append(s.templates, template)
}

// dropTemplates tidies a shared server up; an embedded one just goes.
func (s *server) dropTemplates(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, name := range s.templates {
		errs = append(errs, s.drop(ctx, name))
	}
	return errors.Join(errs...)
}

// exec tries again while the source database is busy (55006): a migration's
// connection, or autovacuum, may need a moment to leave it.
func (s *server) exec(ctx context.Context, sql string) error {
	for wait := time.Millisecond; ; wait *= 2 {
		_, err := s.admin.Exec(ctx, sql)
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "55006" || wait > 2*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func (s *server) pool(ctx context.Context, name string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(s.url(name))
	if err != nil {
		return nil, fmt.Errorf("factlinetest: connect to %s: %w", name, err)
	}
	cfg.MaxConns = 10
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("factlinetest: connect to %s: %w", name, err)
	}
	return pool, nil
}

func (s *server) finish(t testing.TB, pool *pgxpool.Pool, name string) {
	t.Helper()
	pool.Close()
	if t.Failed() {
		t.Logf("factlinetest: the database of this test is kept: %s", s.keep(name))
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.drop(ctx, name); err != nil {
		t.Error(err)
	}
}

func (s *server) keep(name string) string {
	if s.embedded == nil {
		return "psql '" + s.url(name) + "'"
	}
	return s.embedded.keep(name)
}

// drop closes connections that code under test has leaked.
func (s *server) drop(ctx context.Context, name string) error {
	if err := s.exec(ctx, fmt.Sprintf("drop database if exists %s with (force)", pgx.Identifier{name}.Sanitize())); err != nil {
		return fmt.Errorf("factlinetest: drop database %s: %w", name, err)
	}
	return nil
}

// sweep drops what earlier runs left on a shared server.
func (s *server) sweep(ctx context.Context, now time.Time) error {
	if s.embedded != nil {
		return nil
	}
	rows, err := s.admin.Query(ctx, `select datname from pg_catalog.pg_database where starts_with(datname, $1)`, namePrefix)
	if err != nil {
		return fmt.Errorf("factlinetest: list old databases: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("factlinetest: list old databases: %w", err)
	}
	for _, name := range names {
		if !outdated(name, now) {
			continue
		}
		if err := s.drop(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func outdated(database string, now time.Time) bool {
	stamp, _, _ := strings.Cut(strings.TrimPrefix(database, namePrefix), "_")
	made, err := strconv.ParseInt(stamp, 10, 64)
	return err == nil && now.Sub(time.Unix(made, 0)) > keepFor
}
