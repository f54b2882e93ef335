package outbox

import (
	"testing"
)

func TestStatusOfALongBacklogIsItsLength(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const perLane = MaxCountedPending + 500
	const fill = `INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type,
		aggregate_id, aggregate_version, topic, value, stamped)
		SELECT lane, position, 'e', 'T', 't', 'A', 'a', 1, 'topic', '', true
		FROM generate_series(0, 1) AS lane, generate_series(1, $1) AS position`
	if _, err := b.pool.Exec(t.Context(), fill, perLane); err != nil {
		t.Fatal(err)
	}
	if _, err := b.pool.Exec(t.Context(), "UPDATE factline.outbox_lane SET low_water = 1400 WHERE lane = 1"); err != nil {
		t.Fatal(err)
	}
	report, err := Status(t.Context(), b.pool)
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Lanes[0].Pending; got != perLane {
		t.Errorf("lane 0 has %d pending, want %d", got, perLane)
	}
	if got := report.Lanes[1].Pending; got != 100 {
		t.Errorf("lane 1 has %d pending, want 100", got)
	}
	if got := report.Pending(); got != perLane+100 {
		t.Errorf("%d are pending, want %d", got, perLane+100)
	}
}
