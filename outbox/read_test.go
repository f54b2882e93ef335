package outbox

import (
	"errors"
	"strings"
	"testing"
)

// What a read leaves out for its size comes with the next one, in order; when
// most of a read would be left out, the relay asks for less.
func TestEventsMuchLargerThanThoseBeforeArePublishedInOrder(t *testing.T) {
	t.Parallel()
	b := setupKafka(t)
	b.append(event("a", "small"), event("a", "small"))
	note := strings.Repeat("x", 600<<10)
	const large = 70 // 41 MiB in one lane, more than a read may waste
	for range large {
		b.append(event("a", note))
	}
	b.append(event("a", "small"))
	b.relay(func(c *RelayConfig) { c.ChunkBytes = 1 << 20 })
	checkOrder(t, b.published(large+3), large+3)
}

func TestAReadKeepsOfASpanWhatAChunkHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 6 {
		b.append(event("a", strings.Repeat("x", 1000)))
	}
	id := laneOf(b, "a")
	s := &store{pool: b.pool, maxEvents: 10, maxBytes: 2500}
	l := newLane(id, 1, 0)
	positions := func(r readResult) (all []int64) {
		for _, row := range r.lanes[0].rows {
			all = append(all, row.position)
		}
		return all
	}
	first := s.read(t.Context(), newReadRequest([]*lane{l}))
	if got := positions(first); first.err != nil || len(got) != 2 || got[1] != 2 {
		t.Fatalf("got positions %v (%v), want the two that exceed 2500 bytes together", got, first.err)
	}
	l.learn(first.lanes[0].rows, 10, 2500)
	l.take(first.lanes[0].rows, first.request.lanes[0].complete(first.lanes[0].cut), first.xmin)
	if l.page != 2 {
		t.Errorf("the next page has %d rows, want 2: as many as fill a chunk", l.page)
	}
	second := s.read(t.Context(), newReadRequest([]*lane{l}))
	if got := positions(second); len(got) != 2 || got[0] != 3 {
		t.Errorf("got positions %v, want 3 and 4", got)
	}
}

func laneOf(b *bundle, id string) int16 { return int16(laneHash(b.topic, []byte(id)) % 16) }

func TestAReadThatWastesTooMuchIsGivenUpAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	note := strings.Repeat("x", 800<<10)
	for range maxWasted/(800<<10) + 5 {
		b.append(event("a", note))
	}
	s := &store{pool: b.pool, maxEvents: 1000, maxBytes: 1 << 20}
	l := newLane(laneOf(b, "a"), 1, 0)
	r := s.read(t.Context(), newReadRequest([]*lane{l}))
	if !errors.Is(r.err, errReadTooMuch) {
		t.Fatalf("got %v, want errReadTooMuch", r.err)
	}
	for l.shrink(1000); l.page > 1; l.shrink(1000) {
		if l.page >= 1000 {
			t.Fatalf("a page of %d rows did not shrink", l.page)
		}
	}
	if r = s.read(t.Context(), newReadRequest([]*lane{l})); r.err != nil || len(r.lanes[0].rows) != 1 {
		t.Errorf("got %d rows (%v), want one", len(r.lanes[0].rows), r.err)
	}
}
