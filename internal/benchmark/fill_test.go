package benchmark

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What is filled in must be what appends and a relay would have left, or
// something else is measured.
func TestWhatIsFilledInIsWhatAppendsWouldHaveLeft(t *testing.T) {
	t.Parallel()
	b := open(t)
	s, err := b.newSite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	const published, added = 12_000, 11_000
	f := &filler{pool: s.pool}
	if err := f.addPublished(t.Context(), s.topic, published); err != nil {
		t.Fatal(err)
	}
	var got string
	err = s.pool.QueryRow(t.Context(), `SELECT format('%s rows, %s receipts, %s pending, %s versions, %s days', count(*),
		(SELECT sum(cardinality(positions)) FROM factline.outbox_receipt),
		count(*) FILTER (WHERE e.position > l.low_water),
		(SELECT sum(version) FROM factline.outbox_stream), extract(day FROM max(now() - created_at) + interval '1 hour'))
		FROM factline.outbox_event e JOIN factline.outbox_lane l USING (lane)`).Scan(&got)
	if want := fmt.Sprintf("%d rows, %d receipts, 0 pending, %d versions, 6 days", published, published, published); err != nil || got != want {
		t.Errorf("filled in are %s (%v), want %s", got, err, want)
	}

	ids, err := f.add(t.Context(), s.topic, added)
	if err != nil {
		t.Fatal(err)
	}
	w := &workload{ids: ids}
	m, err := s.drain(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.checkLog(t.Context(), w, true, &m); err != nil {
		t.Error(err)
	}
	contracts, err := newContracts()
	if err != nil {
		t.Fatal(err)
	}
	err = eachRecord(t.Context(), s.addrs, s.topic, func(r *kgo.Record) error {
		if off := len(r.Value) - eventBytes; off < -2 || off > 2 {
			return fmt.Errorf("an event has %d bytes, want %d", len(r.Value), eventBytes)
		}
		return contracts.Validate(eventType, 1, r.Value)
	})
	if err != nil {
		t.Error(err)
	}
}
