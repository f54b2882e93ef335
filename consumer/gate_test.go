package consumer_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
)

func TestAMissingVersionHoldsTheLaterOnes(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.send(order("a", 1), order("a", 3), order("a", 4), order("b", 1))
	b.wantEffects("a/1", "b/1")
	b.wantHeld("a/3 GAP", "a/4 GAP")
	b.wantCommitted(4)
	b.send(order("a", 2))
	b.wantEffects("a/1", "b/1", "a/2", "a/3", "a/4")
	b.wantHeld()
	b.send(order("a", 3), order("a", 5))
	b.wantEffects("a/1", "b/1", "a/2", "a/3", "a/4", "a/5")
}

func TestASecondEventWithATakenVersionIsHeldAndBlocksItsKey(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.send(order("a", 1), order("a", 2), func() envelope.Raw { e := order("a", 2); e.EventID = "evt_other"; return e }(), order("a", 3), order("b", 1))
	b.wantEffects("a/1", "a/2", "b/1")
	b.wantHeld("a/2 CONFLICT", "a/3 BLOCKED")
	if class := one[string](b, `SELECT error_class FROM factline.dead_letter`); class != "VERSION_CONFLICT" {
		t.Errorf("error class = %s, want VERSION_CONFLICT", class)
	}
}

func TestADuplicateIsKnownByItsVersionAfterItsInboxRowExpired(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.send(order("a", 1), order("a", 2))
	b.wantEffects("a/1", "a/2")
	if _, err := b.pool.Exec(t.Context(), `DELETE FROM factline.inbox`); err != nil {
		t.Fatal(err)
	}
	b.send(order("a", 1), order("a", 2), order("a", 3))
	b.wantNext(5)
	b.wantEffects("a/1", "a/2", "a/3")
	b.wantHeld()
}

// The records are handed over as fetched, because the client that would send them
// counts nanoseconds and knows no time after 2262.
func TestExtremeTimestampsAndMissingKeysDoNoHarm(t *testing.T) {
	t.Parallel()
	const lastMillis = 253402300799000 // of the year 9999, as far as the database is asked to go
	for _, tt := range []struct {
		name         string
		millis, want int64
	}{
		{"before 1970", -5, -5},
		{"the year 9999", lastMillis, lastMillis},
		{"far beyond any calendar", 1 << 55, lastMillis},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			late := b.recordOf(order("a", 2))
			late.Key, late.Timestamp = nil, time.UnixMilli(tt.millis)
			b.handleAlone(late)
			b.wantHeld("a/2 GAP") // stored with its time
			if one[bool](b, `SELECT record_key IS NOT NULL FROM factline.held_event`) {
				t.Error("the missing key became an empty one")
			}
			if at := one[time.Time](b, `SELECT record_time FROM factline.held_event`); at.UnixMilli() != tt.want {
				t.Errorf("record time = %s, want %s", at, time.UnixMilli(tt.want))
			}
			b.handleAlone(late, b.recordOf(order("a", 1)))
			b.wantEffects("a/1", "a/2")
		})
	}
}

func TestTypesWithoutHandlerAdvanceTheGate(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	ignored := bad(order("a", 2)) // nobody checks what nobody handles
	ignored.EventType = "OrderNoted"
	b.send(order("a", 1), ignored, order("a", 3))
	b.wantEffects("a/1", "a/3")
}

func TestWhereTheLogWasCutTheFirstVersionSeenIsTheBaseline(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(order("a", 1), order("a", 2), order("a", 3), order("a", 4))
	b.deleteRecords(2)
	b.start(nil)
	b.send(order("b", 2))
	b.wantEffects("a/3", "a/4", "b/2")
	if ids := query[string](b, `SELECT aggregate_id FROM factline.gate WHERE is_baseline ORDER BY 1`); len(ids) != 2 {
		t.Errorf("baselines = %v, want a and b", ids)
	}
}

func TestUnorderedAppliesEachIDOnceWhateverItsVersion(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(func(c *consumer.Config) { c.Subscriptions[0].Mode = consumer.Unordered })
	b.send(order("a", 3), order("a", 1), order("a", 3))
	b.wantEffects("a/3", "a/1")
	b.send(order("a", 1), bad(order("a", 2)), order("a", 4))
	b.wantEffects("a/3", "a/1", "a/4")
	if n := one[int64](b, `SELECT count(*) FROM factline.blocked_key`); n != 0 {
		t.Errorf("%d keys are blocked, want none in an unordered group", n)
	}
	if n := one[int64](b, `SELECT count(*) FROM factline.dead_letter`); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

// A record without effect needs no transaction of its own, but its offset must
// reach the database: alone after a while, else with the next that matters.
func TestUnorderedPassesOverWhatItDoesNotHandle(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	unordered := func(c *consumer.Config) { c.Subscriptions[0].Mode = consumer.Unordered }
	stop := b.start(unordered)
	other := func(version int64) envelope.Raw {
		e := order("a", version)
		e.EventType = "OrderAudited"
		return e
	}
	for version := range int64(20) {
		b.send(other(version + 1))
	}
	b.wantNext(20)
	if n := b.counter("factline_consumer_events_total", "advanced", "other"); n != 20 {
		t.Errorf("%v events are counted as advanced, want 20", n)
	}
	if n := b.counter("factline_consumer_chunk_records"); n != 0 {
		t.Errorf("%v transactions took records that mean nothing, want none", n)
	}
	b.send(other(21), order("a", 22), other(23))
	b.wantEffects("a/22")
	b.wantNext(23)
	b.wantCommitted(23)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.start(unordered)
	b.send(order("a", 24))
	b.wantEffects("a/22", "a/24")
}

// Behind a member that died records are handled one by one, and those without
// effect have none of their own that would bring their offset along.
func TestWhatIsPassedOverAfterADeathIsStored(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	unordered := func(c *consumer.Config) { c.Subscriptions[0].Mode = consumer.Unordered }
	stop := b.start(unordered)
	b.send(order("a", 1))
	b.wantNext(1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), `UPDATE factline.consumer_offset SET member = 'died'`); err != nil {
		t.Fatal(err)
	}
	b.start(unordered)
	other := order("a", 2)
	other.EventType = "OrderAudited"
	b.send(other)
	b.wantNext(2)
}

// In a backlog of records without effect there is no quiet moment, and a
// partition may be given back right behind them: the offset is stored all the same.
func TestWhatWasPassedOverIsStoredBeforeThePartitionIsGivenBack(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	stop := b.start(func(c *consumer.Config) { c.Subscriptions[0].Mode = consumer.Unordered })
	b.send(order("a", 1))
	b.wantEffects("a/1")
	e := order("a", 2)
	e.EventType = "OrderAudited"
	b.send(e)
	b.await("the event counted", func() (bool, any) {
		n := b.counter("factline_consumer_events_total", "advanced", "other")
		return n == 1, n
	})
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if next := one[int64](b, `SELECT next_offset FROM factline.consumer_offset`); next != 2 {
		t.Errorf("the database knows offset %d after the stop, want 2", next)
	}
}

// The inbox has its own way to plan; a handler must find its session's.
func TestHandlersPlanAsTheirSessionDoes(t *testing.T) {
	t.Parallel()
	for _, mode := range []consumer.Mode{consumer.Ordered, consumer.Unordered, consumer.Latest} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			seen := make(chan string, 1)
			own := b.pool.Config()
			own.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
				_, err := conn.Exec(ctx, `SET plan_cache_mode = force_custom_plan`)
				return err
			}
			pool, err := pgxpool.NewWithConfig(t.Context(), own)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(pool.Close)
			b.start(func(c *consumer.Config) {
				c.Pool, c.Subscriptions[0].Mode = pool, mode
				c.Subscriptions[0].Handlers = map[string]consumer.Handler{"OrderCaptured": func(ctx context.Context, tx pgx.Tx, _ consumer.Message) error {
					var plan string
					err := tx.QueryRow(ctx, `SELECT current_setting('enable_seqscan') || ' ' || current_setting('plan_cache_mode')`).Scan(&plan)
					seen <- plan
					return err
				}}
			})
			b.send(order("a", 1))
			if plan := <-seen; plan != "on force_custom_plan" {
				t.Errorf("a handler runs with %q, want its session's", plan)
			}
		})
	}
}

func TestLatestAppliesWhatIsNewerAndDeletesByTombstone(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	latest := func(c *consumer.Config) {
		c.Subscriptions[0].Mode = consumer.Latest
		c.Subscriptions[0].Handlers = map[string]consumer.Handler{"OrderCaptured": record, "": forget}
	}
	stop := b.start(latest)
	again := order("a", 5)
	again.EventID = "evt_again"
	b.send(order("a", 5), order("a", 2), again, order("a", 5))
	b.wantNext(4)
	if got := b.effects(); len(got) != 2 {
		t.Fatalf("effects = %v, want both records of version 5 once each", got)
	}
	b.sendRecords(&kgo.Record{Topic: orders, Key: []byte("a")})
	b.wantNext(5)
	if got := b.effects(); len(got) != 0 {
		t.Fatalf("effects after the tombstone = %v, want none", got)
	}
	b.send(order("a", 6))
	b.wantEffects("a/6")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.rewindGroup(0)
	b.start(latest)
	b.send(order("a", 7))
	b.wantEffects("a/6", "a/7")
}

func TestUnreadableRecordsAreDeadLettersAndBlockNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*kgo.Record)
	}{
		{"no JSON", func(r *kgo.Record) { r.Value = []byte("\xff\x00 not json") }},
		{"a tombstone on an event topic", func(r *kgo.Record) { r.Value = nil }},
		{"an envelope without eventId", func(r *kgo.Record) { r.Value = []byte(`{"eventType":"OrderCaptured"}`) }},
		{"a key beyond what an index takes", func(r *kgo.Record) { r.Key = make([]byte, 3000) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			broken := b.recordOf(order("a", 2))
			tt.change(broken)
			b.sendRecords(b.recordOf(order("a", 1)), broken, b.recordOf(order("a", 3)), b.recordOf(order("b", 1)))
			b.start(nil)
			b.wantEffects("a/1", "b/1")
			b.wantHeld("a/3 GAP")
			if n := one[int64](b, `SELECT count(*) FROM factline.blocked_key`); n != 0 {
				t.Errorf("%d keys are blocked, want none", n)
			}
			got := b.deadLetter()
			if got.ErrorClass != consumer.SchemaValidationFailed || got.EventID != "" || got.EventType != "" {
				t.Errorf("dead letter = %+v, want SCHEMA_VALIDATION_FAILED without id and type", got)
			}
			if string(got.OriginalValue) != string(broken.Value) || (got.OriginalValue == nil) != (broken.Value == nil) {
				t.Errorf("original value = %q, want %q", got.OriginalValue, broken.Value)
			}
		})
	}
}

func (b *bundle) deleteRecords(before int64) {
	b.t.Helper()
	if err := deleteRecords(b, before); err != nil {
		b.t.Fatal(err)
	}
}

func TestARewoundGroupRepeatsNoEffectAndNoDeadLetter(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	stop := b.start(nil)
	unreadable := b.recordOf(order("z", 1))
	unreadable.Value = []byte("?")
	b.sendRecords(b.recordOf(order("a", 1)), unreadable, b.recordOf(bad(order("a", 2))), b.recordOf(order("a", 3)), b.recordOf(order("b", 2)))
	b.wantNext(5)
	b.wantCommitted(5)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	before := b.snapshot()
	b.rewindGroup(0)
	b.start(nil)
	b.wantCommitted(5)
	factlinetest.Eventually(t, patient, "duplicates counted", func() (bool, error) {
		return b.counter("factline_consumer_duplicates_total") >= 1, nil
	})
	if after := b.snapshot(); after != before {
		t.Errorf("after the rewind:\n%s\nbefore:\n%s", after, before)
	}
}
