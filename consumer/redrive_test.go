package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/contract"
	"factline.dev/inbox"
)

const retryTopic = "oms.order.events.retry.1m.v1"

// healing is a handler that gives up event id until it is healed.
func healing(id string) (consumer.Handler, *atomic.Bool) {
	var healed atomic.Bool
	return func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.EventID == id && !healed.Load() {
			return consumer.Permanent(errors.New("no such offer"))
		}
		return record(ctx, tx, m)
	}, &healed
}

// redrive asks a group to try a dead letter again.
func (b *bundle) redrive(id, letter, toGroup string) {
	b.t.Helper()
	b.sendRecords(&kgo.Record{Topic: retryTopic, Key: []byte("a"), Value: []byte(`{}`), Headers: []kgo.RecordHeader{
		{Key: consumer.HeaderRetryGroup, Value: []byte(toGroup)},
		{Key: consumer.HeaderRedriveID, Value: []byte(id)},
		{Key: consumer.HeaderDeadLetterID, Value: []byte(letter)},
	}})
}

func (b *bundle) letter() string {
	b.t.Helper()
	var id []string
	b.await("an open dead letter", func() (bool, any) {
		id = query[string](b, `SELECT dead_letter_id FROM factline.dead_letter WHERE state = 'OPEN'`)
		return len(id) == 1, id
	})
	return id[0]
}

func (b *bundle) wantLetter(state string, attempts int) {
	b.t.Helper()
	b.await("the dead letter's state "+state, func() (bool, any) {
		got := query[string](b, `SELECT state || ' ' || attempts || ' ' || (closed_at IS NOT NULL) FROM factline.dead_letter`)
		text, _ := json.Marshal(got)
		return len(got) == 1 && got[0] == state+" "+string(rune('0'+attempts))+" "+fmt.Sprint(state != "OPEN" && state != "REDRIVEN"), string(text)
	})
}

// wantIgnored waits until so many redrives are ignored.
func (b *bundle) wantIgnored(n float64) {
	b.t.Helper()
	b.await("redrives ignored", func() (bool, any) {
		got := b.counter("factline_consumer_redrives_total", "ignored")
		return got == n, got
	})
}

func TestARedriveAppliesADeadLetterAndThenWhatWaitedBehindIt(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	h, healed := healing("evt_a_2")
	b.send(order("a", 1), order("a", 2), order("a", 3), order("a", 4), order("b", 1))
	b.start(chained(newClock(), h))
	id := b.letter()
	b.wantEffects("a/1", "b/1")
	b.wantHeld("a/3 BLOCKED", "a/4 BLOCKED")
	healed.Store(true)
	b.redrive("r_1", id, group)
	b.wantEffects("a/1", "b/1", "a/2", "a/3", "a/4")
	b.wantHeld()
	b.wantLetter("APPLIED", 1)
	if state := one[string](b, `SELECT state || ' ' || attempts FROM factline.inbox WHERE event_id = 'evt_a_2'`); state != "DONE 2" {
		t.Errorf("inbox = %s, want DONE after 2 attempts", state)
	}
	if n := one[int64](b, `SELECT count(*) FROM factline.blocked_key`); n != 0 {
		t.Errorf("%d keys blocked, want none", n)
	}
	b.redrive("r_1", id, group) // the same again, and another: it is settled
	b.redrive("r_2", id, group)
	b.wantIgnored(2)
	if n := one[int64](b, `SELECT count(*) FROM app.effect`); n != 5 {
		t.Errorf("%d effects, want each once", n)
	}
}

func TestARedriveThatFailsOpensTheDeadLetterAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	h, healed := healing("evt_a_2")
	b.send(order("a", 1), order("a", 2), order("a", 3))
	b.start(chained(newClock(), h))
	id := b.letter()
	b.redrive("r_1", id, group)
	b.wantLetter("OPEN", 2)
	b.wantHeld("a/3 BLOCKED")
	if by := one[string](b, `SELECT reason || ' ' || dead_letter_id FROM factline.blocked_key`); by != "HANDLER_FAILED "+id {
		t.Errorf("blocked by %s, want the dead letter %s again", by, id)
	}
	values := query[[]byte](b, `SELECT value FROM factline.outbox_event WHERE topic = 'oms.order.events.dlt.v1' ORDER BY position`)
	var again consumer.DeadLetter
	if len(values) != 2 || json.Unmarshal(values[1], &again) != nil {
		t.Fatalf("%d records on the dead-letter topic, want a second one", len(values))
	}
	if again.ID != id || again.RedriveID != "r_1" || again.AttemptCount != 2 || !again.Blocks {
		t.Errorf("letter = %+v, want the same one after two attempts and its redrive", again)
	}
	b.redrive("r_1", id, group) // a repeated delivery
	b.wantIgnored(1)
	healed.Store(true)
	b.redrive("r_2", id, group)
	b.wantEffects("a/1", "a/2", "a/3")
	b.wantLetter("APPLIED", 2)
}

func TestARedriveIsForItsGroupAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	h, healed := healing("evt_a_1")
	b.send(order("a", 1))
	b.start(chained(newClock(), h))
	id := b.letter()
	healed.Store(true)
	b.redrive("r_1", id, "order-service.orders.consumer")
	b.redrive("r_2", "dlt_unknown", group)
	b.wantIgnored(1)
	b.wantLetter("OPEN", 1)
	if n := b.counter("factline_consumer_redrives_total", "taken"); n != 0 {
		t.Errorf("%v redrives taken, want none", n)
	}
}

// Before, an id that PostgreSQL refuses was tried for ever, and no redrive of the
// partition behind it was taken.
func TestARedriveWithIDsThatNoDatabaseTakesStopsNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	h, healed := healing("evt_a_1")
	b.send(order("a", 1))
	b.start(chained(newClock(), h))
	id := b.letter()
	healed.Store(true)
	for _, wrong := range []string{"r\x00", "r\xff", strings.Repeat("r", 256)} {
		b.redrive(wrong, id, group)
		b.redrive("r_0", wrong, group)
	}
	b.redrive(strings.Repeat("r", 255), id, group)
	b.wantEffects("a/1")
	b.wantLetter("APPLIED", 1)
	b.wantIgnored(6)
}

// tiered is rules whose topic has a retry chain.
type tiered struct{ rules }

func (tiered) Topic(name string) (*contract.Topic, bool) {
	return &contract.Topic{Name: name, OnDeadLetter: "block", RetryTiers: []string{"15m", "1m"}}, name == orders
}

// Before, a subscription with tiers of its own, or without any, never saw the
// redrives that operators sent by the contract.
func TestRedrivesComeByTheContractsRetryTopicWhateverTheTiers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		tiers []time.Duration
	}{
		{"the contract's tiers", nil},
		{"tiers of the subscription's own", []time.Duration{5 * time.Minute}},
		{"no tiers at all", []time.Duration{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			b.kafka.CreateTopic(t, retryTopic, 1, nil)
			h, healed := healing("evt_a_1")
			b.send(order("a", 1))
			b.start(with(chained(newClock(), h), func(c *consumer.Config) {
				c.Contracts, c.Subscriptions[0].RetryTiers = tiered{}, tt.tiers
			}))
			id := b.letter()
			healed.Store(true)
			b.redrive("r_1", id, group)
			b.wantEffects("a/1")
			b.wantLetter("APPLIED", 1)
		})
	}
}

// A record that merely shows what waits asks for nothing.
func TestRecordsOfTheChainAreNoRedrives(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	b.start(chained(newClock(), record))
	shown := b.recordOf(order("z", 1))
	shown.Topic = retryTopic
	shown.Headers = append(shown.Headers, kgo.RecordHeader{Key: consumer.HeaderRetryGroup, Value: []byte(group)})
	b.sendRecords(shown)
	b.send(order("a", 1))
	b.wantEffects("a/1")
	b.await("the retry topic passed over", func() (bool, any) {
		at := query[int64](b, `SELECT next_offset FROM factline.consumer_offset WHERE topic = $1`, retryTopic)
		return slices.Equal(at, []int64{1}), at
	})
	b.wantEffects("a/1")
}

func TestARedriveOfAnEventWhoseVersionsAreMissingWaitsForThem(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	contracts := &healable{}
	b.send(order("a", 1), bad(order("a", 3)), order("a", 4))
	b.start(with(chained(newClock(), record), func(c *consumer.Config) { c.Contracts = contracts }))
	id := b.letter()
	b.wantHeld("a/4 BLOCKED")
	contracts.healed.Store(true)
	b.redrive("r_1", id, group)
	b.wantHeld("a/3 GAP", "a/4 GAP")
	b.wantLetter("REDRIVEN", 1)
	b.send(order("a", 2))
	b.wantEffects("a/1", "a/2", "a/3", "a/4")
	b.wantLetter("APPLIED", 1)
}

func TestRedrivesWithoutAKeyThatWaits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*consumer.Config)
	}{
		{"unordered", mode(consumer.Unordered)},
		{"where the contract continues", func(c *consumer.Config) { c.Contracts = continuing{} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			b.kafka.CreateTopic(t, retryTopic, 1, nil)
			h, healed := healing("evt_a_1")
			b.send(order("a", 1), order("a", 2))
			b.start(with(chained(newClock(), h), tt.change))
			id := b.letter()
			b.wantEffects("a/2")
			b.redrive("r_1", id, group)
			b.wantLetter("OPEN", 2)
			healed.Store(true)
			b.redrive("r_2", id, group)
			b.wantEffects("a/2", "a/1")
			b.wantLetter("APPLIED", 2)
			b.send(order("a", 3))
			b.wantEffects("a/2", "a/1", "a/3")
		})
	}
}

// Before, the first of two redrives of a key left the second as a block, and new
// events of the key waited although the contract lets them go on.
func TestTwoRedrivesOfAKeyBlockNothingWhereTheContractContinues(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	var healed atomic.Bool
	h := func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.AggregateVersion < 3 && !healed.Load() {
			return consumer.Permanent(errors.New("no such offer"))
		}
		return record(ctx, tx, m)
	}
	going := with(chained(newClock(), h), func(c *consumer.Config) { c.Contracts = continuing{} })
	b.send(order("a", 1), order("a", 2), order("a", 3))
	stop := b.start(going)
	b.wantEffects("a/3")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for i, id := range query[string](b, `SELECT dead_letter_id FROM factline.dead_letter ORDER BY "offset"`) {
		if _, err := inbox.TakeRedrives(t.Context(), b.pool, group, newClock().now(), inbox.Redrive{ID: fmt.Sprintf("r_%d", i), DeadLetterID: id}); err != nil {
			t.Fatal(err)
		}
	}
	b.wantHeld("a/1 RETRY", "a/2 RETRY")
	healed.Store(true)
	cfg := b.cfg
	cfg.Subscriptions, cfg.Registerer = slices.Clone(cfg.Subscriptions), nil
	going(&cfg)
	runner, err := consumer.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.TryAgain(t.Context(), orders, 0, 0); err != nil {
		t.Fatal(err)
	}
	b.wantEffects("a/3", "a/1")
	if by := query[string](b, `SELECT event_id FROM factline.blocked_key`); len(by) != 0 {
		t.Errorf("the key is blocked by %v, want by nothing", by)
	}
	b.start(going)
	b.wantEffects("a/3", "a/1", "a/2")
}

func TestARedriveGivesWayToALaterRecordOfItsVersion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, poison string
		want         []string
		state        string
	}{
		{"a redrive of the first leaves the last", "evt_first", []string{"evt_last"}, "SUPERSEDED"},
		{"a redrive of the last takes the place of the first", "evt_last", []string{"evt_first", "evt_last"}, "APPLIED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			b.kafka.CreateTopic(t, retryTopic, 1, nil)
			h, healed := healing(tt.poison)
			first, last := order("a", 5), order("a", 5)
			first.EventID, last.EventID = "evt_first", "evt_last"
			b.send(first, last)
			b.start(with(chained(newClock(), h), mode(consumer.Latest)))
			b.wantCommitted(2)
			id := b.letter()
			healed.Store(true)
			b.redrive("r_1", id, group)
			b.wantLetter(tt.state, 1)
			if got := query[string](b, `SELECT event_id FROM app.effect ORDER BY seq`); !slices.Equal(got, tt.want) {
				t.Errorf("effects = %v, want %v", got, tt.want)
			}
		})
	}
}

// Before, the handler of a redrive was shown the time of the failure.
func TestARedriveShowsTheRecordsOwnTime(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	fails, healed := healing("evt_a_1")
	var seen []time.Time
	h := func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		seen = append(seen, m.RecordTime)
		return fails(ctx, tx, m)
	}
	b.send(order("a", 1))
	stop := b.start(chained(newClock(), h))
	id := b.letter()
	healed.Store(true)
	b.redrive("r_1", id, group)
	b.wantEffects("a/1")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if first, last := seen[0], seen[len(seen)-1]; len(seen) < 2 || !first.Equal(last) {
		t.Errorf("the handler saw %v, want one time", seen)
	}
}

// Before, a redrive brought back a key that its producer had deleted since.
func TestADeadLetterOfADeletedKeyIsSuperseded(t *testing.T) {
	t.Parallel()
	tombstone := func(b *bundle, key string) {
		b.sendRecords(&kgo.Record{Topic: orders, Key: []byte(key)})
	}
	for _, tt := range []struct {
		name string
		send func(b *bundle)
	}{
		{"deleted in the chunk that gave it up", func(b *bundle) {
			b.sendRecords(b.recordOf(order("a", 5)), b.recordOf(order("a", 6)), &kgo.Record{Topic: orders, Key: []byte("a")})
		}},
		{"deleted later", func(b *bundle) {
			b.send(order("a", 5), order("a", 6))
			b.letter()
			tombstone(b, "a")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			b.kafka.CreateTopic(t, retryTopic, 1, nil)
			h, healed := healing("evt_a_6")
			b.start(with(chained(newClock(), h), mode(consumer.Latest), func(c *consumer.Config) {
				c.Subscriptions[0].Handlers = map[string]consumer.Handler{"OrderCaptured": h, "": forget}
			}))
			tt.send(b)
			b.wantLetter("SUPERSEDED", 1)
			healed.Store(true)
			b.redrive("r_1", one[string](b, `SELECT dead_letter_id FROM factline.dead_letter`), group)
			b.wantIgnored(1)
			b.send(order("a", 7)) // the key's producer may make it anew
			b.wantEffects("a/7")
		})
	}
	t.Run("not what came behind the tombstone, and no other key", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.kafka.CreateTopic(t, retryTopic, 1, nil)
		h, healed := healing("evt_a_6")
		b.start(with(chained(newClock(), h), mode(consumer.Latest), func(c *consumer.Config) {
			c.Subscriptions[0].Handlers = map[string]consumer.Handler{"OrderCaptured": h, "": forget}
		}))
		b.send(order("a", 5))
		tombstone(b, "a")
		b.send(order("a", 6))
		tombstone(b, "b")
		b.wantCommitted(4)
		b.wantLetter("OPEN", 1)
		healed.Store(true)
		b.redrive("r_1", b.letter(), group)
		b.wantEffects("a/6")
		b.wantLetter("APPLIED", 1)
	})
}

func TestARedriveSurvivesARestartBeforeItsAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	h, healed := healing("evt_a_1")
	b.send(order("a", 1), order("a", 2))
	stop := b.start(chained(newClock(), h))
	id := b.letter()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	healed.Store(true)
	if _, err := inbox.TakeRedrives(t.Context(), b.pool, group, newClock().now(), inbox.Redrive{ID: "r_1", DeadLetterID: id}); err != nil {
		t.Fatal(err)
	}
	b.wantLetter("REDRIVEN", 1)
	b.start(chained(newClock(), h))
	b.wantEffects("a/1", "a/2")
	b.wantLetter("APPLIED", 1)
}

// What expired on a retry topic is no loss: it showed what waited, or asked for
// something long ago.
func TestARetryTopicThatExpiredStopsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, retryTopic, 1, nil)
	h, healed := healing("evt_a_1")
	b.send(order("a", 1))
	stop := b.start(chained(newClock(), h))
	id := b.letter()
	b.redrive("r_0", "dlt_unknown", group)
	b.wantIgnored(1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b.redrive("r_1", "dlt_unknown", group)
	b.redrive("r_2", "dlt_unknown", group)
	offsets := make(kadm.Offsets)
	offsets.Add(kadm.Offset{Topic: retryTopic, Partition: 0, At: 3})
	if _, err := kadm.NewClient(b.client).DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}
	healed.Store(true)
	b.redrive("r_3", id, group)
	b.start(chained(newClock(), h))
	b.wantEffects("a/1")
	b.wantLetter("APPLIED", 1)
	b.await("the retry topic's offset", func() (bool, any) {
		at := query[int64](b, `SELECT next_offset FROM factline.consumer_offset WHERE topic = $1`, retryTopic)
		return slices.Equal(at, []int64{4}), at
	})
}

// healable is rules that become kinder: an upgrade of the reader.
type healable struct {
	rules
	healed atomic.Bool
}

func (h *healable) Validate(eventType string, version int, value []byte) error {
	if h.healed.Load() {
		return nil
	}
	return h.rules.Validate(eventType, version, value)
}
