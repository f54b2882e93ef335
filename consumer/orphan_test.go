package consumer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/outbox"
)

// childEnv makes the test binary a consumer process instead, as its value says.
const childEnv = "FACTLINE_TEST_CONSUMER"

type childConfig struct {
	DSN    string
	Addrs  []string
	Tiers  []time.Duration
	Poison string
	// Tombstone makes a tombstone the poison, of a current-state topic.
	Tombstone bool
}

// runChild consumes until it is killed, which its handler does itself when it
// meets the poison.
func runChild() int {
	var c childConfig
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	pool, err := pgxpool.New(context.Background(), c.DSN)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ob, err := outbox.New(outbox.Config{Contracts: rules{}, Producer: service})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	runner, err := consumer.New(consumer.Config{
		Group: group, Service: service, Pool: pool, Brokers: c.Addrs, Outbox: ob, Contracts: rules{},
		Subscriptions: []consumer.Subscription{c.subscription()},
		BackoffMin:    time.Millisecond, CommitInterval: 5 * time.Millisecond, SweepInterval: 20 * time.Millisecond,
		Logger:        slog.New(slog.NewTextHandler(os.Stderr, nil)),
		ClientOptions: []kgo.Opt{kgo.SessionTimeout(300 * time.Millisecond), kgo.HeartbeatInterval(50 * time.Millisecond)},
	})
	if err == nil {
		err = runner.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// subscription is what a child does with events: it dies of the poison.
func (c childConfig) subscription() consumer.Subscription {
	die := func(ctx context.Context) {
		process, _ := os.FindProcess(os.Getpid())
		_ = process.Kill()
		<-ctx.Done()
	}
	s := consumer.Subscription{Topic: orders, RetryTiers: c.Tiers, Handlers: map[string]consumer.Handler{
		"OrderCaptured": func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			if m.EventID == c.Poison {
				die(ctx)
			}
			return record(ctx, tx, m)
		},
	}}
	if c.Tombstone {
		s.Mode = consumer.Latest
		s.Handlers[""] = func(ctx context.Context, _ pgx.Tx, _ consumer.Message) error {
			die(ctx)
			return ctx.Err()
		}
	}
	return s
}

// child runs a consumer process until it is killed, by itself or when done says
// so. It reports whether it killed itself.
func (b *bundle) child(c childConfig, done func() bool) bool {
	b.t.Helper()
	c.DSN, c.Addrs = b.dsn(), b.kafka.Addrs()
	if !c.Tombstone {
		c.Poison = "evt_a_2"
	}
	text, err := json.Marshal(c)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = b.logs
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is killed, one way or the other
		close(ended)
	}()
	killed := false
	b.await("the process to end, or its work", func() (bool, any) {
		select {
		case <-ended:
			killed = true
			return true, nil
		default:
			return done(), b.effects()
		}
	})
	if !killed {
		cancel()
		<-ended
	}
	return killed
}

func TestAnEventThatKillsTheProcessReachesTheDeadLetters(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		tiers []time.Duration
		// deaths are one in a chunk that counted nothing, two in place, and one of
		// each tier.
		deaths, attempts int
	}{
		{"without a retry chain", []time.Duration{}, 3, 2},
		{"through a retry chain", []time.Duration{10 * time.Millisecond}, 4, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			b.send(order("a", 1), order("a", 2), order("a", 3), order("b", 1), order("c", 1))
			want := []string{"a/1", "b/1", "c/1"}
			settled := func() bool {
				return len(query[string](b, `SELECT dead_letter_id FROM factline.dead_letter`)) == 1 && len(b.effects()) == len(want)
			}
			deaths := 0
			for b.child(childConfig{Tiers: tt.tiers}, settled) {
				if deaths++; deaths > tt.deaths {
					t.Fatalf("the process died %d times, want %d\n%s", deaths, tt.deaths, b.logs)
				}
			}
			if deaths != tt.deaths {
				t.Errorf("the process died %d times, want %d", deaths, tt.deaths)
			}
			b.wantEffects(want...)
			b.wantHeld("a/3 BLOCKED")
			d := b.deadLetter()
			if d.EventID != "evt_a_2" || d.AttemptCount != tt.attempts || d.ErrorMessage != "the process ended during the attempt" {
				t.Errorf("dead letter = %q of %s after %d, want the process's end after %d", d.ErrorMessage, d.EventID, d.AttemptCount, tt.attempts)
			}
		})
	}
}

// Before, nobody counted a tombstone, and one that kills the process did so for
// ever.
func TestATombstoneThatKillsTheProcessReachesTheDeadLetters(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(order("a", 1))
	b.sendRecords(&kgo.Record{Topic: orders, Key: []byte("a")})
	b.send(order("b", 1))
	settled := func() bool { return len(b.effects()) == 2 }
	deaths := 0
	for b.child(childConfig{Tombstone: true}, settled) {
		if deaths++; deaths > 3 {
			t.Fatalf("the process died %d times, want one in a chunk and two that count\n%s", deaths, b.logs)
		}
	}
	b.wantEffects("a/1", "b/1")
	if d := b.deadLetter(); d.OriginalValue != nil || d.AttemptCount != 2 || d.ErrorMessage != "the process ended during the attempt" {
		t.Errorf("dead letter = %+v, want the tombstone after two attempts", d)
	}
	if left := query[string](b, `SELECT event_id FROM factline.inbox WHERE state <> 'DONE'`); len(left) != 0 {
		t.Errorf("%v stay in the inbox, want nothing of the tombstone", left)
	}
}

func TestAMemberThatEndsInOrderLeavesNoMark(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	b.send(order("a", 1))
	stop := b.start(nil)
	b.wantEffects("a/1")
	marked := func() []string {
		return query[string](b, `SELECT member FROM factline.consumer_offset WHERE member <> ''`)
	}
	if m := marked(); len(m) != 2 || m[0] != m[1] {
		t.Errorf("marks = %v, want one member's on both partitions", m)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if m := marked(); len(m) != 0 {
		t.Errorf("marks = %v after the end, want none", m)
	}
}

// After a death everything still takes effect once, in order, however it waits.
func TestWhatAnOrphanedPartitionHoldsIsHandledOneByOne(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	stop := b.start(nil)
	b.send(order("a", 1), order("a", 3), order("a", 4))
	b.wantHeld("a/3 GAP", "a/4 GAP")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), `UPDATE factline.consumer_offset SET member = 'died'`); err != nil {
		t.Fatal(err)
	}
	b.start(func(c *consumer.Config) { c.MaxChunkRecords = 3 })
	b.send(order("a", 2), order("b", 1), order("b", 2), order("b", 3), order("b", 4))
	b.wantEffects("a/1", "a/2", "a/3", "a/4", "b/1", "b/2", "b/3", "b/4")
	one := query[int](b, `SELECT count(*)::int FROM app.effect GROUP BY xmin::text ORDER BY 1`)
	if n := len(one); n < 6 || !slices.Equal(one[:6], []int{1, 1, 1, 1, 1, 1}) {
		t.Errorf("effects by transaction: %v, want those up to three records behind the mark alone", one)
	}
	if n := query[string](b, `SELECT event_id FROM factline.inbox WHERE attempts <> 1 OR state <> 'DONE'`); len(n) != 0 {
		t.Errorf("%v are not done in one attempt", n)
	}
}

// A member that dies behind a slow transaction may have had records in hand as far
// as two of its queues above the offset that the database knew: those of the
// second one used to be taken together, and cost one more death.
func TestCareReachesAsFarAsTheMemberMayHaveBeen(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	stop := b.start(nil)
	b.send(order("a", 1))
	b.wantNext(1)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), `UPDATE factline.consumer_offset SET member = 'died'`); err != nil {
		t.Fatal(err)
	}
	const queued = 4
	var events []envelope.Raw
	var want []string
	for i := range 4 * queued {
		events = append(events, order(fmt.Sprintf("b%02d", i), 1))
		want = append(want, fmt.Sprintf("b%02d/1", i))
	}
	b.send(events...)
	b.start(func(c *consumer.Config) { c.MaxChunkRecords, c.MaxQueuedRecords = 2, queued })
	b.wantEffects(append([]string{"a/1"}, want...)...)
	alone := query[string](b, `SELECT aggregate_id FROM app.effect e
		WHERE aggregate_id <> 'a' AND (SELECT count(*) FROM app.effect f WHERE f.xmin = e.xmin) = 1 ORDER BY seq`)
	for i := range 2 * queued {
		if id := fmt.Sprintf("b%02d", i); !slices.Contains(alone, id) {
			t.Errorf("%s was not taken alone, only %v were", id, alone)
		}
	}
	if len(alone) == len(want) {
		t.Error("care never ended")
	}
}

// Events that are tried again together are not counted before. After a death each of
// them is tried alone, so that the one that is to blame is given up and no other one
// has used an attempt.
func TestARetryThatKillsTheProcessCostsItsCompanyNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	tiers := []time.Duration{10 * time.Millisecond}
	b.send(order("a", 1), order("a", 2), order("b", 1), order("c", 1), order("d", 1), order("a", 3))
	stop := b.start(with(handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.EventID == "evt_a_1" {
			return record(ctx, tx, m)
		}
		return errors.New("not yet")
	}), func(c *consumer.Config) {
		c.InPlaceAttempts, c.SweepInterval, c.Subscriptions[0].RetryTiers = 2, time.Hour, tiers
	}))
	b.wantHeld("a/2 RETRY", "b/1 RETRY", "c/1 RETRY", "d/1 RETRY", "a/3 BLOCKED")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	settled := func() bool {
		return len(query[string](b, `SELECT dead_letter_id FROM factline.dead_letter`)) == 1 && len(b.effects()) == 4
	}
	deaths := 0
	for b.child(childConfig{Tiers: tiers}, settled) {
		if deaths++; deaths > 2 {
			t.Fatalf("the process died %d times, want one in company and one alone\n%s", deaths, b.logs)
		}
	}
	b.wantEffects("a/1", "b/1", "c/1", "d/1")
	if d := b.deadLetter(); d.EventID != "evt_a_2" || d.AttemptCount != 3 {
		t.Errorf("dead letter = %s after %d, want evt_a_2 after 3", d.EventID, d.AttemptCount)
	}
	others := query[string](b, `SELECT DISTINCT state || ' ' || attempts FROM factline.inbox WHERE event_id IN ('evt_b_1', 'evt_c_1', 'evt_d_1')`)
	if !slices.Equal(others, []string{"DONE 3"}) {
		t.Errorf("the others are %v, want DONE in the attempt after the two that failed", others)
	}
}
