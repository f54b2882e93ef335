package order

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/platform/contracts"
	"factline.dev/platform/internal/money"
	"factline.dev/platform/internal/web"
)

func TestCaptureRules(t *testing.T) {
	t.Parallel()
	approved := mirrorQuote{Revision: 1, ApprovalMode: "AUTO", State: "APPROVED"}
	for _, c := range []struct {
		name   string
		change func(*acceptedQuote)
		known  *mirrorQuote
		hold   bool
		want   string
	}{
		{"a sound acceptance is captured", nil, &approved, false, ""},
		{"no lines comes first", func(q *acceptedQuote) { q.Lines = nil; q.CommercialSnapshotHash = "x" }, nil, true, "NO_LINES"},
		{"a wrong hash comes before wrong totals", func(q *acceptedQuote) {
			q.CommercialSnapshotHash = "sha256:0"
			q.Totals.OneTimeTotal = money.Int(1)
		}, &approved, false, "SNAPSHOT_HASH_MISMATCH"},
		{"another hash than the approved one", nil, &mirrorQuote{Revision: 1, ApprovalMode: "AUTO", SnapshotHash: "sha256:0", State: "APPROVED"}, false, "SNAPSHOT_HASH_MISMATCH"},
		{"totals that are not the sum", func(q *acceptedQuote) { q.Totals.RecurringTotal = money.MustParse("3.31") }, nil, false, "TOTALS_MISMATCH"},
		{"a quote nobody saw", nil, nil, false, "QUOTE_NOT_APPROVED"},
		{"a quote seen, but not approved", nil, &mirrorQuote{Revision: 1, State: "PRICED"}, true, "QUOTE_NOT_APPROVED"},
		{"an approval of another revision", nil, &mirrorQuote{Revision: 2, ApprovalMode: "AUTO", State: "APPROVED"}, false, "QUOTE_NOT_APPROVED"},
		{"a cancelled quote comes before an expired one", func(q *acceptedQuote) { q.ValidUntil = "2026-07-01T00:00:00.000Z" }, &mirrorQuote{Revision: 1, ApprovalMode: "AUTO", State: "CANCELLED"}, false, "QUOTE_CANCELLED"},
		{"an acceptance after the end of validity", func(q *acceptedQuote) { q.ValidUntil = "2026-07-01T00:00:00.000Z" }, &approved, true, "QUOTE_EXPIRED"},
		{"an acceptance at the very end of validity", func(q *acceptedQuote) { q.ValidUntil = q.AcceptedAt }, &approved, false, ""},
		{"credit on hold comes before a cycle", func(q *acceptedQuote) { q.Lines[0].DependsOn = []string{"ql_3"} }, &approved, true, "CUSTOMER_CREDIT_HOLD"},
		{"a cycle of lines", func(q *acceptedQuote) { q.Lines[0].DependsOn = []string{"ql_3"} }, &approved, false, "DEPENDENCY_CYCLE"},
		{"a line that depends on itself", func(q *acceptedQuote) { q.Lines[0].DependsOn = []string{"ql_1"} }, &approved, false, "DEPENDENCY_CYCLE"},
		{"a dependency on a line that is not there", func(q *acceptedQuote) { q.Lines[0].DependsOn = []string{"ql_9"} }, &approved, false, "DEPENDENCY_CYCLE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			refused, err := captureRules(acceptance(t, "q_1", c.change), c.known, c.hold)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if refused != nil {
				got = refused.reasonCode
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// approve makes the service know the quote as approved.
func (b bundle) approve(t *testing.T, q acceptedQuote) {
	t.Helper()
	err := b.in(t, func(ctx context.Context, tx pgx.Tx) error {
		return saveMirror(ctx, tx, tenant, 4, quoteFact{q.QuoteID, q.QuoteRevision, q.CommercialSnapshotHash, approvalModeAuto}, "APPROVED")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// onExample is the payload of the contract's example with what q says.
func onExample(t *testing.T, q acceptedQuote) json.RawMessage {
	t.Helper()
	text, err := fs.ReadFile(contracts.FS(), "events/cpq.quote.events/QuoteAccepted/examples/full.json")
	var event struct{ Payload map[string]any }
	var mine struct {
		Lines []map[string]any `json:"lines"`
	}
	said, merr := json.Marshal(q)
	if err := errors.Join(err, merr, json.Unmarshal(text, &event), json.Unmarshal(said, &mine)); err != nil {
		t.Fatal(err)
	}
	lines := []any{}
	for _, l := range mine.Lines {
		line := maps.Clone(event.Payload["lines"].([]any)[0].(map[string]any))
		maps.Copy(line, l)
		lines = append(lines, line)
	}
	if err := json.Unmarshal(said, &event.Payload); err != nil {
		t.Fatal(err)
	}
	event.Payload["lines"] = lines
	payload, err := json.Marshal(event.Payload)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// event delivers the acceptance as an event with this id.
func (b bundle) event(t *testing.T, q acceptedQuote, eventID string) error {
	t.Helper()
	m := consumer.Message{Raw: envelope.Raw{EventID: eventID, TenantID: tenant, AggregateVersion: 5, Payload: onExample(t, q)}}
	var outcome error
	err := b.in(t, func(ctx context.Context, tx pgx.Tx) error {
		outcome = b.quoteSubscription().Handlers["QuoteAccepted"](ctx, tx, m)
		if consumer.IsRejected(outcome) {
			return nil
		}
		return outcome
	})
	if err != nil {
		return err
	}
	return outcome
}

// command sends the acceptance over the second channel.
func (b bundle) command(t *testing.T, q acceptedQuote, key string) (int, map[string]any) {
	t.Helper()
	server := web.New(web.Config{Title: "test"})
	server.Mount(b.Routes()...)
	body, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/orders/captures", bytes.NewReader(body))
	for name, value := range map[string]string{"X-Tenant-Id": tenant, "Content-Type": "application/json", "Idempotency-Key": key} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Errorf("answer %s: %v", w.Body, err)
	}
	return w.Code, answer
}

func (b bundle) wantOne(t *testing.T) {
	t.Helper()
	for _, sql := range []string{
		"SELECT count(*) FROM orders.sales_order", "SELECT count(*) FROM orders.order_capture WHERE state = 'CAPTURED'",
		"SELECT count(*) FROM factline.outbox_event WHERE event_type = 'OrderCaptured'",
	} {
		if n := b.count(t, sql); n != 1 {
			t.Errorf("%d, want 1: %s", n, sql)
		}
	}
}

func TestCaptureIsIdempotentByEventAndByCommand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		steps func(t *testing.T, b bundle, q acceptedQuote)
	}{
		{"the event, then another event of the same acceptance", func(t *testing.T, b bundle, q acceptedQuote) {
			t.Helper()
			wantNil(t, b.event(t, q, "evt_1"))
			wantNil(t, b.event(t, q, "evt_2"))
		}},
		{"the event, then the command", func(t *testing.T, b bundle, q acceptedQuote) {
			t.Helper()
			wantNil(t, b.event(t, q, "evt_1"))
			wantStatus(t, b, q, "k1", 200)
			wantStatus(t, b, q, "k2", 200)
		}},
		{"the command, then the event", func(t *testing.T, b bundle, q acceptedQuote) {
			t.Helper()
			wantStatus(t, b, q, "k1", 201)
			wantNil(t, b.event(t, q, "evt_1"))
			wantStatus(t, b, q, "k1", 201)
			wantStatus(t, b, q, "k2", 200)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			q := acceptance(t, "q_1", nil)
			b.approve(t, q)
			c.steps(t, b, q)
			b.wantOne(t)
		})
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func wantStatus(t *testing.T, b bundle, q acceptedQuote, key string, want int) {
	t.Helper()
	if status, answer := b.command(t, q, key); status != want || answer["orderId"] == "" {
		t.Errorf("key %s: got %d %v, want %d", key, status, answer, want)
	}
}

func TestCaptureByEventAndCommandAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 30
	for i := range n {
		q := acceptance(t, fmt.Sprintf("q_%d", i), nil)
		b.approve(t, q)
		var group sync.WaitGroup
		group.Go(func() { wantNil(t, b.event(t, q, "evt_"+q.QuoteID)) })
		for _, key := range []string{"a", "b"} {
			group.Go(func() {
				if status, answer := b.command(t, q, key+q.QuoteID); status != 200 && status != 201 {
					t.Errorf("%s: %d %v", q.QuoteID, status, answer)
				}
			})
		}
		group.Wait()
	}
	for _, sql := range []string{"SELECT count(*) FROM orders.sales_order", "SELECT count(*) FROM factline.outbox_event WHERE event_type = 'OrderCaptured'"} {
		if got := b.count(t, sql); got != n {
			t.Errorf("%d, want %d: %s", got, n, sql)
		}
	}
}

func TestARefusedCaptureIsAResult(t *testing.T) {
	t.Parallel()
	b := setup(t)
	broken := acceptance(t, "q_1", func(q *acceptedQuote) { q.Lines[0].DependsOn = []string{"ql_1"} })
	b.approve(t, broken)
	if err := b.event(t, broken, "evt_1"); !consumer.IsRejected(err) {
		t.Fatalf("got %v, want a rejection", err)
	}
	wantNil(t, b.event(t, broken, "evt_2"))
	status, answer := b.command(t, broken, "k1")
	if status != 422 || answer["code"] != "order.capture-rejected" || answer["reasonCode"] != "DEPENDENCY_CYCLE" {
		t.Errorf("the command is answered %d %v", status, answer)
	}
	if n := b.count(t, "SELECT count(*) FROM factline.outbox_event WHERE event_type = 'OrderCaptureRejected' AND aggregate_type = 'OrderCapture' AND aggregate_version = 1"); n != 1 {
		t.Errorf("%d OrderCaptureRejected", n)
	}
	if n := b.count(t, "SELECT count(*) FROM orders.sales_order"); n != 0 {
		t.Errorf("%d orders", n)
	}
}

// A command may overtake the approval's event; its refusal must not stand in
// the way of the event that comes after.
func TestACommandBeforeTheApprovalIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	q := acceptance(t, "q_1", nil)
	status, answer := b.command(t, q, "k1")
	if status != 422 || answer["reasonCode"] != "QUOTE_NOT_APPROVED" || answer["retryable"] != true {
		t.Errorf("got %d %v", status, answer)
	}
	b.approve(t, q)
	wantStatus(t, b, q, "k1", 201)
	b.wantOne(t)
}

func TestASecondRevisionGivesNoSecondOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	q := acceptance(t, "q_1", nil)
	b.approve(t, q)
	wantNil(t, b.event(t, q, "evt_1"))
	again := acceptance(t, "q_1", func(q *acceptedQuote) { q.QuoteRevision = 2 })
	wantNil(t, b.event(t, again, "evt_2"))
	b.wantOne(t)
}
