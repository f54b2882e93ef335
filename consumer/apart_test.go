package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/envelope"
)

// Before, each of many events that failed cost a few transactions of its own, and so
// did each of their retries.
func TestManyThatFailAndAreTriedAgainTakeFewTransactions(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	const n = 400
	var events []envelope.Raw
	for i := range n {
		events = append(events, order(fmt.Sprintf("o%d", i), 1))
	}
	b.send(events...)
	var healed atomic.Bool
	h := func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if !healed.Load() {
			return errors.New("not yet")
		}
		return record(ctx, tx, m)
	}
	b.start(chained(clk, h))
	waiting := func() int64 {
		return one[int64](b, `SELECT count(*) FROM factline.held_event WHERE reason = 'RETRY'`)
	}
	b.await("all of them waiting", func() (bool, any) { return waiting() == n, waiting() })
	if got := query[string](b, `SELECT DISTINCT state || ' ' || attempts FROM factline.inbox`); !slices.Equal(got, []string{"RETRYING 2"}) {
		t.Errorf("inbox = %v, want the two attempts in place of each", got)
	}
	if parked := one[int64](b, `SELECT count(DISTINCT xmin::text) FROM factline.held_event`); parked > n/4 {
		t.Errorf("%d transactions parked %d events", parked, n)
	}
	healed.Store(true)
	clk.add(time.Minute)
	b.await("all effects", func() (bool, any) { return len(b.effects()) == n, len(b.effects()) })
	if tried := one[int64](b, `SELECT count(DISTINCT xmin::text) FROM app.effect`); tried >= n { // how many go together follows how long they take
		t.Errorf("%d transactions tried %d events again", tried, n)
	}
	if got := query[string](b, `SELECT DISTINCT state || ' ' || attempts FROM factline.inbox`); !slices.Equal(got, []string{"DONE 3"}) {
		t.Errorf("inbox = %v, want one attempt more of each", got)
	}
	b.wantHeld()
}

// One run finds all that fail; what waits for them is neither tried nor blamed, and
// the effects and events of those that fail leave no trace.
func TestEventsThatFailTogetherAreToldApart(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	tried := make(map[string]int)
	h := func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		tried[m.EventID]++
		if err := record(ctx, tx, m); err != nil {
			return err
		}
		switch m.AggregateID + fmt.Sprint(m.AggregateVersion) {
		case "a2":
			_, err := tx.Exec(ctx, `SELECT 1 / 0`) // which aborts the transaction
			return err
		case "c1":
			panic("no such offer")
		case "d1":
			return consumer.Permanent(errors.New("no such offer"))
		}
		return nil
	}
	b.send(order("a", 1), order("a", 2), order("a", 3), order("b", 1), order("c", 1), order("c", 2), order("d", 1), order("e", 1))
	stop := b.start(with(chained(clk, h), func(c *consumer.Config) { c.MaxPartitionChunks = 1 }))
	b.wantEffects("a/1", "b/1", "e/1")
	b.wantHeld("a/2 RETRY", "a/3 BLOCKED", "c/1 RETRY", "c/2 BLOCKED")
	if d := b.deadLetter(); d.EventID != "evt_d_1" || d.AttemptCount != 1 {
		t.Errorf("dead letter = %s after %d, want evt_d_1 after 1", d.EventID, d.AttemptCount)
	}
	got := query[string](b, `SELECT event_id || ' ' || state || ' ' || attempts FROM factline.inbox WHERE state = 'RETRYING' ORDER BY 1`)
	if want := []string{"evt_a_2 RETRYING 2", "evt_c_1 RETRYING 2"}; !slices.Equal(got, want) {
		t.Errorf("inbox = %v, want %v", got, want)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if tried["evt_a_3"]+tried["evt_c_2"] != 0 {
		t.Errorf("attempts = %v, want none of what waits behind a failure", tried)
	}
}

// signing makes effects of which b's shows at the commit alone that it cannot be.
func (b *bundle) signing() consumer.Handler {
	b.t.Helper()
	for _, sql := range []string{
		`CREATE TABLE app.customer (id text PRIMARY KEY)`,
		`CREATE TABLE app.signed (customer text REFERENCES app.customer DEFERRABLE INITIALLY DEFERRED)`,
		`INSERT INTO app.customer VALUES ('a'), ('c')`,
	} {
		if _, err := b.pool.Exec(b.t.Context(), sql); err != nil {
			b.t.Fatal(err)
		}
	}
	return func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if _, err := tx.Exec(ctx, `INSERT INTO app.signed VALUES ($1)`, m.AggregateID); err != nil {
			return err
		}
		return record(ctx, tx, m)
	}
}

// A failure that shows at the commit alone names nobody: each event is then tried in
// a transaction of its own.
func TestAFailureAtTheCommitFindsItsEvent(t *testing.T) {
	t.Parallel()
	b, clk := setup(t, 1), newClock()
	b.send(order("a", 1), order("b", 1), order("c", 1))
	b.start(chained(clk, b.signing()))
	b.wantEffects("a/1", "c/1")
	b.wantHeld("b/1 RETRY")
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO app.customer VALUES ('b')`); err != nil {
		t.Fatal(err)
	}
	clk.add(time.Minute)
	b.wantEffects("a/1", "c/1", "b/1")
}

// Before, what was known of the others was forgotten with the commit that failed: they
// were counted once more, or taken for what had ended the process.
func TestAFailureAtTheCommitForgetsNoOther(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("tried again: %t", again), func(t *testing.T) {
			t.Parallel()
			b, clk := setup(t, 1), newClock()
			var tried atomic.Bool
			tried.Store(!again)
			sign := b.signing()
			b.send(order("a", 1), order("b", 1), order("c", 1), order("d", 1), order("e", 1))
			b.start(with(chained(clk, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
				switch {
				case !tried.Load():
					return errors.New("not yet")
				case m.AggregateID == "d":
					return consumer.Permanent(errors.New("no such offer"))
				case m.AggregateID == "e":
					return consumer.RetryAfter(time.Hour, errors.New("closed"))
				}
				return sign(ctx, tx, m)
			}), func(c *consumer.Config) { c.InPlaceAttempts = 1 }))
			want := 1
			if again {
				b.wantHeld("a/1 RETRY", "b/1 RETRY", "c/1 RETRY", "d/1 RETRY", "e/1 RETRY")
				tried.Store(true)
				clk.add(time.Minute)
				want = 2
			}
			b.wantEffects("a/1", "c/1")
			b.wantAttempts("evt_b_1", want)
			b.wantAttempts("evt_e_1", want)
			if d := b.deadLetter(); d.EventID != "evt_d_1" || d.AttemptCount != want || d.ErrorMessage != "no such offer" {
				t.Errorf("dead letter = %s after %d for %q, want evt_d_1 after %d for what its handler said", d.EventID, d.AttemptCount, d.ErrorMessage, want)
			}
			if due := one[time.Time](b, `SELECT due_at FROM factline.held_event WHERE event_id = 'evt_e_1'`); due.Sub(clk.now()) != time.Hour {
				t.Errorf("e is due in %s, want the hour that it asked for", due.Sub(clk.now()))
			}
		})
	}
}

// Before, all that was held behind a record went with it, up to 200 events a key.
func TestFewOfWhatIsHeldAreToldApartTogether(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	cfg := b.cfg
	handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.AggregateID == "b" {
			return consumer.Permanent(errors.New("no such offer"))
		}
		return record(ctx, tx, m)
	})(&cfg)
	runner, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	held := b.hotRecords("acme", 2, 150)
	for i, r := range held {
		r.Offset = int64(i)
	}
	o, err := runner.Own(t.Context(), orders, map[int32][]*kgo.Record{0: held})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Handle(0); err != nil {
		t.Fatal(err)
	}
	fails, first := b.recordOf(order("b", 1)), b.recordOf(order("hot", 1))
	fails.Offset, first.Offset = 149, 150
	o.Enqueue(0, []*kgo.Record{fails, first})
	for range 2 {
		if err := o.Handle(0); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(b.effects()); n != 150 {
		t.Errorf("%d effects, want 150", n)
	}
	if n := one[int64](b, `SELECT count(*) FROM factline.inbox WHERE state = 'DONE' AND xmin = (SELECT xmin FROM factline.inbox WHERE event_id = 'evt_b_1')`); n > 65 {
		t.Errorf("%d events went with the one that failed, want 64 at most and their record", n)
	}
}
