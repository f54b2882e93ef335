package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// explainPostgres says what a failed connection means and what to do. what is
// the database or server that was meant.
func explainPostgres(what string, err error) error {
	reason, todo := "it cannot be reached", "check the address"
	var pg *pgconn.PgError
	var dns *net.DNSError
	switch {
	case errors.As(err, &pg):
		reason, todo = explainCode(pg)
	case errors.As(err, &dns):
		reason, todo = "its host is not known", "correct the host name"
	case errors.Is(err, syscall.ECONNREFUSED):
		reason, todo = "nobody listens there", "start the server, or correct host and port"
	case errors.Is(err, context.DeadlineExceeded):
		reason, todo = "it does not answer in time", "check host, port and firewalls"
	}
	return fmt.Errorf("stack: connect to PostgreSQL for %s: %s (%w); %s", what, reason, err, todo)
}

func explainCode(pg *pgconn.PgError) (reason, todo string) {
	switch pg.Code {
	case "28P01", "28000":
		return "it refuses the user or the password", "correct them in --postgres"
	case "3D000":
		return "the database does not exist", "let factline up --postgres URL make it, or correct the name"
	case "42501":
		return "the role lacks a right", "use a role with CREATEDB and CREATEROLE, such as: CREATE ROLE factline LOGIN CREATEDB CREATEROLE PASSWORD '...'"
	case "53300":
		return "it has no connection left", "raise max_connections, the platform needs about 100"
	}
	return "it answers with an error", "correct what it says"
}
