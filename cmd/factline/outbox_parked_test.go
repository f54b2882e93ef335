package main

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/outbox"
	"factline.dev/runbook"
)

func TestParkedTables(t *testing.T) {
	t.Parallel()
	hostile := "\x1b[2Jboom\u202e"
	rows := []parkedRow{
		{"order-service", outbox.ParkedEvent{
			ID: "prk_1", ParkedAt: at, Topic: "oms.order.events.v1", EventType: "OrderCaptured", AggregateID: "ord_1", AggregateVersion: 3,
			HeldEvents: 2, Waits: true, Reason: hostile,
		}},
		{"quote-service", outbox.ParkedEvent{
			ID: "prk_2", ParkedAt: at, Topic: "cpq.quote.events.v1", EventType: "QuoteAccepted", AggregateID: "q_1", AggregateVersion: 5, Reason: "too large",
		}},
	}
	for _, tt := range []struct {
		name  string
		write func(b *strings.Builder) error
	}{
		{"outbox_parked", func(b *strings.Builder) error { return writeParked(b, rows) }},
		{"outbox_parked_none", func(b *strings.Builder) error { return writeParked(b, nil) }},
		{"outbox_resolve_retry", func(b *strings.Builder) error {
			return writeResolved(b, outbox.ResolveRequest{ID: "prk_1", Decision: outbox.Retry, Operator: hostile}, outbox.ResolveResult{ActionID: "act_1", HeldEvents: 2})
		}},
		{"outbox_resolve_skip", func(b *strings.Builder) error {
			return writeResolved(b, outbox.ResolveRequest{ID: "prk_1", Decision: outbox.Skip, Operator: "kim"}, outbox.ResolveResult{ActionID: "act_1"})
		}},
		{"outbox_skip_topic", func(b *strings.Builder) error {
			return writeSkippedTopic(b, outbox.SkipTopicRequest{Topic: hostile, Operator: hostile}, []skippedTopic{{"order-service", outbox.SkipTopicResult{ActionID: "act_1", Events: 7}}})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			if err := tt.write(&b); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(b.String(), "\x1b\u202e") {
				t.Error("it prints what a stranger wrote, unescaped")
			}
			golden(t, tt.name+".golden", b.String())
		})
	}
}

func TestResolveFindsTheServiceThatHasTheEvent(t *testing.T) {
	t.Parallel()
	services := []runbook.Service{{Name: "empty", Pool: factlinetest.Postgres(t, parkedTables)}, {Name: "full", Pool: factlinetest.Postgres(t, parkedTables)}}
	var id string
	err := services[1].Pool.QueryRow(t.Context(), `INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id,
		aggregate_type, aggregate_id, aggregate_version, topic, stamped, created_at, reason, is_culprit, parked_at)
		VALUES (0, 1, 'e1', 'T', 't', 'A', 'a', 1, 'topic', true, now(), 'r', true, now()) RETURNING parked_id`).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	request := outbox.ResolveRequest{ID: id, Decision: outbox.Retry, Reason: "mended", Operator: "kim"}
	if got, err := resolveIn(t.Context(), services, request); err != nil || got.EventID != "e1" {
		t.Errorf("got %+v (%v), want e1 retried", got, err)
	}
	_, err = resolveIn(t.Context(), services, request)
	if err == nil || !strings.Contains(err.Error(), id) {
		t.Errorf("a second decision gave %v, want an error that names %s", err, id)
	}
}

func TestSkipTopicLooksInEveryService(t *testing.T) {
	t.Parallel()
	services := []runbook.Service{{Name: "empty", Pool: factlinetest.Postgres(t, parkedTables)}, {Name: "full", Pool: factlinetest.Postgres(t, parkedTables)}}
	_, err := services[1].Pool.Exec(t.Context(), `INSERT INTO factline.outbox_parked (lane, position, event_id, event_type, tenant_id,
		aggregate_type, aggregate_id, aggregate_version, topic, stamped, created_at, reason, is_culprit, parked_at, shelf)
		VALUES (0, 1, 'e1', 'T', 't', 'A', 'a', 1, 'topic', true, now(), 'r', false, now(), '')`)
	if err != nil {
		t.Fatal(err)
	}
	request := outbox.SkipTopicRequest{Topic: "topic", Reason: "never made", Operator: "kim"}
	if got, err := skipTopicIn(t.Context(), services, request); err != nil || len(got) != 1 || got[0].Service != "full" || got[0].Events != 1 {
		t.Errorf("got %+v (%v), want one event of full", got, err)
	}
	if _, err := skipTopicIn(t.Context(), services, request); err == nil || !strings.Contains(err.Error(), "no service has events set aside") {
		t.Errorf("a second one gave %v, want an error that says there are none", err)
	}
}

func TestTenantsOfEveryServiceAreListed(t *testing.T) {
	t.Parallel()
	services := []runbook.Service{{Name: "empty", Pool: factlinetest.Postgres(t, parkedTables)}, {Name: "full", Pool: factlinetest.Postgres(t, parkedTables)}}
	_, err := services[1].Pool.Exec(t.Context(), `INSERT INTO factline.outbox_event (lane, position, event_id, event_type, tenant_id,
		aggregate_type, aggregate_id, aggregate_version, topic, value, stamped)
		SELECT 0, n, 'e' || n, 'T', CASE WHEN n > 1 THEN 'noisy' ELSE 'quiet' END, 'A', 'a', n, 'topic', '', true FROM generate_series(1, 5) n`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tenantsIn(t.Context(), services, 1)
	if err != nil || len(got) != 1 || got[0].Service != "full" || got[0].TenantID != "noisy" || got[0].Pending != 4 {
		t.Errorf("got %+v (%v), want the noisy tenant of full with 4", got, err)
	}
}

var parkedTables = factlinetest.PostgresTemplate("outbox_parked", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrate.Up(ctx, pool, migrate.Config{})
})
