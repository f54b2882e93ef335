package platform_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/platform"
)

const (
	quoteTopic = "cpq.quote.events.v1"
	orderTopic = "oms.order.events.v1"
)

// events reads at least n records of a topic and returns those of one aggregate,
// in log order.
func (s *stack) events(t *testing.T, topic string, n int, aggregateID string) []envelope.Raw {
	t.Helper()
	var all []envelope.Raw
	for _, r := range factlinetest.Consume(t, s.cluster.Addrs(), topic, n) {
		e, err := envelope.DecodeRaw(r.Value)
		if err != nil {
			t.Fatalf("record %s/%d/%d: %v", topic, r.Partition, r.Offset, err)
		}
		if e.AggregateID == aggregateID {
			all = append(all, e)
		}
	}
	return all
}

func typesOf(events []envelope.Raw) []string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.EventType
		if e.AggregateVersion != int64(i)+1 {
			names[i] += fmt.Sprintf("@%d", e.AggregateVersion)
		}
	}
	return names
}

func wantTypes(t *testing.T, got []envelope.Raw, want ...string) {
	t.Helper()
	if !slices.Equal(typesOf(got), want) {
		t.Errorf("events (with @version where it is not the position)\ngot  %v\nwant %v", typesOf(got), want)
	}
}

func TestQuoteBecomesACompletedOrder(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	id := s.accepted(t)
	row := s.order(t, id, "COMPLETED")
	orderID, _ := row["orderId"].(string)

	t.Run("the quote is converted and names its order", func(t *testing.T) {
		t.Parallel()
		factlinetest.Eventually(t, 90*time.Second, "conversion", func() (bool, error) {
			q := s.do(t, request{method: "GET", path: "/quotes/" + id}).want(t, 200, "")
			return q.get("state") == "CONVERTED" && q.get("orderId") == orderID, nil
		})
		wantTypes(t, s.events(t, quoteTopic, 6, id), "QuoteDraftCreated", "QuotePriced", "QuoteSubmitted", "QuoteApproved", "QuoteAccepted", "QuoteConverted")
	})

	t.Run("the order's events follow the dependencies of the bundle", func(t *testing.T) {
		t.Parallel()
		got := s.events(t, orderTopic, 23, orderID)
		if len(got) != 4+6*3+1 {
			t.Fatalf("%d events of the order: %v", len(got), typesOf(got))
		}
		wantTypes(t, got[:6], "OrderCaptured", "OrderValidated", "OrderActivated", "OrderSubmittedForFulfillment", "OrderLineStarted", "OrderLineFulfillmentRequested")
		if last := got[len(got)-1]; last.EventType != "OrderCompleted" || last.AggregateVersion != 23 {
			t.Errorf("last event is %s at version %d", last.EventType, last.AggregateVersion)
		}
		checkDependencies(t, got)
	})

	t.Run("one correlation and one trace lead from the request to the last event", func(t *testing.T) {
		t.Parallel()
		got := slices.Concat(s.events(t, quoteTopic, 6, id)[4:], s.events(t, orderTopic, 23, orderID))
		for _, e := range got {
			if e.CorrelationID != got[0].CorrelationID || e.TraceID != got[0].TraceID || e.CausationID == "" || len(e.TraceID) != 32 {
				t.Errorf("%s: correlation %q, trace %q, causation %q; the acceptance has %q and %q", e.EventType, e.CorrelationID, e.TraceID, e.CausationID, got[0].CorrelationID, got[0].TraceID)
			}
		}
		if accepted, captured := got[0], got[2]; captured.EventType != "OrderCaptured" || captured.CausationID != accepted.EventID {
			t.Errorf("%s is caused by %q, not by %s %q", captured.EventType, captured.CausationID, accepted.EventType, accepted.EventID)
		}
	})

	t.Run("the databases agree with each other", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct{ service, sql string }{
			{"quote-service", "SELECT count(*) FROM quote.quote WHERE state = 'CONVERTED' AND version = 6"},
			{"quote-service", "SELECT count(*) FROM quote.quote_acceptance"},
			{"order-service", "SELECT count(*) FROM orders.sales_order WHERE state = 'COMPLETED' AND outcome = 'FULL' AND version = 23"},
			{"order-service", "SELECT count(*) FROM orders.order_capture WHERE state = 'CAPTURED'"},
			{"projection-service", "SELECT count(*) FROM projection.order_summary_projection WHERE state = 'COMPLETED' AND last_version = 23 AND lines_completed = 6 AND lines_open = 0 AND updated_at = completed_at"},
		} {
			if n := s.count(t, c.service, c.sql); n != 1 {
				t.Errorf("%d rows, want 1: %s", n, c.sql)
			}
		}
		for _, c := range []struct {
			service, sql string
			want         int64
		}{
			{"quote-service", "SELECT count(*) FROM quote.quote_transition", 6},
			{"order-service", "SELECT count(DISTINCT version) FROM orders.order_transition", 23},
			{"order-service", "SELECT count(*) FROM orders.order_line WHERE state = 'COMPLETED' AND wave_no BETWEEN 1 AND 4", 6},
			{"projection-service", "SELECT count(*) FROM projection.order_line_projection WHERE state = 'COMPLETED' AND product_code IS NOT NULL", 6},
		} {
			if n := s.count(t, c.service, c.sql); n != c.want {
				t.Errorf("%d rows, want %d: %s", n, c.want, c.sql)
			}
		}
	})

	t.Run("machine commands are answered again without effect", func(t *testing.T) {
		t.Parallel()
		validated := s.do(t, request{method: "POST", path: "/orders/" + orderID + "/validation"}).want(t, 200, "")
		activated := s.do(t, request{method: "POST", path: "/orders/" + orderID + "/activation"}).want(t, 200, "")
		if validated.get("state") != "COMPLETED" || activated.body["lineCount"] != 6.0 || validated.header.Get("ETag") != `"23"` {
			t.Errorf("%s %s", validated.text, activated.text)
		}
		s.do(t, request{method: "POST", path: "/orders/ord_0/validation"}).want(t, 404, "resource.not-found")
	})

	t.Run("the read model shows its lines", func(t *testing.T) {
		t.Parallel()
		a := s.do(t, request{method: "GET", path: "/read/orders/" + orderID}).want(t, 200, "")
		if lines, _ := a.body["lines"].([]any); len(lines) != 6 || a.header.Get("ETag") != `"23"` {
			t.Errorf("ETag %s, %s", a.header.Get("ETag"), a.text)
		}
	})
}

// checkDependencies: a line is requested after everything it depends on is done.
func checkDependencies(t *testing.T, events []envelope.Raw) {
	t.Helper()
	done := map[string]bool{}
	for _, e := range events {
		var f struct {
			OrderLineID       string   `json:"orderLineId"`
			DependsOn         []string `json:"dependsOn"`
			DependencyResults []struct{ ExternalReference string }
		}
		if err := json.Unmarshal(e.Payload, &f); err != nil {
			t.Fatal(err)
		}
		switch e.EventType {
		case "OrderLineFulfillmentCompleted":
			done[f.OrderLineID] = true
		case "OrderLineFulfillmentRequested":
			for _, on := range f.DependsOn {
				if !done[on] {
					t.Errorf("line %s is requested before %s is done", f.OrderLineID, on)
				}
			}
			if len(f.DependencyResults) != len(f.DependsOn) {
				t.Errorf("line %s has %d dependencies and %d results", f.OrderLineID, len(f.DependsOn), len(f.DependencyResults))
			}
		}
	}
}

func TestEveryEventOnTheLogKeepsItsContract(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	id := s.accepted(t)
	s.order(t, id, "COMPLETED")
	for topic, n := range map[string]int{quoteTopic: 6, orderTopic: 23} {
		for _, r := range factlinetest.Consume(t, s.cluster.Addrs(), topic, n) {
			checkRecord(t, catalogue(t), r)
		}
	}
}

func checkRecord(t *testing.T, catalogue *contract.Catalogue, r *kgo.Record) {
	t.Helper()
	e, err := envelope.DecodeRaw(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	if err := catalogue.Validate(e.EventType, e.EventVersion, r.Value); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"eventId", "eventType", "eventVersion", "correlationId", "causationId", "traceparent", "tenantId", "schemaRef", "producer"} {
		if !slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == name && len(h.Value) > 0 }) {
			t.Errorf("%s has no header %s", e.EventType, name)
		}
	}
	if e.Metadata["actorType"] == "" && strings.HasPrefix(e.CausationID, "cmd_") {
		t.Errorf("%s was caused by a command and names no actor", e.EventType)
	}
}

func TestADeepDiscountWaitsForApproval(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	body := strings.Replace(draftBody, `"action":"ADD"`, `"action":"ADD","manualDiscountPercent":"25.00"`, 1)
	draft := s.do(t, request{method: "POST", path: "/quotes", body: body}).want(t, 201, "")
	id := draft.get("quoteId")
	submitted := s.do(t, request{method: "POST", path: "/quotes/" + id + "/submission", header: ifMatch(draft)}).want(t, 200, "")
	if submitted.get("state") != "PENDING_APPROVAL" || submitted.body["approvalRequired"] != true {
		t.Errorf("submission: %s", submitted.text)
	}
	s.do(t, request{method: "POST", path: "/quotes/" + id + "/acceptance", body: acceptBody(submitted), header: ifMatch(submitted)}).want(t, 409, "quote.not-approved")
	wantTypes(t, s.events(t, quoteTopic, 4, id), "QuoteDraftCreated", "QuotePriced", "QuoteSubmitted", "QuoteApprovalRequested")
	cancelled := s.do(t, request{method: "POST", path: "/quotes/" + id + "/cancellation", body: `{"reasonCode":"NO_BUDGET"}`, header: ifMatch(submitted)}).want(t, 200, "")
	if cancelled.get("state") != "CANCELLED" {
		t.Errorf("cancellation: %s", cancelled.text)
	}
}

func TestAPriceBelowTheFloorLeavesADraft(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	body := strings.Replace(draftBody, `"action":"ADD"`, `"action":"ADD","manualDiscountPercent":"50.00"`, 1)
	draft := s.do(t, request{method: "POST", path: "/quotes", body: body}).want(t, 201, "")
	if draft.get("state") != "DRAFT" || draft.get("reasonCode") != "PRICE_BELOW_FLOOR" {
		t.Errorf("draft: %s", draft.text)
	}
	wantTypes(t, s.events(t, quoteTopic, 2, draft.get("quoteId")), "QuoteDraftCreated", "QuotePricingFailed")
	s.do(t, request{method: "POST", path: "/quotes/" + draft.get("quoteId") + "/submission", header: ifMatch(draft)}).want(t, 409, "quote.not-priced")
}

// A capture that a rule refuses: the customer's credit was taken away between
// approval and acceptance.
func TestARefusedCaptureComesBackToTheQuote(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	_, err := s.db(t, "order-service").Exec(t.Context(), "UPDATE orders.mirror_entitlement SET credit_status = 'HOLD' WHERE customer_id = 'cust_tenant_001_1'")
	if err != nil {
		t.Fatal(err)
	}
	id := s.accepted(t)
	factlinetest.Eventually(t, 90*time.Second, "rejection", func() (bool, error) {
		q := s.do(t, request{method: "GET", path: "/quotes/" + id}).want(t, 200, "")
		return q.get("state") == "CONVERSION_REJECTED" && q.get("reasonCode") == "CUSTOMER_CREDIT_HOLD", nil
	})
	wantTypes(t, s.events(t, orderTopic, 1, id), "OrderCaptureRejected")
	got := s.events(t, quoteTopic, 6, id)
	if last := got[len(got)-1]; last.EventType != "QuoteConversionRejected" {
		t.Errorf("last event of the quote is %s", last.EventType)
	}
	for sql, want := range map[string]int64{
		"SELECT count(*) FROM orders.sales_order":                                              0,
		"SELECT count(*) FROM orders.order_capture WHERE state = 'REJECTED'":                   1,
		"SELECT count(*) FROM factline.inbox WHERE state = 'REJECTED'":                         1,
		"SELECT count(*) FROM factline.dead_letter":                                            0,
		"SELECT count(*) FROM orders.order_capture WHERE reason_code = 'CUSTOMER_CREDIT_HOLD'": 1,
	} {
		if n := s.count(t, "order-service", sql); n != want {
			t.Errorf("%d rows, want %d: %s", n, want, sql)
		}
	}
}

func TestARestartedPlatformContinues(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *platform.Config) { c.LineDelay = time.Second })
	id := s.accepted(t)
	s.order(t, id, "IN_FULFILLMENT")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s.run(t)
	s.order(t, id, "COMPLETED")
	other := s.accepted(t)
	s.order(t, other, "COMPLETED")
	if n := s.count(t, "order-service", "SELECT count(*) FROM orders.sales_order"); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
}

func TestPagesNeedNoOtherHost(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	factlinetest.Eventually(t, 10*time.Second, "a request counted", func() (bool, error) {
		return strings.Contains(s.do(t, request{method: "GET", path: "/metrics"}).text, "factline_platform_http_request_seconds"), nil
	})
	for path, want := range map[string]string{
		"/": "order-service", "/docs": "/quotes/{id}/acceptance", "/openapi.json": `"openapi":"3.1.0"`, "/openapi.yaml": "openapi: 3.1.0",
		"/metrics": "factline_outbox", "/healthz": `"ok"`,
	} {
		a := s.do(t, request{method: "GET", path: path})
		if a.status != http.StatusOK || !strings.Contains(a.text, want) {
			t.Errorf("GET %s: %d without %s", path, a.status, want)
		}
		if path == "/" || path == "/docs" {
			for _, foreign := range []string{"https://", "src=", "@import"} {
				if strings.Contains(strings.ReplaceAll(a.text, "https://factline.dev/problems", ""), foreign) {
					t.Errorf("GET %s holds %q", path, foreign)
				}
			}
		}
		if strings.Contains(a.text, "$schema") {
			t.Errorf("GET %s holds $schema", path)
		}
	}
}
