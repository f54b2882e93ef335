package deadletter_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/deadletter"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

const (
	group = "projection-service.order-read-model.consumer"
	topic = "oms.order.events.v1"
)

var migrated = factlinetest.PostgresTemplate("deadletter", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	return migrate.Up(ctx, pool, migrate.Config{})
})

// setup is a database with order a at the version applied, and a partition.
func setup(t *testing.T, applied int64) *pgxpool.Pool {
	t.Helper()
	pool := factlinetest.Postgres(t, migrated)
	exec(t, pool, `INSERT INTO factline.consumer_offset VALUES ($1, $2, 0, 10, false, now())`, group, topic)
	if applied > 0 {
		exec(t, pool, `INSERT INTO factline.gate VALUES ($1, $2, 'acme', 'Order', 'a', $3, 'evt_x')`, group, topic, applied)
	}
	return pool
}

func exec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// bury adds a dead letter of order a that blocks its key.
func bury(t *testing.T, pool *pgxpool.Pool, version int64) string {
	t.Helper()
	id := fmt.Sprintf("dlt_%d", version)
	headers := envelope.EncodeHeaders([]envelope.Header{{Key: "eventId", Value: []byte("e")}})
	exec(t, pool, `INSERT INTO factline.dead_letter VALUES ($1, $2, $3, 0, $4, 'acme', 'Order', 'a', $4, $5, 'OrderCaptured',
		'HANDLER_FAILED', 'broken', 5, true, 'a', 'a', $6, '{}', now(), 'OPEN')`, id, group, topic, version, "evt_"+id, headers)
	exec(t, pool, `INSERT INTO factline.blocked_key VALUES ($1, $2, 'acme', 'a', 0, 'Order', 'a', $3, $4, $5, 'HANDLER_FAILED', now())
		ON CONFLICT DO NOTHING`, group, topic, version, "evt_"+id, id)
	return id
}

func skip(id string) deadletter.SkipRequest {
	return deadletter.SkipRequest{ID: id, Reason: "known bad", Operator: "kim"}
}

func TestSkipMovesTheGateAndFreesTheKeyOnce(t *testing.T) {
	t.Parallel()
	pool := setup(t, 4)
	id := bury(t, pool, 5)
	result, err := deadletter.Skip(t.Context(), pool, skip(id))
	if err != nil || !result.Unblocked {
		t.Fatalf("Skip = %+v, %v, want the key free", result, err)
	}
	var version int64
	if err := pool.QueryRow(t.Context(), `SELECT version FROM factline.gate`).Scan(&version); err != nil || version != 5 {
		t.Errorf("gate = %d, %v, want 5", version, err)
	}
	if _, err := deadletter.Skip(t.Context(), pool, skip(id)); !errors.Is(err, deadletter.ErrSettled) {
		t.Errorf("second Skip = %v, want ErrSettled", err)
	}
	var action, operator, reason, eventID string
	err = pool.QueryRow(t.Context(), `SELECT action, operator, reason, detail->>'eventId' FROM factline.operator_action`).Scan(&action, &operator, &reason, &eventID)
	if err != nil || action != "deadletter.skip" || operator != "kim" || reason != "known bad" || eventID != "evt_dlt_5" {
		t.Errorf("audited: %s by %s because %s of %s, %v", action, operator, reason, eventID, err)
	}
}

func TestSkipOfALetterThatItsGroupTriesAgainSaysSo(t *testing.T) {
	t.Parallel()
	pool := setup(t, 4)
	id := bury(t, pool, 5)
	exec(t, pool, `UPDATE factline.dead_letter SET state = 'REDRIVEN'`)
	if _, err := deadletter.Skip(t.Context(), pool, skip(id)); !errors.Is(err, deadletter.ErrRedriven) {
		t.Errorf("Skip = %v, want ErrRedriven", err)
	}
	exec(t, pool, `UPDATE factline.dead_letter SET state = 'APPLIED'`)
	if _, err := deadletter.Skip(t.Context(), pool, skip(id)); !errors.Is(err, deadletter.ErrSettled) {
		t.Errorf("Skip once it is applied = %v, want ErrSettled", err)
	}
}

func TestSkipOfAnAggregatesFirstEventOpensItsGate(t *testing.T) {
	t.Parallel()
	pool := setup(t, 0)
	if _, err := deadletter.Skip(t.Context(), pool, skip(bury(t, pool, 1))); err != nil {
		t.Fatal(err)
	}
	var version int64
	if err := pool.QueryRow(t.Context(), `SELECT version FROM factline.gate`).Scan(&version); err != nil || version != 1 {
		t.Errorf("gate = %d, %v, want 1", version, err)
	}
}

func TestSkipKeepsTheKeyBlockedWhileAnotherDeadLetterIsOpen(t *testing.T) {
	t.Parallel()
	pool := setup(t, 4)
	first, second := bury(t, pool, 5), bury(t, pool, 9)
	result, err := deadletter.Skip(t.Context(), pool, skip(first))
	if err != nil || result.Unblocked {
		t.Fatalf("Skip = %+v, %v, want the key still blocked", result, err)
	}
	var by string
	if err := pool.QueryRow(t.Context(), `SELECT dead_letter_id FROM factline.blocked_key`).Scan(&by); err != nil || by != second {
		t.Errorf("blocked by %s, %v, want %s", by, err, second)
	}
	var early *deadletter.NotNextError
	if _, err := deadletter.Skip(t.Context(), pool, skip(second)); !errors.As(err, &early) || early.Version != 9 || early.Applied != 5 {
		t.Errorf("Skip of version 9 after 5 = %v, want a NotNextError", err)
	}
}

func TestSkipHandsTheKeyToAnEventThatWaitsForItsNextAttempt(t *testing.T) {
	t.Parallel()
	pool := setup(t, 4)
	id := bury(t, pool, 5)
	exec(t, pool, `INSERT INTO factline.held_event VALUES ($1, $2, 0, 8, 'acme', 'OrderNote', 'n', 1, 'evt_n', 'OrderNoted', 'a', 'a', NULL, '{}', now(), 'RETRY', now(), 1, 2, now())`, group, topic)
	result, err := deadletter.Skip(t.Context(), pool, skip(id))
	if err != nil || result.Unblocked {
		t.Fatalf("Skip = %+v, %v, want the key still blocked", result, err)
	}
	var by string
	if err := pool.QueryRow(t.Context(), `SELECT reason || ' ' || event_id || dead_letter_id FROM factline.blocked_key`).Scan(&by); err != nil || by != "RETRY evt_n" {
		t.Errorf("blocked by %q, %v, want the event that is tried again", by, err)
	}
}

func TestSkipRefusesAndChangesNothing(t *testing.T) {
	t.Parallel()
	pool := setup(t, 4)
	id := bury(t, pool, 5)
	if _, err := deadletter.Skip(t.Context(), pool, skip("dlt_other")); !errors.Is(err, deadletter.ErrNotFound) {
		t.Errorf("Skip of an unknown id = %v, want ErrNotFound", err)
	}
	_, err := deadletter.Skip(t.Context(), pool, deadletter.SkipRequest{ID: id, Reason: " "})
	if err == nil || !strings.Contains(err.Error(), "deadletter.SkipRequest.Reason") || !strings.Contains(err.Error(), "deadletter.SkipRequest.Operator") {
		t.Errorf("Skip without reason and operator = %v, want both named", err)
	}
	entries, err := deadletter.List(t.Context(), pool, deadletter.Filter{State: deadletter.Open})
	if err != nil || len(entries) != 1 {
		t.Errorf("open = %v, %v, want the one", entries, err)
	}
}

func TestGetAndListTellTheWholeStory(t *testing.T) {
	t.Parallel()
	pool := setup(t, 4)
	id := bury(t, pool, 5)
	exec(t, pool, `INSERT INTO factline.held_event VALUES ($1, $2, 0, 6, 'acme', 'Order', 'a', 6, 'evt_6', 'OrderCaptured', 'a', 'a', NULL, '{}', now(), 'BLOCKED', now())`, group, topic)
	e, err := deadletter.Get(t.Context(), pool, id)
	if err != nil {
		t.Fatal(err)
	}
	if e.ID != id || e.Record.ConsumerGroup != group || e.Record.SourceOffset != 5 || e.AggregateVersion != 5 || e.HeldEvents != 1 ||
		e.State != deadletter.Open || string(e.Record.OriginalValue) != "{}" || len(e.Record.OriginalHeaders) != 1 {
		t.Errorf("Get = %+v", e)
	}
	if _, err := deadletter.Get(t.Context(), pool, "dlt_other"); !errors.Is(err, deadletter.ErrNotFound) {
		t.Errorf("Get of an unknown id = %v, want ErrNotFound", err)
	}
	bury(t, pool, 7)
	all, err := deadletter.List(t.Context(), pool, deadletter.Filter{Consumer: group, Topic: topic})
	if err != nil || len(all) != 2 || all[0].Record.OriginalValue != nil {
		t.Errorf("List = %+v, %v, want two without their values", all, err)
	}
	if none, err := deadletter.List(t.Context(), pool, deadletter.Filter{Consumer: "other"}); err != nil || len(none) != 0 {
		t.Errorf("List of another consumer = %v, %v, want none", none, err)
	}
}

func TestEveryStatementPreparesOnTheMigratedSchema(t *testing.T) {
	t.Parallel()
	conn, err := factlinetest.Postgres(t, operations).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for name, sql := range deadletter.Statements() {
		positional, _, err := pgx.NamedArgs{}.RewriteQuery(t.Context(), conn.Conn(), sql, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Conn().Prepare(t.Context(), name, positional); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
