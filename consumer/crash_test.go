package consumer_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/factlinetest"
)

// The failure points of a consumer: a crash before the database write, one
// between that and the offset commit, an offset ahead of the effects, and more
// of the kind. A failing side effect and a poison record are in failure_test.go.

func TestACrashBeforeTheDatabaseWriteLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	entered := make(chan struct{})
	b.send(order("a", 1), order("a", 2))
	stop := b.start(func(c *consumer.Config) {
		c.DrainTimeout = time.Millisecond
		handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			if err := record(ctx, tx, m); err != nil || m.AggregateVersion == 1 {
				return err
			}
			close(entered)
			<-ctx.Done() // the process is cut off here
			return ctx.Err()
		})(c)
	})
	<-entered
	if err := stop(); err != nil {
		t.Fatalf("Run = %v, want nil although a transaction was cancelled", err)
	}
	if got := b.effects(); len(got) != 0 {
		t.Fatalf("effects = %v, want none of a transaction that did not commit", got)
	}
	if at := b.committed(); at > 0 {
		t.Fatalf("committed offset = %d, want none", at)
	}
	b.start(nil)
	b.wantEffects("a/1", "a/2")
}

// stalled holds the process between effect and offset commit.
type stalled struct {
	hit     chan string
	release chan struct{}
}

func (s *stalled) AfterEffect(_, eventID string) {
	select {
	case s.hit <- eventID:
	default:
	}
	<-s.release
}

func TestACrashBetweenEffectAndOffsetCommitRepeatsNoEffect(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	hook := &stalled{hit: make(chan string, 1), release: make(chan struct{})}
	b.send(order("a", 1), order("a", 2))
	b.start(func(c *consumer.Config) { c.Hooks = hook })
	defer close(hook.release)
	if id := <-hook.hit; id != "evt_a_1" {
		t.Fatalf("hook saw %s first, want evt_a_1", id)
	}
	b.wantEffects("a/1", "a/2")
	if at := b.committed(); at > 0 {
		t.Fatalf("committed offset = %d although its process stands still", at)
	}
	// What a restart sees: the records again, from the offset that was committed.
	b.handleAlone(b.recordOf(order("a", 1)), b.recordOf(order("a", 2)), b.recordOf(order("a", 3)))
	b.wantEffects("a/1", "a/2", "a/3")
}

// handleAlone handles records as the log's first ones, in chunks of two, like a
// member that knows of no other.
func (b *bundle) handleAlone(records ...*kgo.Record) {
	cfg := b.cfg
	cfg.MaxChunkRecords, cfg.Registerer = 2, nil
	runner, err := consumer.New(cfg)
	if err != nil {
		b.t.Error(err)
		return
	}
	for i, r := range records {
		r.Offset = int64(i)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), patient)
	defer cancel()
	if err := runner.HandleAlone(ctx, orders, 0, records); err != nil {
		b.t.Errorf("handle alone: %v", err)
	}
}

func TestAnOffsetAheadOfTheEffectsLosesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.send(order("a", 1), order("a", 2), order("b", 1))
	b.rewindGroup(3) // committed, and no effect
	b.start(nil)
	b.wantEffects("a/1", "a/2", "b/1")
}

func TestARestoredDatabaseGetsItsEffectsAgainOnce(t *testing.T) {
	t.Parallel()
	middle := []string{
		`UPDATE factline.consumer_offset SET next_offset = 2`,
		`UPDATE factline.gate SET version = 2, event_id = 'evt_a_2' WHERE aggregate_id = 'a'`,
		`DELETE FROM factline.gate WHERE aggregate_id = 'b'`,
		`DELETE FROM factline.inbox WHERE "offset" >= 2`,
		`DELETE FROM app.effect WHERE event_id NOT IN ('evt_a_1', 'evt_a_2')`,
	}
	empty := []string{`TRUNCATE factline.consumer_offset, factline.inbox, factline.gate, app.effect`}
	for _, tt := range []struct {
		name    string
		restore []string
		running bool
	}{
		{"to before the group began", empty, false},
		{"to the middle", middle, false},
		{"to the middle, under a running consumer", middle, true},
		{"to before the group began, under a running consumer", empty, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			stop := b.start(nil)
			b.send(order("a", 1), order("a", 2), order("b", 1), order("a", 3))
			b.wantEffects("a/1", "a/2", "b/1", "a/3")
			b.wantCommitted(4)
			if !tt.running {
				if err := stop(); err != nil {
					t.Fatal(err)
				}
			}
			err := pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
				for _, sql := range tt.restore {
					if _, err := tx.Exec(t.Context(), sql); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if !tt.running {
				b.start(nil)
			}
			b.send(order("a", 4))
			b.wantEffects("a/1", "a/2", "b/1", "a/3", "a/4")
			if at := b.committed(); at < 4 {
				t.Errorf("committed offset = %d, want it never below 4 again", at)
			}
		})
	}
}

func TestTwoOwnersAtOnceMakeEveryEffectOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	var want []string
	for v := int64(1); v <= 100; v++ {
		want = append(want, fmt.Sprintf("a/%d", v))
	}
	var owners sync.WaitGroup
	for range 3 {
		owners.Go(func() {
			records := make([]*kgo.Record, 0, len(want))
			for v := int64(1); v <= 100; v++ {
				records = append(records, b.recordOf(order("a", v)))
			}
			b.handleAlone(records...)
		})
	}
	owners.Wait()
	if got := b.effects(); !slices.Equal(got, want) {
		t.Errorf("effects = %v, want 1 to 100 once each, in order", got)
	}
}

// TestAMemberThatWasThrownOutDoesNoHarm: a paused process comes back after its
// group went on without it, finishes its transaction, and commits its offset.
func TestAMemberThatWasThrownOutDoesNoHarm(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	network := &freezer{thaw: make(chan struct{})}
	impatient := []kgo.Opt{kgo.SessionTimeout(300 * time.Millisecond), kgo.HeartbeatInterval(50 * time.Millisecond)}
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	goOn := sync.OnceFunc(func() { close(leave) })
	defer goOn()
	b.send(order("a", 1), order("a", 2))
	b.start(func(c *consumer.Config) {
		c.ClientOptions = slices.Concat(impatient, []kgo.Opt{kgo.Dialer(network.dial)})
		handlers(func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
			entered <- struct{}{}
			<-leave
			return record(ctx, tx, m)
		})(c)
	})
	<-entered
	network.frozen.Store(true)
	second := &logBuffer{}
	b.start(func(c *consumer.Config) { c.ClientOptions, c.Logger = impatient, textLogger(second) })
	b.await("the second member owning the partition", func() (bool, any) {
		return contains(second.String(), "partition assigned"), second.String()
	})
	b.send(order("a", 3))
	goOn()
	b.wantEffects("a/1", "a/2", "a/3")
	b.wantCommitted(3)
	network.frozen.Store(false)
	close(network.thaw)
	b.send(order("a", 4))
	b.wantEffects("a/1", "a/2", "a/3", "a/4")
	b.wantCommitted(4)
	if n := one[int64](b, `SELECT count(*) FROM factline.dead_letter`); n != 0 {
		t.Errorf("%d dead letters, want none: a rebalance is no failure", n)
	}
}

func TestACommitWhoseAnswerIsLostIsNotRepeated(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	proxy := newProxy(t, factlinetest.DSN(b.pool))
	b.send(order("a", 1), order("a", 2))
	proxy.cutAfterCommit.Store(3)
	b.start(func(c *consumer.Config) {
		c.Pool, c.InPlaceAttempts, c.MaxChunkRecords = proxy.pool(t), 1, 1
	})
	b.send(order("a", 3), order("b", 1))
	b.wantEffects("a/1", "a/2", "a/3", "b/1")
	if n := proxy.cut.Load(); n != 3 {
		t.Errorf("%d connections were cut after the commit, want 3", n)
	}
	if n := one[int64](b, `SELECT count(*) FROM factline.inbox WHERE attempts > 1 OR state <> 'DONE'`); n != 0 {
		t.Errorf("%d events used an attempt, want none", n)
	}
}
