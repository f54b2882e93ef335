package effect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// Performer makes a call to another system. Rules: it is safe for concurrent
// use; it returns when ctx ends; it hands key to the other system as the
// idempotency key, because the same call may come again; its errors hold no
// secrets and no content, because operators read them.
//
// The outcome is the returned error: nil, [Permanent], [RetryAfter], or any
// other for a retry with backoff. A refusal that the business must know is an
// answer and no error: return it as the response. A response has at most 1 MiB;
// a longer one gives the call up. ctx carries the [envelope.Cause] of the event
// and the deadline.
type Performer interface {
	Perform(ctx context.Context, name, key string, request []byte) (response []byte, err error)
}

// PerformerFunc makes a function a [Performer].
type PerformerFunc func(ctx context.Context, name, key string, request []byte) ([]byte, error)

// Perform calls f.
func (f PerformerFunc) Perform(ctx context.Context, name, key string, request []byte) ([]byte, error) {
	return f(ctx, name, key, request)
}

// Result is a call with its answer.
type Result struct {
	Name string
	Call
	// Response is what the performer returned.
	Response []byte
	// Attempts is how often the call was begun.
	Attempts int
}

// ResultHandler gives an answer its effect within tx, which also marks the call
// as done: it takes effect exactly once. The rules are those of a handler of
// package consumer: no commit, no rollback, no network, and it may run again
// where tx does not commit. ctx carries the cause of the event, so that what is
// appended to the outbox and stored by [Caller.Do] follows from it; in SQL the
// setting factline.tenant is its tenant. Its deadline is LeaseTTL. An error repeats the handler with the
// same answer, with the classes of [Performer].
type ResultHandler func(ctx context.Context, tx pgx.Tx, r Result) error

// WorkerConfig is what [NewWorker] needs. Zero fields take their defaults.
type WorkerConfig struct {
	// Caller is whose calls are made. In a process that stores none, another
	// one of the same name does. Required.
	Caller *Caller
	// Pool reaches the database in which the calls are stored. A worker uses up
	// to Concurrency connections for moments, and for as long as OnResult runs.
	// Required.
	Pool *pgxpool.Pool
	// Performer makes the calls. Required.
	Performer Performer
	// OnResult gives answers their effect. Nil only records them.
	OnResult ResultHandler
	// Concurrency is the most calls in flight at once in this worker. Raise it
	// for a slow provider, lower it for one that limits. Default 16.
	Concurrency int
	// MaxAttempts is how often a call is begun before it is given up; for
	// OnResult the same again. Default 10. Negative never gives up.
	MaxAttempts int
	// BackoffMin and BackoffMax bound the pause before the next attempt: it
	// doubles from one to the other and spreads by a quarter either way. Default
	// 1s and 5min.
	BackoffMin, BackoffMax time.Duration
	// CallTimeout is the deadline of one attempt, counted from its claim.
	// Default 30s.
	CallTimeout time.Duration
	// LeaseTTL is how long a claimed call is kept from other workers, by the
	// database's clock. What is above CallTimeout is left to record the answer,
	// and all of it is the deadline of OnResult.
	// Default CallTimeout and 30s.
	LeaseTTL time.Duration
	// PollInterval is the pause between two looks for calls without a wake-up.
	// Default 100ms.
	PollInterval time.Duration
	// DrainTimeout is how long Run waits after cancellation for calls in flight
	// before it interrupts them. Default 10s.
	DrainTimeout time.Duration
	// Retention is how long calls that are done or skipped are kept, and with
	// them the knowledge of their keys: keep it longer than an event can come
	// again. Default 7 days. Negative keeps them for ever.
	Retention time.Duration
	// Logger receives what an operator should see. Nil discards.
	Logger *slog.Logger
	// Registerer takes the worker's metrics, which workers of one process share.
	// Nil registers none.
	Registerer prometheus.Registerer
	// Hooks may implement AfterPerformHook. Nil has none.
	Hooks any
}

// AfterPerformHook is called with the key of each call after its performer
// returned and before the outcome is recorded. It exists for fault injection; a
// hook that blocks blocks the call.
type AfterPerformHook interface{ AfterPerform(key string) }

// WithDefaults returns c with every unset field at its default.
func (c WorkerConfig) WithDefaults() WorkerConfig {
	c.Concurrency = cmp.Or(c.Concurrency, 16)
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 10)
	c.BackoffMin = cmp.Or(c.BackoffMin, time.Second)
	c.BackoffMax = cmp.Or(c.BackoffMax, max(5*time.Minute, c.BackoffMin))
	c.CallTimeout = cmp.Or(c.CallTimeout, 30*time.Second)
	c.LeaseTTL = cmp.Or(c.LeaseTTL, c.CallTimeout+30*time.Second)
	c.PollInterval = cmp.Or(c.PollInterval, 100*time.Millisecond)
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 10*time.Second)
	c.Retention = cmp.Or(c.Retention, 7*24*time.Hour)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c WorkerConfig) validate() error {
	var problems []error
	require := func(ok bool, field, format string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf("effect.WorkerConfig.%s: %s", field, fmt.Sprintf(format, args...)))
		}
	}
	require(c.Caller != nil, "Caller", "it is nil; pass what NewCaller returned")
	require(c.Pool != nil, "Pool", "it is nil; pass the pool of the service's database")
	require(c.Performer != nil, "Performer", "it is nil; pass what makes the calls, such as NewHTTP")
	require(c.Concurrency >= 1 && c.Concurrency <= 1000, "Concurrency", "%d is outside 1 to 1000", c.Concurrency)
	require(c.BackoffMin > 0, "BackoffMin", "%s is not above 0", c.BackoffMin)
	require(c.BackoffMax >= c.BackoffMin, "BackoffMax", "%s is below BackoffMin %s", c.BackoffMax, c.BackoffMin)
	require(c.CallTimeout > 0, "CallTimeout", "%s is not above 0; a call without an end holds its worker", c.CallTimeout)
	require(c.LeaseTTL > c.CallTimeout, "LeaseTTL", "%s is not above CallTimeout %s; leave time to record the answer", c.LeaseTTL, c.CallTimeout)
	require(c.PollInterval > 0, "PollInterval", "%s is not above 0", c.PollInterval)
	require(c.DrainTimeout > 0, "DrainTimeout", "%s is not above 0", c.DrainTimeout)
	return errors.Join(problems...)
}
