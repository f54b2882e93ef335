package platform

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ProvisionConfig is what [Provision] needs.
type ProvisionConfig struct {
	// AdminURL reaches a database of the server with a role that may create
	// databases and roles, as postgres://user:password@host:port/database.
	// Required.
	AdminURL string
	// Prefix starts the names of databases and roles. Default "factline_".
	Prefix string
	// Passwords are those to keep, by service name. Missing ones are generated,
	// which changes the password of a role that exists.
	Passwords map[string]string
}

// Provision makes a database and a role for each service and returns their
// connection URLs by service name, for [Config.Databases]. What exists stays; a
// second call changes nothing but generated passwords. The roles own their own
// database and nothing else, and bypass no row-level security.
func Provision(ctx context.Context, cfg ProvisionConfig) (map[string]string, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = "factline_"
	}
	admin, err := url.Parse(cfg.AdminURL)
	if err != nil || admin.Scheme != "postgres" && admin.Scheme != "postgresql" {
		return nil, errors.New("platform: provision: AdminURL is no postgres:// URL; pass postgres://user:password@host:port/database")
	}
	conn, err := pgx.Connect(ctx, cfg.AdminURL)
	if err != nil {
		return nil, fmt.Errorf("platform: provision: %w; check the URL and that the server runs", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	// Two starts at once must not both find a role missing.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended('factline provision', 0))"); err != nil {
		return nil, fmt.Errorf("platform: provision: %w", err)
	}
	urls := make(map[string]string)
	for _, name := range Services() {
		role := cfg.Prefix + strings.ReplaceAll(strings.TrimSuffix(name, "-service"), "-", "_")
		password := cfg.Passwords[name]
		if password == "" {
			password = rand.Text()
		}
		if err := provision(ctx, conn, role, password); err != nil {
			return nil, fmt.Errorf("platform: provision database and role %s: %w", role, explain(err))
		}
		service := *admin
		service.User, service.Path = url.UserPassword(role, password), "/"+role
		urls[name] = service.String()
	}
	return urls, nil
}

// provision gives database and role one name.
func provision(ctx context.Context, conn *pgx.Conn, name, password string) error {
	var role, database bool
	err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&role, &database)
	if err != nil {
		return err
	}
	// A role without superuser may not even repeat NOSUPERUSER in ALTER ROLE.
	verb := "CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS LOGIN PASSWORD %L"
	if role {
		verb = "ALTER ROLE %I LOGIN PASSWORD %L"
	}
	var set string
	if err := conn.QueryRow(ctx, "SELECT format($1::text, $2::text, $3::text)", verb, name, password).Scan(&set); err != nil {
		return err
	}
	id := pgx.Identifier{name}.Sanitize()
	statements := []string{set}
	if !database {
		// Without membership only a superuser may give a database to the role.
		statements = append(statements, "GRANT "+id+" TO CURRENT_USER", "CREATE DATABASE "+id+" OWNER "+id, "REVOKE CONNECT ON DATABASE "+id+" FROM PUBLIC")
	}
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func explain(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42501" {
		return fmt.Errorf("%w; the role of AdminURL needs CREATEDB and CREATEROLE", err)
	}
	return err
}
