package contracttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/envelope"
)

// otherEffects compares, in two copies of the database, what a whole event does with
// what the fields do that the group declares to read.
func (r *consumerRun) otherEffects(ctx context.Context, trials []trial) (err error) {
	var pair *twins
	defer func() { err = errors.Join(err, pair.close(ctx)) }()
	for _, t := range trials {
		cut, cutErr := r.declaredOnly(t)
		if t.point != currentVersion || cutErr != nil || bytes.Equal(cut.Payload, t.raw.Payload) {
			continue
		}
		if pair == nil {
			if pair, err = newTwins(ctx, r.Config.Pool); err != nil {
				return err
			}
		}
		whole, err := r.effectsOf(ctx, pair.pools[0], t, message(t))
		if err != nil {
			return err
		}
		declared, err := r.effectsOf(ctx, pair.pools[1], t, cut)
		if err != nil {
			return err
		}
		if lost, more := differ(whole, declared), differ(declared, whole); lost+more != "" {
			r.fail(t.event, declaredAlone, "they have other effects than the whole event; declare what else is read (%s became %s)", lost, more)
			if err := pair.close(ctx); err != nil { // they are twins no more
				return err
			}
			pair = nil
		}
	}
	return nil
}

// effectsOf applies a message for good and returns the words of the effects, sorted.
func (r *consumerRun) effectsOf(ctx context.Context, pool *pgxpool.Pool, t trial, m consumer.Message) ([]string, error) {
	outcome := "handled"
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		err := r.handle(ctx, tx, t, m)
		if consumer.IsRejected(err) {
			outcome, err = "rejected", nil
		}
		return err
	})
	if err != nil {
		outcome = "refused"
	}
	text, err := r.Effects(ctx, pool)
	if err != nil {
		return nil, err
	}
	words := append(wordsOf(text, t.raw), outcome)
	slices.Sort(words)
	return words, nil
}

// madeID is an id as [envelope.NewID] makes them.
var madeID = regexp.MustCompile(`[0-7][0-9A-HJKMNP-TV-Z]{25}`)

// wordsOf are the words of a text. An id that the handler made differs every time and
// says nothing, and rows may be ordered by one.
func wordsOf(text string, e envelope.Raw) []string {
	known := e.EventID + e.AggregateID + string(e.Payload)
	text = madeID.ReplaceAllStringFunc(text, func(id string) string {
		if strings.Contains(known, id) {
			return id
		}
		return "ID"
	})
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n\t,()\"{}[]", r) })
}

// differ is what only a holds of two sorted lists, at most a few words.
func differ(a, b []string) string {
	const most = 5
	var only []string
	for _, word := range a {
		if at, found := slices.BinarySearch(b, word); found {
			b = b[at+1:]
		} else if len(only) < most {
			only = append(only, fmt.Sprintf("%q", word))
		}
	}
	return strings.Join(only, " ")
}

// twins are two copies of a database as it is.
type twins struct {
	admin *pgx.Conn
	names [2]string
	pools [2]*pgxpool.Pool
}

func newTwins(ctx context.Context, from *pgxpool.Pool) (*twins, error) {
	cfg := from.Config()
	source := cfg.ConnConfig.Database
	cfg.ConnConfig.Database = "postgres"
	admin, err := pgx.ConnectConfig(ctx, cfg.ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("contracttest: copy the database: %w", err)
	}
	t := &twins{admin: admin}
	for i := range t.pools {
		name := "contracttest_" + strings.ToLower(envelope.NewID())
		from.Reset() // nobody may be connected to what is copied
		if _, err := admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE "+pgx.Identifier{source}.Sanitize()); err != nil {
			return nil, errors.Join(fmt.Errorf("contracttest: copy the database: %w; let the user of Config.Pool create databases, and nobody else be connected", err), t.close(ctx))
		}
		t.names[i] = name
		cfg := from.Config()
		cfg.ConnConfig.Database = name
		if t.pools[i], err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
			return nil, errors.Join(fmt.Errorf("contracttest: reach the copy: %w", err), t.close(ctx))
		}
	}
	return t, nil
}

func (t *twins) close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	var errs []error
	for i, name := range t.names {
		if t.pools[i] != nil {
			t.pools[i].Close()
		}
		if name != "" {
			_, err := t.admin.Exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, t.admin.Close(ctx))...)
}
