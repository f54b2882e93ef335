// Package named passes arguments to SQL by name, as pgx.NamedArgs does, and
// reads each statement's text only once.
//
// Use it for the fixed statements of a package. Do not use it for text that is
// made per call: every text is remembered for good.
//
// Guarantees: the statement that is sent is the one pgx.NamedArgs sends. What
// fails how: a name without an argument is NULL, as there.
package named

import (
	"context"
	"regexp"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Args are the arguments of a statement whose text has @name where each belongs.
type Args map[string]any

// RewriteQuery makes Args a [pgx.QueryRewriter]. Safe for concurrent use.
func (a Args) RewriteQuery(ctx context.Context, conn *pgx.Conn, sql string, args []any) (string, []any, error) {
	known, ok := rewritten.Load(sql)
	if !ok {
		s, err := rewrite(ctx, conn, sql, args)
		if err != nil {
			return "", nil, err
		}
		known, _ = rewritten.LoadOrStore(sql, s)
	}
	s := known.(*statement) //nolint:forcetypeassert // nothing else is stored
	values := make([]any, len(s.names))
	for i, name := range s.names {
		values[i] = a[name]
	}
	return s.sql, values, nil
}

// statement is a text with $1, $2 in place of its names.
type statement struct {
	sql   string
	names []string
}

// rewritten holds every statement seen, by its text.
var rewritten sync.Map //nolint:gochecknoglobals // what it holds follows from the key alone

var place = regexp.MustCompile(`@([A-Za-z_][A-Za-z0-9_]*)`)

// rewrite lets pgx read the text: with every name as its own argument, the
// arguments come back as the names in their places.
func rewrite(ctx context.Context, conn *pgx.Conn, sql string, args []any) (*statement, error) {
	own := pgx.NamedArgs{}
	for _, found := range place.FindAllStringSubmatch(sql, -1) {
		own[found[1]] = found[1]
	}
	text, values, err := own.RewriteQuery(ctx, conn, sql, args)
	if err != nil {
		return nil, err
	}
	s := &statement{sql: text, names: make([]string, len(values))}
	for i, value := range values {
		s.names[i], _ = value.(string)
	}
	return s, nil
}
