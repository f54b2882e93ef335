package outbox

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/factlinetest"
)

// A batch of hundreds with one culprit used to be sent record by record.
func TestACulpritIsFoundInAFewAttempts(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	var requests, refused atomic.Int64
	b.kafka.Fake().Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidRecord, Count: -1,
		When: func(r kmsg.Request) bool {
			requests.Add(1)
			bad := isPoisoned(r)
			if bad {
				refused.Add(1)
			}
			return bad
		},
	})
	keys := b.sameLane("a", 250)
	var events []Event
	for i := range 500 {
		events = append(events, event(keys[i%250], "fine"))
	}
	events[333].Payload = thing{ID: keys[83], Note: "POISON"}
	b.append(events...)
	b.relay(uncompressed, func(c *RelayConfig) { c.PollMin, c.PollMax = time.Second, time.Second })
	b.settled()
	checkOrder(t, b.published(499), 499)
	if got := b.parked(); len(got) != 1 || got[0].AggregateID != keys[83] || !got[0].IsCulprit {
		t.Errorf("parked %+v, want version 2 of %s alone", got, keys[83])
	}
	// One refusal of the round, then one a halving of at most 500, two requests each.
	if refused.Load() > 11 || requests.Load() > 70 {
		t.Errorf("%d requests, %d of them refused: a search by halves needs 10 refusals", requests.Load(), refused.Load())
	}
}

func isPoisoned(r kmsg.Request) bool {
	for _, topic := range r.(*kmsg.ProduceRequest).Topics {
		for _, p := range topic.Partitions {
			if bytes.Contains(p.Records, []byte("POISON")) {
				return true
			}
		}
	}
	return false
}

// Two culprits of different keys and one that a neighbour in its key follows.
func TestEachCulpritOfABatchIsParkedAndNoInnocent(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	rejectPoison(b.kafka.Fake())
	var events []Event
	for i := range 60 {
		events = append(events, event(fmt.Sprint("a", i%20), "fine"))
	}
	for _, bad := range []int{3, 27, 45} {
		events[bad].Payload = thing{ID: fmt.Sprint("a", bad%20), Note: "POISON"}
	}
	b.append(events...)
	b.relay(uncompressed)
	b.settled()
	// Of a3 all three wait, of a7 two, of a5 the last.
	var got []string
	for _, p := range b.parked() {
		got = append(got, fmt.Sprint(p.AggregateID, " ", p.AggregateVersion, " ", p.IsCulprit))
	}
	want := []string{"a3 1 true", "a3 2 false", "a3 3 false", "a5 3 true", "a7 2 true", "a7 3 false"}
	if !slices.Equal(got, want) {
		t.Errorf("parked %q, want %q", got, want)
	}
	checkOrder(t, b.published(54), 54)
}

// parkedOne waits for the only parked event that holds back a key.
func (b *bundle) parkedOne() (found ParkedEvent) {
	b.t.Helper()
	factlinetest.Eventually(b.t, 10*time.Second, "a parked event that waits", func() (bool, error) {
		all, err := Parked(b.t.Context(), b.pool, ParkedFilter{Topic: b.topic})
		if err != nil || len(all) != 1 {
			return false, err
		}
		found = all[0]
		return found.Waits, nil
	})
	return found
}

func (b *bundle) resolve(id string, d Decision) ResolveResult {
	b.t.Helper()
	result, err := Resolve(b.t.Context(), b.pool, ResolveRequest{ID: id, Decision: d, Reason: "known", Operator: "kim"})
	if err != nil {
		b.t.Fatal(err)
	}
	return result
}

func (b *bundle) nothingParked() {
	b.t.Helper()
	factlinetest.Eventually(b.t, 10*time.Second, "no parked event", func() (bool, error) {
		all, err := Parked(b.t.Context(), b.pool, ParkedFilter{})
		return len(all) == 0, err
	})
}

// While the released events go out, new ones of their key keep coming.
func TestARetryKeepsTheOrderOfItsKey(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	broken := rejectPoison(b.kafka.Fake())
	b.append(event("bad", "POISON"), event("bad", ""), event("good", ""))
	b.relay(uncompressed, func(c *RelayConfig) { c.ChunkEvents = 3 })
	b.settled()
	found := b.parkedOne()
	if found.HeldEvents != 1 || found.AggregateID != "bad" || !strings.Contains(found.Reason, "INVALID_RECORD") {
		t.Errorf("parked is %+v", found)
	}
	w := b.startWork(3) // keys k0 to k2 keep the lanes busy
	for range 20 {
		b.append(event("bad", "behind"))
	}
	broken.Remove()
	if got := b.resolve(found.ID, Retry); got.EventID != found.EventID {
		t.Errorf("retried %+v, want event %s", got, found.EventID)
	}
	for range 40 {
		b.append(event("bad", "meanwhile"))
	}
	b.nothingParked()
	b.append(event("bad", "after"))
	committed := w.stop(b)
	b.settled()
	b.nothingParked()
	all := b.published(committed)
	checkOrder(t, all, committed)
	if len(all) != committed {
		t.Errorf("%d records of %d events", len(all), committed)
	}
}

func TestARetryThatIsRefusedAgainParksAgain(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	rejectPoison(b.kafka.Fake())
	b.append(event("bad", "POISON"), event("bad", "POISON"), event("bad", ""))
	b.relay(uncompressed)
	b.settled()
	first := b.parkedOne()
	b.resolve(first.ID, Retry)
	factlinetest.Eventually(t, 10*time.Second, "the event parked again", func() (bool, error) {
		var culprits, rows int
		err := b.pool.QueryRow(t.Context(), "SELECT count(*) FILTER (WHERE is_culprit), count(*) FROM factline.outbox_parked").Scan(&culprits, &rows)
		return culprits == 1 && rows == 3, err
	})
	again := b.parkedOne()
	if again.ID != first.ID || again.HeldEvents != 2 {
		t.Errorf("parked again is %+v, want %s", again, first.ID)
	}
	// The next of the key is a culprit too; it is found when it comes first.
	b.resolve(first.ID, Skip)
	factlinetest.Eventually(t, 10*time.Second, "the second culprit", func() (bool, error) {
		return b.parkedOne().AggregateVersion == 2, nil
	})
	b.resolve(b.parkedOne().ID, Skip)
	b.nothingParked()
	if got := b.published(1); got[0].AggregateVersion != 3 {
		t.Errorf("version %d is on the log, want 3", got[0].AggregateVersion)
	}
}

// The recording of a retry that was refused is offered again, because its answer
// was lost, after an operator has retried once more.
func TestARecordingThatIsOfferedAgainUndoesNoDecision(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	rejectPoison(b.kafka.Fake())
	b.append(event("bad", "POISON"), event("bad", ""))
	stop := b.relay(uncompressed)
	b.settled()
	stop()
	id := b.parkedOne().ID
	b.resolve(id, Retry)
	s := &store{pool: b.pool, owner: "x", maxEvents: 10, maxBytes: 1 << 20}
	_, leases, err := s.lease(t.Context(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(leases, func(l lease) bool { return l.lane == laneOf(b, "bad") })
	owned := newLane(leases[at].lane, leases[at].epoch, leases[at].lowWater)
	read := s.readReleased(t.Context(), owned)
	if read.err != nil || len(read.lanes[0].rows) != 2 {
		t.Fatalf("released are %+v (%v), want both rows", read.lanes, read.err)
	}
	c := newChunk(owned, read.lanes[0].rows)
	c.isRelease, c.parkedMicros = true, read.parkedMicros
	c.refuse(c.rows[0], kerr.InvalidRecord)
	c.parkBehind(c.rows[1])
	again := []settlement{{lane: owned, parked: c.parked, isRelease: true}}
	if res := s.settle(t.Context(), again); res.err != nil {
		t.Fatal(res.err)
	}
	if !b.parkedOne().Waits {
		t.Fatal("the event is not parked again")
	}
	b.resolve(id, Retry)
	if res := s.settle(t.Context(), again); res.err != nil {
		t.Fatal(res.err)
	}
	if all, err := Parked(t.Context(), b.pool, ParkedFilter{ID: id}); err != nil || len(all) != 1 || all[0].Waits {
		t.Errorf("parked are %+v (%v), want the event on its way", all, err)
	}
}

// A hole below the parked event keeps the low-water mark down, so a new owner
// reads its row again.
func TestASkippedEventNeverReachesTheLog(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	broken := rejectPoison(b.kafka.Fake())
	open, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Rollback(t.Context()) }()
	before := b.sameLane("bad", 1)[0]
	if err := b.outbox.Append(t.Context(), open, event(before, "open")); err != nil {
		t.Fatal(err)
	}
	b.append(event("bad", "POISON"), event("bad", "next"))
	stop := b.relay(uncompressed)
	b.settledParked(2)
	b.settled() // what is parked does not wait to be published, nor what is skipped
	found := b.parkedOne()
	result := b.resolve(found.ID, Skip)
	b.nothingParked()
	b.published(1)
	b.settled()
	l := limit{most: 1}
	if err := b.in(func(tx pgx.Tx) error { return l.check(t.Context(), tx) }); !errors.As(err, new(*FullError)) || l.pending != 1 {
		t.Errorf("%d events count as waiting (%v), want the open one", l.pending, err)
	}
	stop()
	broken.Remove()
	b.relay(uncompressed)
	if err := open.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.append(event("bad", "last"))
	b.settled()
	var versions []int64
	for _, e := range b.published(3) {
		if e.AggregateID == "bad" {
			versions = append(versions, e.AggregateVersion)
		}
	}
	if !slices.Equal(versions, []int64{2, 3}) {
		t.Errorf("versions %v of the key are on the log, want 2 and 3", versions)
	}
	var action, operator, eventID string
	err = b.pool.QueryRow(t.Context(), "SELECT action, operator, detail->>'eventId' FROM factline.operator_action WHERE action_id = $1", result.ActionID).
		Scan(&action, &operator, &eventID)
	if err != nil || action != "outbox.skip" || operator != "kim" || eventID != found.EventID {
		t.Errorf("audited: %s by %s of %s (%v)", action, operator, eventID, err)
	}
}

// sameLane are n aggregates in the lane of id.
func (b *bundle) sameLane(id string, n int) (found []string) {
	for i := 0; len(found) < n; i++ {
		if other := fmt.Sprint("o", i); laneOf(b, other) == laneOf(b, id) {
			found = append(found, other)
		}
	}
	return found
}

func (b *bundle) settledParked(n int) {
	b.t.Helper()
	factlinetest.Eventually(b.t, 10*time.Second, "parked rows", func() (bool, error) { return len(b.parked()) == n, nil })
}

func TestResolveRefusesWhatCannotBeDecided(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	rejectPoison(b.kafka.Fake())
	b.append(event("bad", "POISON"), event("bad", ""))
	stop := b.relay(uncompressed)
	b.settled()
	stop()
	culprit := b.parkedOne()
	var behind string
	if err := b.pool.QueryRow(t.Context(), "SELECT parked_id FROM factline.outbox_parked WHERE NOT is_culprit").Scan(&behind); err != nil {
		t.Fatal(err)
	}
	ask := func(id string) error {
		_, err := Resolve(t.Context(), b.pool, ResolveRequest{ID: id, Decision: Skip, Reason: "r", Operator: "o"})
		return err
	}
	var held *HeldBehindError
	if err := ask(behind); !errors.As(err, &held) || held.Culprit != culprit.ID {
		t.Errorf("got %v, want the culprit named", err)
	}
	if err := ask("prk_other"); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("got %v, want ErrNotWaiting", err)
	}
	if err := ask(culprit.ID); err != nil {
		t.Error(err)
	}
	if err := ask(culprit.ID); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("a second skip gave %v, want ErrNotWaiting", err)
	}
	_, err := Resolve(t.Context(), b.pool, ResolveRequest{})
	for _, field := range []string{"ID", "Decision", "Reason", "Operator"} {
		if err == nil || !strings.Contains(err.Error(), "outbox.ResolveRequest."+field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
}
