package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"factline.dev/deadletter"
	"factline.dev/runbook"
)

// skipVersions lets the group go on behind versions of order a.
func (b *bundle) skipVersions(from, to int64) (deadletter.VersionsResult, error) {
	b.t.Helper()
	log, err := runbook.NewLog(b.kafka.Addrs())
	if err != nil {
		b.t.Fatal(err)
	}
	defer log.Close()
	return deadletter.SkipVersions(b.t.Context(), b.pool, deadletter.VersionsRequest{
		Group: group, Topic: orders, TenantID: "acme", AggregateType: "Order", AggregateID: "a", From: from, To: to,
		Reason: "skipped in the outbox", Operator: "kim",
		FindFunc: func(ctx context.Context, m deadletter.Missing) (string, error) {
			return runbook.FindMissing(ctx, []runbook.Service{{Name: "order-service", Pool: b.pool}}, log, m)
		},
	})
}

// counts makes the producer's outbox count order a up to a version.
func (b *bundle) counts(version int64) {
	b.t.Helper()
	_, err := b.pool.Exec(b.t.Context(), `INSERT INTO factline.outbox_stream (tenant_id, aggregate_type, aggregate_id, version)
		VALUES ('acme', 'Order', 'a', $1) ON CONFLICT (tenant_id, aggregate_type, aggregate_id) DO UPDATE SET version = excluded.version`, version)
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestAVersionThatNeverComesIsSkippedAndTheHeldEventsFollowInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.counts(7)
	b.send(order("a", 1), order("a", 4), order("b", 1), order("a", 5), order("a", 7))
	b.wantEffects("a/1", "b/1")
	b.wantHeld("a/4 GAP", "a/5 GAP", "a/7 GAP")
	result, err := b.skipVersions(2, 3)
	if err != nil || result.Next != 4 || result.HeldEvents != 3 {
		t.Fatalf("SkipVersions = %+v, %v, want version 4 of three next", result, err)
	}
	b.wantEffects("a/1", "b/1", "a/4", "a/5")
	b.wantHeld("a/7 GAP")
	if audited := one[string](b, `SELECT action || ' ' || operator || ' ' || reason || ' ' || (detail->>'fromVersion') || (detail->>'toVersion') || ' ' || (detail->>'consumer')
		FROM factline.operator_action WHERE action_id = $1`, result.ActionID); audited != "consumer.skip-versions kim skipped in the outbox 23 "+group {
		t.Errorf("audited %q", audited)
	}
	var not *deadletter.NotMissingError
	if _, err := b.skipVersions(2, 3); !errors.As(err, &not) || not.Applied != 5 || not.Next != 7 {
		t.Errorf("the second time = %v, want a NotMissingError at 5 before 7", err)
	}
	if _, err := b.skipVersions(6, 6); err != nil {
		t.Fatal(err)
	}
	b.send(order("a", 2), order("a", 8)) // one that comes all the same is dropped
	b.wantEffects("a/1", "b/1", "a/4", "a/5", "a/7", "a/8")
	b.wantHeld()
}

// The dead letter of a later version cannot be settled before the missing one, and
// it is no part of what is skipped.
func TestSkippingVersionsStopsAtADeadLetter(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.counts(4)
	b.send(order("a", 1), bad(order("a", 3)), order("a", 4))
	b.wantHeld("a/4 BLOCKED")
	gaps, err := runbook.Gaps(t.Context(), []runbook.Service{{Name: service, Pool: b.pool}})
	if err != nil || len(gaps) != 1 || gaps[0].FromVersion != 2 || gaps[0].ToVersion != 2 || gaps[0].HeldEvents != 1 {
		t.Errorf("gaps = %+v, %v, want version 2", gaps, err)
	}
	var not *deadletter.NotMissingError
	if _, err := b.skipVersions(2, 3); !errors.As(err, &not) || not.Next != 3 {
		t.Errorf("a skip over a dead letter = %v, want a NotMissingError", err)
	}
	if _, err := b.skipVersions(2, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := deadletter.Skip(t.Context(), b.pool, deadletter.SkipRequest{ID: b.letter(), Reason: "known bad", Operator: "kim"}); err != nil {
		t.Fatal(err)
	}
	b.wantEffects("a/1", "a/4")
}

func TestWhatCanStillComeIsNotSkipped(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// elsewhere is where version 2 stands.
		elsewhere func(b *bundle)
		want      string
	}{
		{"on the log, where a restored database has not seen it", func(b *bundle) {
			b.sendRecords(b.recordOf(order("a", 2)))
		}, "stands on the log at " + orders + "/0 offset 2"},
		{"parked in the outbox", func(b *bundle) { b.parked("") }, "version 2 (event e) is parked in the outbox of order-service"},
		{"on its way in the outbox", func(b *bundle) {
			b.execute(`INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, stamped)
				VALUES (0, 5, 'e', 'OrderChanged', 'acme', 'Order', 'a', 2, $1, true)`, orders)
		}, "version 2 (event e) is on its way in the outbox of order-service"},
		{"to be made by a producer that was restored", func(b *bundle) { b.counts(1) }, "counts the aggregate to version 1 alone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, 1)
			stop := b.start(nil)
			b.counts(3)
			b.send(order("a", 1), order("a", 3))
			b.wantHeld("a/3 GAP")
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			tt.elsewhere(b)
			var coming *deadletter.StillComingError
			if _, err := b.skipVersions(2, 2); !errors.As(err, &coming) || !strings.Contains(coming.Place, tt.want) {
				t.Errorf("SkipVersions = %v, want %q", err, tt.want)
			}
			if n := one[int64](b, `SELECT count(*) FROM factline.operator_action`); n != 0 {
				t.Errorf("%d acts are audited, want none", n)
			}
			b.start(nil)
			b.wantHeld(map[bool][]string{true: nil, false: {"a/3 GAP"}}[strings.Contains(tt.want, "on the log")]...)
		})
	}
}

func TestAnEventSkippedInTheOutboxCanBeSkippedByItsGroups(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.counts(3)
	b.parked("2026-07-02T09:00:00Z")
	b.send(order("a", 1), order("a", 3))
	b.wantHeld("a/3 GAP")
	if _, err := b.skipVersions(2, 2); err != nil {
		t.Fatal(err)
	}
	b.wantEffects("a/1", "a/3")
}

func TestVersionsOfAnAggregateThatNoOutboxCountsAreNotSkipped(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.send(order("a", 1), order("a", 3))
	b.wantHeld("a/3 GAP")
	if _, err := b.skipVersions(2, 2); err == nil || !strings.Contains(err.Error(), "pass the database of its producer") {
		t.Errorf("SkipVersions = %v, want to be told that the producer is missing", err)
	}
}

// parked makes version 2 of order a a parked event, skipped where a time is given.
func (b *bundle) parked(skippedAt string) {
	b.t.Helper()
	b.execute(`INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version, topic, stamped)
		VALUES (0, 5, 'e', 'OrderChanged', 'acme', 'Order', 'a', 2, $1, true)`, orders)
	b.execute(`INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id, aggregate_type, aggregate_id, aggregate_version,
		topic, stamped, created_at, reason, is_culprit, parked_at, skipped_at)
		VALUES (0, 5, 'e', 'OrderChanged', 'acme', 'Order', 'a', 2, $1, true, now(), 'too large', true, now(), NULLIF($2, '')::timestamptz)`, orders, skippedAt)
}

func (b *bundle) execute(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.pool.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}
