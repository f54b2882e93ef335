package outbox

import (
	"fmt"
	"testing"
)

// Whose backlog it is was to be found out with SQL alone.
func TestTenantsAreListedByWhatWaits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var events []Event
	for i := range 60 {
		noisy := event(fmt.Sprint("n", i), "")
		noisy.TenantID = "noisy"
		events = append(events, noisy)
	}
	for i := range 5 {
		events = append(events, event(fmt.Sprint("q", i), ""))
	}
	b.append(events...)
	all := b.stored()
	// Of the noisy tenant one event is published above the mark, one parked, one
	// set aside above the mark and one below it.
	if _, err := b.pool.Exec(t.Context(), `UPDATE factline.outbox_event SET created_at = clock_timestamp() - interval '1 hour' WHERE aggregate_id = 'q0'`); err != nil {
		t.Fatal(err)
	}
	var noisy []stored
	for _, e := range all {
		if e.AggregateID[0] == 'n' {
			noisy = append(noisy, e)
		}
	}
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO factline.outbox_receipt (lane, first_position, last_position, topic, positions, partitions, offsets, published_at)
		VALUES ($1, $2, $2, 't', ARRAY[$2::bigint], ARRAY[0], ARRAY[0], now())`, noisy[0].Lane, noisy[0].Position); err != nil {
		t.Fatal(err)
	}
	for i, shelf := range []any{nil, ""} {
		if _, err := b.pool.Exec(t.Context(), `INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
				aggregate_version, topic, value, stamped, created_at, reason, is_culprit, parked_at, shelf)
			SELECT lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, value, stamped, created_at, 'r', false, now(), $3
			FROM factline.outbox_event WHERE lane = $1 AND position = $2`, noisy[i+1].Lane, noisy[i+1].Position, shelf); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.pool.Exec(t.Context(), `INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id,
			aggregate_version, topic, value, stamped, created_at, reason, is_culprit, parked_at, shelf)
		VALUES (3, 0, 'e', 'T', 'noisy', 'A', 'a', 1, 't', '', true, now(), 'r', false, now(), '')`); err != nil {
		t.Fatal(err)
	}
	got, err := Tenants(t.Context(), b.pool, 10)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v; want two tenants", got, err)
	}
	if n := got[0]; n.TenantID != "noisy" || n.Pending != 59 || n.OldestSeconds < 0 || n.OldestSeconds > 1800 || n.IsCut {
		t.Errorf("the noisy tenant has %+v, want 59 that wait", n)
	}
	if q := got[1]; q.TenantID != "tenant_001" || q.Pending != 5 || q.OldestSeconds < 3600 || q.IsCut {
		t.Errorf("the quiet tenant has %+v, want 5 that wait, the oldest for an hour", q)
	}
	report, err := Status(t.Context(), b.pool)
	if err != nil || report.Pending() != 64 {
		t.Errorf("the status counts %d (%v), want as many as the tenants have together", report.Pending(), err)
	}
	bounded, err := tenants(t.Context(), b.pool, 1, 2)
	if err != nil || len(bounded) != 1 || !bounded[0].IsCut || bounded[0].Pending > 33 {
		t.Errorf("two events of each lane gave %+v (%v), want one tenant, cut", bounded, err)
	}
}
