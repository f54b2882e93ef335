package outbox

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/envelope"
	"factline.dev/factlinetest"
)

// spoil makes whoever still uses a slab that was given back show it. Every
// relay of these tests runs with it.
func spoil(s *slab) {
	for _, b := range s.blocks {
		b = b[:cap(b)]
		for i := range b {
			b[i] = '!'
		}
	}
	clear(s.rows[:cap(s.rows)])
	clear(s.sent[:cap(s.sent)])
}

// failSometimes makes the broker refuse some of the first batches for now.
func failSometimes(fake *kfake.Cluster) *kfake.FaultHandle {
	return fake.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.TopicAuthorizationFailed, Count: 20,
		When: func(kmsg.Request) bool { return rand.IntN(2) == 0 },
	})
}

func TestMemoryIsUsedAgainOnlyWhenItsRowsAreOut(t *testing.T) {
	t.Parallel()
	b := setupFake(t)
	fake := b.kafka.Fake()
	rejectPoison(fake)
	fault := failSometimes(fake)
	for round := range 30 {
		var events []Event
		for i := range 12 {
			note := strings.Repeat(fmt.Sprint(round, "-", i, " "), rand.IntN(400))
			if i == 7 && round%10 == 3 {
				note = "POISON"
			}
			events = append(events, event(fmt.Sprint("a", (round*12+i)%50), note))
		}
		b.append(events...)
	}
	b.relay(uncompressed, func(c *RelayConfig) { c.ChunkEvents = 4 })
	factlinetest.Eventually(t, 20*time.Second, "batches that fail", func() (bool, error) { return fault.Hits() > 5, nil })
	b.settled()
	b.checkBytes(len(b.stored()) - len(b.parked()))
}

// checkBytes compares n records on the log with the rows they came from.
func (b *bundle) checkBytes(n int) {
	b.t.Helper()
	want := map[string]string{}
	rows, err := b.pool.Query(b.t.Context(), "SELECT event_id, record_key, headers, value FROM factline.outbox_event")
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var key, headers, value []byte
		if err := rows.Scan(&id, &key, &headers, &value); err != nil {
			b.t.Fatal(err)
		}
		want[id] = string(key) + string(headers) + string(value)
	}
	for _, r := range b.records(n) {
		var headers []envelope.Header
		for _, h := range r.Headers {
			headers = append(headers, envelope.Header{Key: h.Key, Value: h.Value})
		}
		value := r.Value
		if at := bytes.LastIndex(value, []byte(`,"publishedAt":"`)); at > 0 {
			value = append(bytes.Clone(value[:at]), '}')
		}
		got := string(r.Key) + string(envelope.EncodeHeaders(headers)) + string(value)
		if id := string(headers[0].Value); want[id] != got {
			b.t.Fatalf("event %s stands on the log as\n%q\nand in the outbox as\n%q", id, got, want[id])
		}
	}
}

func TestSlabs(t *testing.T) {
	t.Parallel()
	var p slabs
	first, second := p.take(), p.take()
	big := first.copy(make([]byte, 3<<20), 5)
	small := first.copy([]byte("x"), 0)
	if empty := first.copy([]byte{}, 0); first.copy(nil, 3) != nil || empty == nil {
		t.Error("nil and empty are not kept apart")
	}
	if len(big) != 3<<20 || cap(big) != len(big)+5 || cap(small) != 1 {
		t.Errorf("a copy has no room of its own: %d of %d, %d", len(big), cap(big), cap(small))
	}
	held := first.bytes()
	p.give(second)
	p.give(first)
	if again := p.take(); again != first || again.bytes() != held || len(again.rows) != 0 {
		t.Errorf("got a slab of %d bytes and %d rows, want the last one given back, empty", again.bytes(), len(again.rows))
	}
	p.trim() // second was not free all the time
	if len(p.free) != 1 {
		t.Fatalf("%d slabs are free, want the one", len(p.free))
	}
	p.trim()
	if len(p.free) != 0 {
		t.Errorf("%d slabs are kept that nobody needed", len(p.free))
	}
	p.maxBytes = 1 << 20
	p.give(first)
	if len(p.free) != 0 {
		t.Error("a slab above the size limit is kept")
	}
}
