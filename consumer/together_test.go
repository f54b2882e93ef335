package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/consumer"
)

// fetched are so many events of one order a partition: o0/1, o0/2, o1/1, ...
func (b *bundle) fetched(partitions, events int) map[int32][]*kgo.Record {
	all := make(map[int32][]*kgo.Record)
	for p := range int32(partitions) {
		for v := range events {
			r := b.recordOf(order(fmt.Sprintf("o%d", p), int64(v)+1))
			r.Partition, r.Offset = p, int64(v)
			all[p] = append(all[p], r)
		}
	}
	return all
}

// own is an owner of such partitions whose events handler handles.
func (b *bundle) own(partitions, events int, handler consumer.Handler) *consumer.Owner {
	b.t.Helper()
	cfg := b.cfg
	cfg.Subscriptions = []consumer.Subscription{{Topic: orders, Handlers: map[string]consumer.Handler{"OrderCaptured": handler}}}
	r, err := consumer.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	o, err := r.Own(b.t.Context(), orders, b.fetched(partitions, events))
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

func total(waiting map[int32]int) (n int) {
	for _, w := range waiting {
		n += w
	}
	return n
}

func TestWhatWaitsInSeveralPartitionsSharesATransaction(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	o := b.own(5, 3, record)
	if err := o.Handle(2); err != nil {
		t.Fatal(err)
	}
	if n := one[int](b, `SELECT count(DISTINCT xmin::text) FROM app.effect`); n != 1 || len(b.effects()) != 15 {
		t.Errorf("%d effects in %d transactions, want 15 in one", len(b.effects()), n)
	}
	if n := one[int](b, `SELECT count(*) FROM factline.consumer_offset WHERE next_offset = 3`); n != 5 {
		t.Errorf("%d partitions stand at 3, want all 5", n)
	}
	if err := o.Handle(0); err != nil || total(o.Waiting()) != 0 {
		t.Errorf("the partition whose records went along has %v, %v; want nothing to do", o.Waiting(), err)
	}
}

func TestASharedTransactionIsNoLargerThanAChunk(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.cfg.MaxChunkRecords = 4
	o := b.own(5, 3, record)
	if err := o.Handle(1); err != nil {
		t.Fatal(err)
	}
	if n := len(b.effects()); n != 4 || o.Waiting()[1] != 0 {
		t.Errorf("%d effects, waiting %v; want 4, the partition's own first", n, o.Waiting())
	}
}

func TestAFailureInASharedTransactionConcernsItsPartitionAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	o := b.own(4, 3, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.AggregateID == "o1" && m.AggregateVersion == 2 {
			return consumer.Permanent(errors.New("cannot be"))
		}
		return record(ctx, tx, m)
	})
	if err := o.Handle(0); err != nil {
		t.Fatal(err)
	}
	if len(b.effects()) != 0 || total(o.Waiting()) != 12 {
		t.Fatalf("effects %v, waiting %v; want nothing of the failed transaction and everything put back", b.effects(), o.Waiting())
	}
	for id := range int32(4) {
		if err := o.Handle(id); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"o0/1", "o0/2", "o0/3", "o1/1", "o2/1", "o2/2", "o2/3", "o3/1", "o3/2", "o3/3"}
	if got := b.effects(); !slices.Equal(got, want) {
		t.Errorf("effects = %v, want %v", got, want)
	}
	b.wantHeld("o1/3 BLOCKED")
	if n := one[int](b, `SELECT count(*) FROM factline.dead_letter WHERE event_id = 'evt_o1_2' AND attempts = 1`); n != 1 {
		t.Errorf("%d dead letters of the culprit, want 1 after one attempt", n)
	}
}

func TestAPartitionGivenBackEndsASharedTransactionWithoutHarmToTheOthers(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	entered := make(chan struct{}, 1)
	var deaf atomic.Bool
	deaf.Store(true)
	o := b.own(3, 2, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if deaf.Load() {
			entered <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		return record(ctx, tx, m)
	})
	ended := make(chan error, 1)
	go func() { ended <- o.Handle(0) }()
	<-entered
	deaf.Store(false)
	o.GiveBack(2)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := len(b.effects()); n != 0 {
		t.Fatalf("%d effects of a transaction whose partition was given back, want none", n)
	}
	for id := range int32(2) {
		if err := o.Handle(id); err != nil {
			t.Fatal(err)
		}
	}
	b.wantEffects("o0/1", "o0/2", "o1/1", "o1/2")
}

// A rebalance waited for a partition whose records were in a transaction that
// waited for its turn, as long as handlers elsewhere took.
func TestAPartitionGivenBackEndsASharedTransactionThatHasNotBegun(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.cfg.MaxConcurrentChunks, b.cfg.MaxChunkRecords = 1, 4
	slow := newSlowKey("o0")
	o := b.own(3, 2, slow.handle)
	o.Enqueue(0, b.fetched(1, 4)[0][2:]) // a chunk of its own
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- o.Handle(0) }()
	<-slow.entered
	go func() { second <- o.Handle(1) }()
	b.await("the others' records in hand", func() (bool, any) { return total(o.Waiting()) == 0, o.Waiting() })
	o.GiveBack(2)
	b.await("the end of what has not begun", func() (bool, any) {
		select {
		case err := <-second:
			return err == nil, err
		default:
			return false, "it waits"
		}
	})
	close(slow.leave)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
}

func TestTwoOwnersOfTheSamePartitionsShareNoEffect(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	first, second := b.own(6, 20, record), b.own(6, 20, record)
	var both sync.WaitGroup
	for i, o := range []*consumer.Owner{first, second} {
		both.Go(func() {
			for total(o.Waiting()) > 0 {
				for _, id := range []int32{0, 5} {
					if err := o.Handle(id*int32(1-i) + (5-id)*int32(i)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	both.Wait()
	got := b.effects()
	if len(got) != 120 {
		t.Errorf("%d effects, want each of 120 once", len(got))
	}
	last := make(map[string]int64)
	for _, e := range query[string](b, `SELECT aggregate_id FROM app.effect ORDER BY seq`) {
		last[e]++
	}
	if !slices.Equal(slices.Sorted(maps.Values(last)), []int64{20, 20, 20, 20, 20, 20}) {
		t.Errorf("effects by order: %v", last)
	}
}

func TestLingerLetsTheBrokerGather(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	asked := make(chan *kmsg.FetchRequest, 1)
	b.kafka.Fake().ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		select {
		case asked <- request.(*kmsg.FetchRequest):
		default:
		}
		return nil, nil, false
	})
	b.start(func(c *consumer.Config) { c.Linger = 70 * time.Millisecond })
	if f := <-asked; f.MaxWaitMillis != 70 || f.MinBytes != 64<<10 {
		t.Errorf("fetch waits %d ms for %d bytes, want 70 ms for 64 KiB", f.MaxWaitMillis, f.MinBytes)
	}
	b.send(order("a", 1), order("a", 2))
	b.wantEffects("a/1", "a/2")
}

// One failing event in two hundred used to make a backlog run record by record,
// a hundred times slower than without it.
func TestAFailingEventCostsItsChunkFewTransactions(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	failed := make(map[string]bool)
	o := b.own(1, 500, func(ctx context.Context, tx pgx.Tx, m consumer.Message) error {
		if m.AggregateVersion%200 == 0 && !failed[m.EventID] {
			failed[m.EventID] = true
			return errors.New("not this time")
		}
		return record(ctx, tx, m)
	})
	if err := o.Handle(0); err != nil {
		t.Fatal(err)
	}
	transactions := one[int](b, `SELECT count(DISTINCT xmin::text) FROM app.effect`)
	if n := len(b.effects()); n != 500 || transactions > 40 {
		t.Errorf("%d effects in %d transactions, want 500 in at most 40", n, transactions)
	}
}
