package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Without polling every wake-up counts: one that comes while a read is under
// way, while a lane has rows waiting, or after a read that took no more.
func TestNoWakeUpIsLost(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.relay(func(c *RelayConfig) {
		c.Outbox, c.PollMin, c.PollMax, c.ChunkEvents = b.outbox, time.Hour, time.Hour, 7
	})
	const writers, each, aggregates = 8, 50, 40
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for i := range each {
				err := b.in(func(tx pgx.Tx) error {
					id := fmt.Sprint("agg", rand.IntN(aggregates))
					if err := b.outbox.Append(context.Background(), tx, event(id, fmt.Sprint(w, "-", i)), event(id, "second")); err != nil {
						return err
					}
					if i%9 == 8 {
						return errRollback
					}
					return nil
				})
				if err != nil && !errors.Is(err, errRollback) {
					t.Error(err)
				}
				if err == nil {
					b.outbox.Wake()
				}
			}
		})
	}
	wait.Wait()
	var committed int
	if err := b.pool.QueryRow(t.Context(), "SELECT count(*) FROM factline.outbox_event").Scan(&committed); err != nil {
		t.Fatal(err)
	}
	checkOrder(t, b.published(committed), committed)
}

// One wake-up for many rows: a read takes a part, and the rest must not wait for
// the next look.
func TestOneWakeUpPublishesABacklog(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.relay(func(c *RelayConfig) {
		c.Outbox, c.PollMin, c.PollMax, c.ChunkEvents = b.outbox, time.Hour, time.Hour, 7
	})
	b.append(event("first", ""))
	b.outbox.Wake()
	b.published(1) // the relay's own first look is over
	var events []Event
	for i := range 100 {
		events = append(events, event("busy", fmt.Sprint(i)))
	}
	b.append(events...)
	b.outbox.Wake()
	checkOrder(t, b.published(101), 101)
}

// A wake-up while a lane cannot take rows is kept for it.
func TestAWakeUpWaitsForABusyLane(t *testing.T) {
	t.Parallel()
	now := time.Now()
	busy, free := newLane(0, 1, 0), newLane(1, 1, 0)
	busy.next = newChunk(busy, []outRow{{position: 1}})
	l := &loop{lanes: map[int16]*lane{0: busy, 1: free}, nextRead: now.Add(time.Hour), renewAt: now.Add(time.Hour)}
	l.woken()
	if request := l.ask(); len(request.lanes) != 1 || request.lanes[0].lane != free || !request.woken {
		t.Fatalf("asked for %+v, want the free lane alone", request.lanes)
	}
	if due := l.readDue(); due.Before(now) {
		t.Fatal("the free lane is asked for again although nothing came")
	}
	busy.next = nil
	if due := l.readDue(); due.After(now) {
		t.Errorf("the lane that was busy is asked for at %s, want at once", due)
	}
}

// A lane that failed goes beside the others where it can, with them where it
// must, and keeps none of them waiting.
func TestDispatchLeavesNoLaneWaiting(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name         string
		fresh, again int
		idle         int
		want         []int // lanes of each round
	}{
		{"few events go in one round", 3, 0, 2, []int{3}},
		{"a failed lane gets a round of its own", 3, 1, 2, []int{1, 3}},
		{"failed lanes share theirs", 1, 4, 2, []int{4, 1}},
		{"one sender takes all", 3, 2, 1, []int{5}},
		{"failed lanes alone", 0, 3, 2, []int{3}},
		{"nothing to do", 0, 0, 2, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := &loop{lanes: map[int16]*lane{}, trustedUntil: time.Now().Add(time.Hour)}
			for n := range test.fresh + test.again {
				lane := newLane(int16(n), 1, 0)
				c := newChunk(lane, []outRow{{position: 1}})
				if lane.next = c; n >= test.fresh {
					lane.next, lane.sending = nil, c
					c.retryAt = time.Now().Add(-time.Second)
				}
				l.lanes[lane.id] = lane
			}
			var got []int
			for range test.idle {
				if round := l.round(test.idle - len(got)); len(round) > 0 {
					got = append(got, len(round))
					l.start(round)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("rounds of %v lanes, want %v", got, test.want)
			}
			if left := l.ready(); len(left) != 0 {
				t.Errorf("%d lanes wait although a sender was free", len(left))
			}
		})
	}
}

// A lane may be lost while a read is under way: what it brings belongs to nobody.
func TestAReadOfALostLaneChangesNothing(t *testing.T) {
	t.Parallel()
	before, after := newLane(0, 1, 0), newLane(0, 2, 0)
	l := &loop{lanes: map[int16]*lane{0: before}, relay: &Relay{}, pause: time.Second, reading: true}
	l.woken()
	request := l.ask()
	l.lanes[0] = after
	l.tookRead(readResult{request: request, lanes: []laneRows{{rows: []outRow{{position: 5}}, cut: openEnd}}, xmin: 9, bound: 9})
	if before.next != nil || before.high != 0 || after.next != nil || after.high != 0 {
		t.Errorf("the lane that was lost has %+v, its successor %+v; want both untouched", before, after)
	}
}

// Receipts of two topics are two statements: either both count or none.
func TestReceiptsOfALostLaneAreNotWritten(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := &store{pool: b.pool, owner: "x", maxEvents: 10, maxBytes: 1 << 20}
	_, leases, err := s.lease(t.Context(), time.Minute)
	if err != nil || len(leases) < 2 {
		t.Fatalf("%d lanes: %v", len(leases), err)
	}
	done := func(l lease, epoch int64) settlement {
		return settlement{lane: newLane(l.lane, epoch, 0), lowWater: 2, receipts: receipts([]sentRow{{position: 1, topic: "a"}, {position: 2, topic: "b"}})}
	}
	got := s.settle(t.Context(), []settlement{done(leases[0], leases[0].epoch), done(leases[1], leases[1].epoch+1)})
	if got.err != nil || got.lost[0] || !got.lost[1] {
		t.Fatalf("lost %v (%v), want the second alone", got.lost, got.err)
	}
	var mine, lost int
	err = b.pool.QueryRow(t.Context(), "SELECT count(*) FILTER (WHERE lane = $1), count(*) FILTER (WHERE lane = $2) FROM factline.outbox_receipt",
		leases[0].lane, leases[1].lane).Scan(&mine, &lost)
	if err != nil || mine != 2 || lost != 0 {
		t.Errorf("%d receipts of the lane and %d of the lost one (%v), want 2 and 0", mine, lost, err)
	}
}
