package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/contract"
	"factline.dev/outbox"
)

// Contracts is what a store asks about the events in its letters.
// *contract.Catalogue is one. Rules: the methods are safe for concurrent use,
// need no network, and their errors never repeat the content of an event.
type Contracts interface {
	// Topic returns the contract of a topic and whether there is one.
	Topic(name string) (*contract.Topic, bool)
	// Event returns one version of an event and whether there is one.
	Event(eventType string, version int) (*contract.Event, bool)
	// Events returns every version of every event.
	Events() []*contract.Event
	// Service and Group return the contract of a service and of a consumer group,
	// and whether there is one. Who may redrive follows from them.
	Service(name string) (*contract.Service, bool)
	Group(name string) (*contract.Group, bool)
	// Validate checks a whole event as it stands on the wire.
	Validate(eventType string, eventVersion int, value []byte) error
}

// defaultHorizon is the dedupe horizon where none is set.
const defaultHorizon = 30 * 24 * time.Hour

// StoreConfig is what [NewStore] needs. Zero fields take their defaults.
type StoreConfig struct {
	// Pool reaches the database of migrate.UpDeadLetters. Required.
	Pool *pgxpool.Pool
	// Contracts are those of today, which a redrive is checked against. Required
	// for redrives.
	Contracts Contracts
	// Outbox is where redrives leave, in the same database as Pool. Required for
	// redrives.
	Outbox *outbox.Outbox
	// Outcomes tells what became of a letter in its group. Required for redrives.
	Outcomes Outcomes
	// DedupeHorizon is how old a letter may be, since its first failure, to be
	// redriven. Keep it below the time for which the groups keep their inbox and
	// settled dead letters: beyond it nobody can tell a repeated effect from a
	// new one. Default 30 days. Negative refuses none.
	DedupeHorizon time.Duration
	// LeaseTTL is how long a redrive stays with a run that gives no sign of life.
	// Default 10s.
	LeaseTTL time.Duration
	// OutcomeTimeout is how long a redrive waits without any outcome before it
	// pauses. Default 2m. Negative waits for ever.
	OutcomeTimeout time.Duration
	// Now is the clock of what is recorded. Default time.Now.
	Now func() time.Time
	// Logger receives what an operator should see. Nil discards.
	Logger *slog.Logger
}

// WithDefaults returns c with every unset field at its default.
func (c StoreConfig) WithDefaults() StoreConfig {
	c.DedupeHorizon = cmp.Or(c.DedupeHorizon, defaultHorizon)
	c.LeaseTTL = cmp.Or(c.LeaseTTL, 10*time.Second)
	c.OutcomeTimeout = cmp.Or(c.OutcomeTimeout, 2*time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c StoreConfig) validate() error {
	var problems []error
	refuse := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("deadletter.StoreConfig.%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if c.Pool == nil {
		refuse("Pool", "it is nil; pass the pool of the database that collects dead letters")
	}
	if c.LeaseTTL < time.Second {
		refuse("LeaseTTL", "%s is below 1s, too short to renew in time", c.LeaseTTL)
	}
	return errors.Join(problems...)
}

// Store is all dead letters of a platform, collected in one database. Safe for
// concurrent use.
type Store struct{ cfg StoreConfig }

// NewStore returns the store of a database. It touches none.
func NewStore(cfg StoreConfig) (*Store, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("deadletter: check configuration: %w", err)
	}
	return &Store{cfg: cfg}, nil
}

func (s *Store) inTx(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return inTx(ctx, s.cfg.Pool, fn)
}

// inTx runs fn in a transaction whose plans do not depend on statistics.
func inTx(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, statement("own_plan")); err != nil {
			return err
		}
		return fn(tx)
	})
}
