package order

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func captured(t *testing.T, change func(*acceptedQuote)) *decision {
	t.Helper()
	return capture(tenant, "user_1", acceptance(t, "q_1", change), noon, "evt_1")
}

func kinds(d *decision) []string {
	names := make([]string, len(d.events))
	for i, e := range d.events {
		names[i] = e.payload.EventType()
	}
	return names
}

func TestAnOrderGoesFromCaptureToCompletion(t *testing.T) {
	t.Parallel()
	d := captured(t, nil)
	if v := d.validate(false); v != nil {
		t.Fatal(v)
	}
	d.activate()
	d.submit()
	d.requestReady()
	for _, l := range d.Lines {
		if !d.complete(Result{LineID: l.OrderLineID, Attempt: 1, ExternalReference: "X-1"}) {
			t.Fatalf("line %s is not complete: %v", l.OrderLineID, kinds(d))
		}
	}
	line := []string{"OrderLineStarted", "OrderLineFulfillmentRequested", "OrderLineFulfillmentCompleted"}
	want := slices.Concat([]string{"OrderCaptured", "OrderValidated", "OrderActivated", "OrderSubmittedForFulfillment"}, line, line, line, []string{"OrderCompleted"})
	if !slices.Equal(kinds(d), want) {
		t.Errorf("got %v", kinds(d))
	}
	if d.State != stateCompleted || d.Outcome != "FULL" || d.Version != int64(len(want)) {
		t.Errorf("%s %s at version %d", d.State, d.Outcome, d.Version)
	}
	last, _ := d.events[len(want)-2].payload.(orderLineFulfillmentCompleted)
	if last.Progress != (progress{LinesTotal: 3, LinesCompleted: 3}) {
		t.Errorf("progress with the last line: %+v", last.Progress)
	}
}

func TestAResultNeedsAnOpenRequest(t *testing.T) {
	t.Parallel()
	d := captured(t, nil)
	d.validate(false)
	d.activate()
	d.submit()
	d.requestReady()
	before := d.Version
	for _, r := range []Result{
		{LineID: "ol_unknown", Attempt: 1}, {LineID: d.Lines[0].OrderLineID, Attempt: 2}, {LineID: d.Lines[1].OrderLineID, Attempt: 1},
	} {
		if d.complete(r) || d.Version != before {
			t.Errorf("result %+v is applied", r)
		}
	}
	d.complete(Result{LineID: d.Lines[0].OrderLineID, Attempt: 1})
	if before = d.Version; d.complete(Result{LineID: d.Lines[0].OrderLineID, Attempt: 1}) || d.Version != before {
		t.Error("a repeated result is applied")
	}
}

func TestCompletionRule(t *testing.T) {
	t.Parallel()
	at := noon
	for _, c := range []struct {
		name, outcome string
		states        []LineState
		required      []bool
	}{
		{"all completed is full", "FULL", []LineState{lineCompleted, lineCompleted}, []bool{true, true}},
		{"a waived line makes it partial", "PARTIAL", []LineState{lineCompleted, lineWaived}, []bool{true, true}},
		{"an optional line may fail", "PARTIAL", []LineState{lineCompleted, lineFailed}, []bool{true, false}},
		{"a required line may not", "", []LineState{lineCompleted, lineFailed}, []bool{true, true}},
		{"an open line holds it", "", []LineState{lineCompleted, lineRequested}, []bool{true, false}},
		{"at least one must be delivered", "", []LineState{lineCancelled, lineFailed}, []bool{false, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := decide(aggregate{State: stateInFulfillment}, "a", noon, "")
			for i, state := range c.states {
				d.Lines = append(d.Lines, line{OrderLineID: fmt.Sprint(i), State: state, Required: c.required[i], EndedAt: &at})
			}
			d.finish()
			if d.Outcome != c.outcome || (d.State == stateCompleted) != (c.outcome != "") {
				t.Errorf("%s with outcome %q, want %q", d.State, d.Outcome, c.outcome)
			}
		})
	}
}

func TestValidation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		hold   bool
		change func(*acceptedQuote)
		want   string
	}{
		{"a sound order", false, nil, ""},
		{"credit on hold", true, nil, "CUSTOMER_CREDIT_HOLD"},
		{"a product nobody fulfils", false, func(q *acceptedQuote) { q.Lines[1].ProductCode = "TELEX" }, "PRODUCT_NOT_SUPPORTED"},
		{"a change of nothing", false, func(q *acceptedQuote) { q.Lines[1].Action = "MODIFY" }, "INSTALLED_REFERENCE_MISSING"},
		{"a removal of something installed", false, func(q *acceptedQuote) {
			q.Lines[1].Action, q.Lines[1].Characteristics = "REMOVE", map[string]string{installedReference: "X-1"}
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := captured(t, c.change)
			violations := d.validate(c.hold)
			got, state := "", stateValidated
			if len(violations) > 0 {
				got, state = violations[0].Code, stateValidationFailed
			}
			if got != c.want || d.State != state || d.ReasonCode != c.want {
				t.Errorf("%s: got %q, want %q", d.State, got, c.want)
			}
		})
	}
}

func TestGuards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state                State
		validation, activate string
	}{
		{stateCaptured, "open", "order.not-validated"},
		{stateValidationFailed, "open", "order.not-validated"},
		{stateValidated, "done", "open"},
		{stateActive, "done", "done"},
		{stateInFulfillment, "done", "done"},
		{stateCompleted, "done", "done"},
		{stateCancelled, "state.transition-not-allowed", "order.cancelled"},
		{stateCancelling, "state.transition-not-allowed", "order.cancelled"},
	} {
		t.Run("in state "+string(c.state), func(t *testing.T) {
			t.Parallel()
			d := decide(aggregate{State: c.state}, "a", noon, "")
			if got := guardResult(d.guardValidation()); !strings.Contains(got, c.validation) {
				t.Errorf("validation: got %s, want %s", got, c.validation)
			}
			if got := guardResult(d.guardActivation()); !strings.Contains(got, c.activate) {
				t.Errorf("activation: got %s, want %s", got, c.activate)
			}
		})
	}
}

func guardResult(open bool, err error) string {
	switch {
	case err != nil:
		return err.Error()
	case open:
		return "open"
	}
	return "done"
}

func TestGroupsAndWaves(t *testing.T) {
	t.Parallel()
	d := captured(t, func(q *acceptedQuote) {
		more := q.Lines[0]
		more.QuoteLineID = "ql_4"
		q.Lines = append(q.Lines, more)
		q.Lines[2].DependsOn = []string{"ql_1", "ql_2"}
	})
	d.plan()
	var got []string
	for _, l := range d.Lines {
		got = append(got, fmt.Sprintf("%d/%d", l.GroupNo, l.WaveNo))
	}
	if want := []string{"1/1", "1/2", "1/3", "2/1"}; !slices.Equal(got, want) {
		t.Errorf("group/wave %v, want %v", got, want)
	}
}

func TestTimersCompleteLinesOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	q := acceptance(t, "q_1", func(q *acceptedQuote) { q.Lines[1].DependsOn = []string{} })
	b.approve(t, q)
	wantNil(t, b.event(t, q, "evt_1"))
	err := b.in(t, func(ctx context.Context, tx pgx.Tx) error {
		var id string
		if err := tx.QueryRow(ctx, "SELECT order_id FROM orders.sales_order").Scan(&id); err != nil {
			return err
		}
		o, err := find(ctx, tx, "lock_order", tenant, id)
		if err != nil {
			return err
		}
		d := decide(o, "a", noon, "")
		d.validate(false)
		d.activate()
		d.submit()
		d.requestReady()
		return b.store(ctx, tx, d)
	})
	if err != nil {
		t.Fatal(err)
	}
	// Two lines are ready at once and end in one transaction, then the third.
	for round, want := range []int{2, 3} {
		if fired, err := b.fireDue(t.Context()); !fired || err != nil {
			t.Fatalf("round %d: %v, %v", round, fired, err)
		}
		if n := b.count(t, "SELECT count(*) FROM orders.order_line WHERE state = 'COMPLETED'"); n != want {
			t.Errorf("round %d: %d lines completed, want %d", round, n, want)
		}
	}
	if fired, err := b.fireDue(t.Context()); fired || err != nil {
		t.Errorf("a timer is left: %v, %v", fired, err)
	}
	if n := b.count(t, "SELECT count(*) FROM orders.sales_order WHERE state = 'COMPLETED'"); n != 1 {
		t.Errorf("%d orders completed", n)
	}
}

func TestATimerThatFailsIsPutBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	err := b.in(t, func(ctx context.Context, tx pgx.Tx) error {
		return Delayed{}.Request(ctx, tx, []Request{{TenantID: tenant, OrderID: "ord_gone", LineID: "ol_1", Attempt: 1, RequestedAt: noon.Add(-time.Second)}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.fireDue(t.Context()); err == nil {
		t.Fatal("a timer of an order that does not exist fires")
	}
	if fired, err := b.fireDue(t.Context()); fired || err != nil {
		t.Errorf("it is tried again at once: %v, %v", fired, err)
	}
	if n := b.count(t, "SELECT count(*) FROM orders.timer WHERE state = 'PENDING' AND attempts = 1"); n != 1 {
		t.Errorf("%d timers put back", n)
	}
}
