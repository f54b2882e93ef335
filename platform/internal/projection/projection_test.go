package projection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/platform/contracts"
	"factline.dev/platform/internal/database"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

var migrated = factlinetest.PostgresTemplate("projection", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	return database.Migrate(ctx, pool, Schema, migrationFiles())
})

const tenant = "tenant_001"

func TestEveryStatementPrepares(t *testing.T) {
	t.Parallel()
	conn, err := factlinetest.Postgres(t, migrated).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	files, err := fs.Glob(statements, "sql/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d statements, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "sql/"), ".sql")
		table := pgx.Identifier{Schema, "order_summary_projection"}
		if strings.Contains(name, "lines") {
			table = pgx.Identifier{Schema, "order_line_projection"}
		}
		sql, _, err := pgx.NamedArgs{}.RewriteQuery(t.Context(), conn.Conn(), on(table, name), nil)
		if err == nil {
			_, err = conn.Conn().Prepare(t.Context(), name, sql)
		}
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// onExample is the payload of an event's example with some fields replaced.
func onExample(kind, fields string) json.RawMessage {
	text, err := fs.ReadFile(contracts.FS(), "events/oms.order.events/"+kind+"/examples/full.json")
	var event struct{ Payload any }
	var over any
	if err := errors.Join(err, json.Unmarshal(text, &event), json.Unmarshal([]byte(fields), &over)); err != nil {
		panic(err)
	}
	payload, err := json.Marshal(merge(event.Payload, over))
	if err != nil {
		panic(err)
	}
	return payload
}

// merge lays one value over another; elements of a list over its first.
func merge(base, over any) any {
	switch over := over.(type) {
	case map[string]any:
		fields, _ := base.(map[string]any)
		merged := maps.Clone(fields)
		for name, value := range over {
			merged[name] = merge(fields[name], value)
		}
		return merged
	case []any:
		elements, _ := base.([]any)
		for i, value := range over {
			if _, ok := value.(map[string]any); ok {
				over[i] = merge(elements[0], value)
			}
		}
	}
	return over
}

// life is what an order of two lines emits, from version 1.
func life(orderID string) []consumer.Message {
	line := func(n int, more string) string {
		return fmt.Sprintf(`"orderLineId":"%s_l%d"%s`, orderID, n, more)
	}
	steps := []struct{ kind, body string }{
		{"OrderCaptured", `"quoteId":"q_1","customerId":"cust_1","salesChannel":"WEB","currency":"EUR","capturedAt":"2026-07-02T12:00:00.000Z","totals":{"oneTimeTotal":"10.00","recurringTotal":"1.10"},"commercialSnapshotHash":"sha256:1","lineSummaries":[{` +
			line(1, `,"quoteLineId":"ql_1","offerId":"off_1","action":"ADD"`) + `},{` + line(2, `,"quoteLineId":"ql_2","offerId":"off_2","action":"ADD"`) + `}]`},
		{"OrderValidated", `"validatedAt":"2026-07-02T12:00:01.000Z"`},
		{"OrderActivated", `"activatedAt":"2026-07-02T12:00:02.000Z","lines":[{` + line(1, `,"productCode":"ROUTER","required":true,"groupNo":1,"waveNo":1,"dependsOn":[]`) + `},{` +
			line(2, `,"productCode":"VOICE","required":false,"groupNo":1,"waveNo":2,"dependsOn":["`+orderID+`_l1"]`) + `}]`},
		{"OrderSubmittedForFulfillment", `"submittedAt":"2026-07-02T12:00:03.000Z","dueAt":"2026-07-02T16:00:03.000Z"`},
		{"OrderLineStarted", line(1, `,"startedAt":"2026-07-02T12:00:04.000Z"`)},
		{"OrderLineFulfillmentRequested", line(1, `,"attempt":1,"requestedAt":"2026-07-02T12:00:04.000Z","dueAt":"2026-07-02T16:00:04.000Z"`)},
		{"OrderLineFulfillmentCompleted", line(1, `,"attempt":1,"completedAt":"2026-07-02T12:00:05.000Z","externalReference":"X-1","progress":{"linesTotal":2,"linesOpen":1,"linesCompleted":1,"linesFailed":0,"linesWaived":0,"linesCancelled":0}`)},
		{"OrderLineStarted", line(2, `,"startedAt":"2026-07-02T12:00:06.000Z"`)},
		{"OrderLineFulfillmentRequested", line(2, `,"attempt":1,"requestedAt":"2026-07-02T12:00:06.000Z","dueAt":"2026-07-02T16:00:06.000Z"`)},
		{"OrderLineFulfillmentCompleted", line(2, `,"attempt":1,"completedAt":"2026-07-02T12:00:07.000Z","externalReference":"X-2","progress":{"linesTotal":2,"linesOpen":0,"linesCompleted":2,"linesFailed":0,"linesWaived":0,"linesCancelled":0}`)},
		{"OrderCompleted", `"completedAt":"2026-07-02T12:00:07.000Z","outcome":"FULL","lines":[],"progress":{"linesTotal":2,"linesOpen":0,"linesCompleted":2,"linesFailed":0,"linesWaived":0,"linesCancelled":0}`},
	}
	var all []consumer.Message
	for i, s := range steps {
		all = append(all, consumer.Message{Raw: envelope.Raw{
			EventID: fmt.Sprintf("evt_%s_%d", orderID, i+1), EventType: s.kind, EventVersion: 1, TenantID: tenant, AggregateType: "Order",
			AggregateID: orderID, AggregateVersion: int64(i + 1), OccurredAt: time.Date(2026, 7, 2, 12, 0, i, 0, time.UTC),
			Payload: onExample(s.kind, `{"orderId":"`+orderID+`",`+s.body+`}`),
		}})
	}
	return all
}

func apply(t *testing.T, pool *pgxpool.Pool, do func(ctx context.Context, tx pgx.Tx) error) {
	t.Helper()
	if err := database.InTenant(t.Context(), pool, tenant, func(tx pgx.Tx) error { return do(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, pool *pgxpool.Pool, table string) string {
	t.Helper()
	var text string
	if err := pool.QueryRow(t.Context(), "SELECT COALESCE(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM projection."+table+" t").Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// A line may come before the ones it depends on, in the order of the keys.
func TestLinesAreFoundWaveByWave(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	events := life("ord_1")[:3]
	swap := strings.NewReplacer(`"waveNo":1`, `"waveNo":2`, `"waveNo":2`, `"waveNo":1`)
	events[2].Payload = json.RawMessage(swap.Replace(string(events[2].Payload)))
	apply(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		if err := applyLive(ctx, tx, events); err != nil {
			return err
		}
		found, err := findLines(ctx, tx, pgx.Identifier{Schema, "order_line_projection"}, tenant, []string{"ord_1"})
		if err == nil && (len(found) != 2 || found[0].OrderLineID != "ord_1_l2") {
			t.Errorf("lines %+v, want the second, of wave 1, first", found)
		}
		return err
	})
}

// However the events are cut and repeated, and wherever they are written, the
// rows are the same in every column.
func TestARebuildEqualsTheLiveTables(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	events := append(life("ord_1"), life("ord_2")...)
	for i := range events { // one by one, each again at once, and an old one after each
		apply(t, pool, func(ctx context.Context, tx pgx.Tx) error {
			return applyLive(ctx, tx, []consumer.Message{events[i], events[i], events[i/11*11]})
		})
	}
	var replays []struct{ live, rebuilt string }
	apply(t, pool, func(ctx context.Context, tx pgx.Tx) error {
		all, err := Replays(ctx, tx)
		if err != nil {
			return err
		}
		for _, r := range all {
			table := pgx.Identifier{Schema, r.Live[1] + "_r1"}
			if err := r.Create(ctx, tx, table); err != nil {
				return err
			}
			if err := r.Apply(ctx, tx, table, events); err != nil {
				return err
			}
			replays = append(replays, struct{ live, rebuilt string }{r.Live[1], table[1]})
		}
		return nil
	})
	for _, r := range replays {
		live, rebuilt := content(t, pool, r.live), content(t, pool, r.rebuilt)
		if live != rebuilt || strings.Count(live, "\n") == 0 {
			t.Errorf("%s\n%s\n%s\n%s", r.live, live, r.rebuilt, rebuilt)
		}
		var protected bool
		if err := pool.QueryRow(t.Context(), "SELECT relforcerowsecurity AND relrowsecurity FROM pg_class WHERE oid = to_regclass($1)", "projection."+r.rebuilt).Scan(&protected); err != nil || !protected {
			t.Errorf("%s has no row-level security: %v", r.rebuilt, err)
		}
	}
}

func TestTheSummaryFollowsTheOrder(t *testing.T) {
	t.Parallel()
	events, err := decode(life("ord_1"))
	if err != nil {
		t.Fatal(err)
	}
	var s summary
	want := []string{"CAPTURED 2", "VALIDATED 2", "ACTIVE 2", "IN_FULFILLMENT 2", "IN_FULFILLMENT 2", "IN_FULFILLMENT 2", "IN_FULFILLMENT 1", "IN_FULFILLMENT 1", "IN_FULFILLMENT 1", "IN_FULFILLMENT 0", "COMPLETED 0"}
	for i, e := range events {
		s.apply(e)
		if got := fmt.Sprintf("%s %d", s.State, s.LinesOpen); got != want[i] || s.LastVersion != int64(i+1) || !s.UpdatedAt.Equal(e.OccurredAt) {
			t.Errorf("after %s: %s at %d, want %s", e.EventType, got, s.LastVersion, want[i])
		}
	}
	before := s
	s.apply(events[0])
	if s.State != before.State || s.LastVersion != before.LastVersion {
		t.Error("an old event changes the row")
	}
}

func TestAnEventWithoutItsOrderIsAnError(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	err := database.InTenant(t.Context(), pool, tenant, func(tx pgx.Tx) error { return applyLive(t.Context(), tx, life("ord_1")[1:2]) })
	if !consumer.IsPermanent(err) {
		t.Errorf("got %v", err)
	}
}

func TestEventsOfOtherAggregatesAreIgnored(t *testing.T) {
	t.Parallel()
	pool := factlinetest.Postgres(t, migrated)
	m := life("ord_1")[0]
	m.AggregateType = "OrderCapture"
	apply(t, pool, func(ctx context.Context, tx pgx.Tx) error { return applyLive(ctx, tx, []consumer.Message{m}) })
	if text := content(t, pool, "order_summary_projection"); text != "" {
		t.Error(text)
	}
}
