package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/outbox"
)

// failing returns a handler that fails n times on the event with this id, after
// it wrote its row, and is record otherwise.
func failing(eventID string, n int64, fail func(attempt int64) error) (consumer.Handler, *atomic.Int64) {
	var attempts atomic.Int64
	return func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if err := record(ctx, tx, m); err != nil {
			return err
		}
		if m.EventID == eventID {
			if attempt := attempts.Add(1); attempt <= n {
				return fail(attempt)
			}
		}
		return nil
	}, &attempts
}

func handlers(h consumer.Handler) func(*consumer.Config) {
	return func(c *consumer.Config) {
		c.Subscriptions[0].Handlers = map[string]consumer.Handler{"OrderCaptured": h}
	}
}

func TestAFailingHandlerIsTriedAgainAndThenApplied(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	// The chunk counts for nothing, then come two attempts that fail alone.
	h, _ := failing("evt_a_2", 3, func(int64) error { return errors.New("price book not there yet") })
	b.send(order("a", 1), order("a", 2), order("a", 3), order("b", 1))
	b.start(handlers(h))
	b.wantEffects("a/1", "a/2", "a/3", "b/1")
	if n := one[int](b, `SELECT attempts FROM factline.inbox WHERE event_id = 'evt_a_2'`); n != 3 {
		t.Errorf("attempts = %d, want 2 failed and 1 that worked", n)
	}
	if n := b.counter("factline_consumer_retries_total", "handler"); n != 2 {
		t.Errorf("retries counted = %v, want 2", n)
	}
}

func TestTheLastAttemptEndsInADeadLetterThatBlocksItsKeyAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	h, attempts := failing("evt_a_2", 1000, func(int64) error { return errors.New("cannot add lines") })
	b.send(order("a", 1), order("a", 2), order("a", 3), order("b", 1), order("a", 4))
	b.start(handlers(h))
	b.wantEffects("a/1", "b/1")
	b.wantHeld("a/3 BLOCKED", "a/4 BLOCKED")
	d := b.deadLetter()
	if d.ErrorClass != consumer.HandlerFailed || d.AttemptCount != 5 || !strings.Contains(d.ErrorMessage, "cannot add lines") {
		t.Errorf("dead letter = %+v, want HANDLER_FAILED after 5 attempts", d)
	}
	if n := attempts.Load(); n != 6 {
		t.Errorf("handler ran %d times, want once in the chunk and 5 attempts", n)
	}
	if state := one[string](b, `SELECT state FROM factline.inbox WHERE event_id = 'evt_a_2'`); state != "DEAD" {
		t.Errorf("inbox state = %s, want DEAD", state)
	}
}

func TestAttemptsAreNotForgottenByARestart(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	h, attempts := failing("evt_a_1", 1000, func(int64) error { return errors.New("broken") })
	slow := func(c *consumer.Config) {
		handlers(h)(c)
		c.BackoffMin, c.BackoffMax = time.Hour, time.Hour
	}
	b.send(order("a", 1))
	for want := 1; want <= 4; want++ {
		stop := b.start(slow)
		b.await("the attempt being counted", func() (bool, any) {
			n := query[int](b, `SELECT attempts FROM factline.inbox`)
			return len(n) == 1 && n[0] == want, n
		})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	b.start(slow)
	if d := b.deadLetter(); d.AttemptCount != 5 {
		t.Errorf("attempts = %d, want 5 over five runs", d.AttemptCount)
	}
	if n := attempts.Load(); n != 10 {
		t.Errorf("handler ran %d times, want twice a run", n)
	}
}

func TestOutcomesOfAHandler(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fail    error
		class   consumer.Class
		tries   int
		message string
	}{
		{"a permanent error is given up after one attempt", consumer.Permanent(errors.New("no such offer")), consumer.HandlerFailed, 1, "no such offer"},
		{"a wrapped permanent error too", fmt.Errorf("load: %w", consumer.Permanent(errors.New("no such offer"))), consumer.HandlerFailed, 1, "load: no such offer"},
		{"a dependency that stays away is classed as such", consumer.RetryAfter(time.Millisecond, errors.New("503")), consumer.DependencyExhausted, 5, "503"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			h, _ := failing("evt_a_1", 1000, func(int64) error { return tt.fail })
			b.send(order("a", 1), order("b", 1))
			b.start(handlers(h))
			b.wantEffects("b/1")
			d := b.deadLetter()
			if d.ErrorClass != tt.class || d.AttemptCount != tt.tries || !strings.Contains(d.ErrorMessage, tt.message) {
				t.Errorf("dead letter = %s after %d: %q, want %s after %d: %q", d.ErrorClass, d.AttemptCount, d.ErrorMessage, tt.class, tt.tries, tt.message)
			}
		})
	}
}

func TestAPanicIsAFailureWithItsStack(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	h, _ := failing("evt_a_1", 1000, func(int64) error { panic("index out of range") })
	b.send(order("a", 1), order("b", 1))
	b.start(handlers(h))
	b.wantEffects("b/1")
	d := b.deadLetter()
	if d.ErrorClass != consumer.HandlerFailed || d.AttemptCount != 5 {
		t.Errorf("dead letter = %s after %d, want HANDLER_FAILED after 5", d.ErrorClass, d.AttemptCount)
	}
	if !strings.Contains(d.ErrorMessage, "index out of range") || !strings.Contains(d.ErrorMessage, "failure_test.go") {
		t.Errorf("message = %q, want the panic and where it was", d.ErrorMessage)
	}
}

func TestARejectionCommitsAsAResult(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(order("a", 1), order("a", 2))
	b.start(handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if err := record(ctx, tx, m); err != nil || m.AggregateVersion != 1 {
			return err
		}
		err := b.outbox.Append(ctx, tx, outbox.Event{Type: "ProjectionRefused", AggregateID: "p_1", Payload: map[string]any{"reason": "closed"}})
		return errors.Join(err, consumer.Rejected(errors.New("quote is closed")))
	}))
	b.wantEffects("a/1", "a/2")
	if state := one[string](b, `SELECT state FROM factline.inbox WHERE event_id = 'evt_a_1'`); state != "REJECTED" {
		t.Errorf("inbox state = %s, want REJECTED", state)
	}
	value := one[[]byte](b, `SELECT value FROM factline.outbox_event WHERE event_type = 'ProjectionRefused'`)
	e, err := envelope.DecodeRaw(value)
	if err != nil {
		t.Fatal(err)
	}
	if e.CausationID != "evt_a_1" || e.CorrelationID != "corr_1" || e.TenantID != "acme" || e.TraceID != traceparent[3:35] {
		t.Errorf("appended event = %+v, want the handled event as its cause", e)
	}
	if n := b.counter("factline_consumer_events_total", "rejected"); n != 1 {
		t.Errorf("rejected counted = %v, want 1", n)
	}
}

func TestWhatTheDatabaseDoesIsNoFailureOfAHandler(t *testing.T) {
	t.Parallel()
	raise := func(code string) func(context.Context, pgx.Tx) error {
		return func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, fmt.Sprintf(`DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '%s'; END $$`, code))
			return err
		}
	}
	for _, tt := range []struct {
		name   string
		inject func(context.Context, pgx.Tx) error
	}{
		{"a serialization failure", raise("40001")},
		{"a deadlock", raise("40P01")},
		{"a server that shuts down", raise("57P01")},
		{"a full disk", raise("53100")},
		{"a cancelled context", func(context.Context, pgx.Tx) error { return fmt.Errorf("ask: %w", context.Canceled) }},
		{"a connection that is cut", func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			var runs atomic.Int64
			b.send(order("a", 1), order("a", 2))
			b.start(func(c *consumer.Config) {
				c.InPlaceAttempts = 1 // a single counted attempt would end in a dead letter
				handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
					if err := record(ctx, tx, m); err != nil {
						return err
					}
					if m.EventID == "evt_a_1" && runs.Add(1) <= 3 {
						return tt.inject(ctx, tx)
					}
					return nil
				})(c)
			})
			b.wantEffects("a/1", "a/2")
			if n := one[int](b, `SELECT attempts FROM factline.inbox WHERE event_id = 'evt_a_1'`); n != 1 {
				t.Errorf("attempts = %d, want 1: nothing was the handler's fault", n)
			}
			if n := one[int64](b, `SELECT count(*) FROM factline.dead_letter`); n != 0 {
				t.Errorf("%d dead letters, want none", n)
			}
		})
	}
}

func TestTheHandlersOwnDeadlineIsItsFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(order("a", 1), order("b", 1))
	b.start(func(c *consumer.Config) {
		c.InPlaceAttempts = 2
		handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			if m.AggregateID == "b" {
				return record(ctx, tx, m)
			}
			short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
			defer cancel()
			_, err := tx.Exec(short, `SELECT pg_sleep(60)`)
			return err
		})(c)
	})
	b.wantEffects("b/1")
	if d := b.deadLetter(); d.ErrorClass != consumer.HandlerFailed || d.AttemptCount != 2 {
		t.Errorf("dead letter = %s after %d, want HANDLER_FAILED after 2", d.ErrorClass, d.AttemptCount)
	}
}

func TestAnErrorThatTheHandlerSwallowedShowsAtTheCommit(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(order("a", 1), order("b", 1))
	b.start(func(c *consumer.Config) {
		c.InPlaceAttempts = 2
		handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			if m.AggregateID == "a" {
				_, _ = tx.Exec(ctx, `SELECT 1/0`)
				return nil
			}
			return record(ctx, tx, m)
		})(c)
	})
	b.wantEffects("b/1")
	if d := b.deadLetter(); d.EventID != "evt_a_1" {
		t.Errorf("dead letter is %s, want evt_a_1", d.EventID)
	}
}

func TestAPartitionThatBacksOffHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	stuck := b.recordOf(order("a", 1))
	other := b.recordOf(order("b", 1))
	other.Partition = 1
	b.sendRecords(stuck)
	h, attempts := failing("evt_a_1", 1000, func(int64) error { return consumer.RetryAfter(time.Hour, errors.New("closed until morning")) })
	b.start(func(c *consumer.Config) {
		handlers(h)(c)
		c.MaxConcurrentChunks, c.MaxChunkRecords, c.MaxQueuedRecords = 1, 1, 1
	})
	b.await("the first attempt", func() (bool, any) { return attempts.Load() >= 2, attempts.Load() })
	b.sendRecords(b.recordOf(order("a", 2)), b.recordOf(order("a", 3)), other)
	b.wantEffects("b/1")
}

// The commit of a chunk without an event to handle used to be blamed on one,
// and the runner fell over looking for it.
func TestACommitThatFailsWithNothingHandledIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.send(order("a", 1))
	b.wantNext(1)
	exec := func(sql string) {
		t.Helper()
		if _, err := b.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$`)
	exec(`CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON factline.consumer_offset
		DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.refuse()`)
	b.send(order("a", 1)) // a duplicate
	b.await("the commit failing twice", func() (bool, any) {
		n := b.counter("factline_consumer_retries_total", "transient")
		return n >= 2, n
	})
	exec(`DROP TRIGGER refuse ON factline.consumer_offset`)
	b.wantNext(2)
	b.wantEffects("a/1")
}
