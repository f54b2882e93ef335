package order

import (
	"net/http"
	"time"

	"factline.dev/platform/internal/money"
	"factline.dev/platform/internal/web"
)

// State is where an order stands in its life.
type State string

// LineState is where a line of an order stands.
type LineState string

const (
	stateNone             State = "NONE"
	stateCaptured         State = "CAPTURED"
	stateValidationFailed State = "VALIDATION_FAILED"
	stateValidated        State = "VALIDATED"
	stateActive           State = "ACTIVE"
	stateInFulfillment    State = "IN_FULFILLMENT"
	stateCancelling       State = "CANCELLING"
	stateCompleted        State = "COMPLETED"
	stateCancelled        State = "CANCELLED"

	linePending   LineState = "PENDING"
	lineStarted   LineState = "STARTED"
	lineRequested LineState = "REQUESTED"
	lineCompleted LineState = "COMPLETED"
	lineFailed    LineState = "FAILED"
	lineWaived    LineState = "WAIVED"
	lineCancelled LineState = "CANCELLED"
)

const (
	serviceActor = "svc_order"
	// lineDue is how long a line may take before it is in jeopardy.
	lineDue = 4 * time.Hour
)

// aggregate is an order with its lines.
type aggregate struct {
	OrderID                 string       `db:"order_id"`
	TenantID                string       `db:"tenant_id"`
	QuoteID                 string       `db:"quote_id"`
	QuoteRevision           int          `db:"quote_revision"`
	Version                 int64        `db:"version"`
	CustomerID              string       `db:"customer_id"`
	Currency                string       `db:"currency"`
	SalesChannel            string       `db:"sales_channel"`
	State                   State        `db:"state"`
	OneTimeTotal            money.Amount `db:"one_time_total"`
	RecurringTotal          money.Amount `db:"recurring_total"`
	ListOneTimeTotal        money.Amount `db:"list_one_time_total"`
	ListRecurringTotal      money.Amount `db:"list_recurring_total"`
	DiscountPercent         money.Amount `db:"discount_percent"`
	CommercialSnapshotHash  string       `db:"commercial_snapshot_hash"`
	AcceptedEvidenceRef     string       `db:"accepted_evidence_ref"`
	RequestedCompletionDate string       `db:"requested_completion_date"`
	CapturedAt              time.Time    `db:"captured_at"`
	ValidatedAt             *time.Time   `db:"validated_at"`
	ActivatedAt             *time.Time   `db:"activated_at"`
	SubmittedAt             *time.Time   `db:"submitted_at"`
	CompletedAt             *time.Time   `db:"completed_at"`
	CancelledAt             *time.Time   `db:"cancelled_at"`
	DueAt                   *time.Time   `db:"due_at"`
	ReasonCode              string       `db:"reason_code"`
	Outcome                 string       `db:"outcome"`
	CreatedAt               time.Time    `db:"created_at"`
	UpdatedAt               time.Time    `db:"updated_at"`

	Lines []line `db:"-"`
}

type line struct {
	OrderLineID              string            `db:"order_line_id"`
	QuoteLineID              string            `db:"quote_line_id"`
	OfferID                  string            `db:"offer_id"`
	OfferName                string            `db:"offer_name"`
	ProductCode              string            `db:"product_code"`
	Action                   string            `db:"action"`
	Quantity                 int               `db:"quantity"`
	Characteristics          map[string]string `db:"characteristics"`
	Site                     *site             `db:"site"`
	Required                 bool              `db:"required"`
	State                    LineState         `db:"state"`
	Attempt                  int               `db:"attempt"`
	GroupNo                  int               `db:"group_no"`
	WaveNo                   int               `db:"wave_no"`
	FulfillmentRequestID     string            `db:"fulfillment_request_id"`
	ExternalReference        string            `db:"external_reference"`
	FulfilledCharacteristics map[string]string `db:"fulfilled_characteristics"`
	OneTimeTotal             money.Amount      `db:"one_time_total"`
	RecurringTotal           money.Amount      `db:"recurring_total"`
	StartedAt                *time.Time        `db:"started_at"`
	RequestedAt              *time.Time        `db:"requested_at"`
	DueAt                    *time.Time        `db:"due_at"`
	EndedAt                  *time.Time        `db:"ended_at"`
	DependsOn                []string          `db:"depends_on"`

	changed bool
}

// event is a fact that a decision found. from and to are of the line where it
// names one, of the order otherwise.
type event struct {
	lineID, from, to string
	payload          fact
}

// fact is the payload of an event, a generated type that knows its contract.
type fact interface {
	EventType() string
	EventVersion() int
}

// decision is an order on its way to a new version.
type decision struct {
	aggregate
	actor, sourceEventID string
	now                  time.Time
	events               []event
	requests             []Request
	before               int64
}

func decide(o aggregate, actor string, now time.Time, sourceEventID string) *decision {
	return &decision{aggregate: o, actor: actor, sourceEventID: sourceEventID, now: now, before: o.Version}
}

func (d *decision) record(to State, payload fact) {
	d.events = append(d.events, event{from: string(d.State), to: string(to), payload: payload})
	d.State = to
	d.Version++
	d.UpdatedAt = d.now
}

func (d *decision) recordLine(l *line, to LineState, payload fact) {
	d.events = append(d.events, event{lineID: l.OrderLineID, from: string(l.State), to: string(to), payload: payload})
	l.State, l.changed = to, true
	d.Version++
	d.UpdatedAt = d.now
}

func (d *decision) totals() totals {
	return totals{
		OneTimeTotal: d.OneTimeTotal, RecurringTotal: d.RecurringTotal, ListOneTimeTotal: new(d.ListOneTimeTotal),
		ListRecurringTotal: new(d.ListRecurringTotal), DiscountPercent: new(d.DiscountPercent),
	}
}

func (d *decision) line(id string) *line {
	for i := range d.Lines {
		if d.Lines[i].OrderLineID == id {
			return &d.Lines[i]
		}
	}
	return nil
}

// supports says which products can be fulfilled.
func supports(productCode string) bool {
	switch productCode {
	case "INTERNET_ACCESS", "ROUTER", "STATIC_IP", "VOICE", "SECURITY", "SDWAN_SITE", "SDWAN_CONTROLLER", "INSTALLATION":
		return true
	}
	return false
}

// installedReference names, on a line that changes or removes something, what.
const installedReference = "installedReference"

// guardValidation reports whether there is anything to validate.
func (d *decision) guardValidation() (bool, error) {
	switch d.State {
	case stateCaptured, stateValidationFailed:
		return true, nil
	case stateCancelled, stateCancelling:
		return false, web.NotAllowed(string(d.State))
	}
	return false, nil
}

// validate decides whether the order can be fulfilled.
func (d *decision) validate(creditHold bool) []violation {
	violations := d.violations(creditHold)
	if len(violations) > 0 {
		d.ReasonCode = violations[0].Code
		d.record(stateValidationFailed, orderValidationFailed{
			OrderID: d.OrderID, QuoteID: d.QuoteID, CustomerID: d.CustomerID, Violations: violations, FailedAt: d.now,
		})
		return violations
	}
	d.ValidatedAt, d.ReasonCode = &d.now, ""
	d.record(stateValidated, orderValidated{
		OrderID: d.OrderID, QuoteID: d.QuoteID, CustomerID: d.CustomerID, LineCount: len(d.Lines),
		Checks:      []string{"PRODUCTS_SUPPORTED", "DEPENDENCIES_INSIDE_ORDER", "INSTALLED_REFERENCES", "CUSTOMER_CREDIT"},
		ValidatedAt: d.now,
	})
	return nil
}

// proceed validates the order and activates it where nothing is in the way:
// between the two nobody else decides.
func (d *decision) proceed(creditHold bool) []violation {
	violations := d.validate(creditHold)
	if len(violations) == 0 {
		d.activate()
	}
	return violations
}

func (d *decision) violations(creditHold bool) []violation {
	var all []violation
	add := func(code, path, message string) {
		all = append(all, violation{Code: code, Path: path, Message: message})
	}
	if creditHold {
		add("CUSTOMER_CREDIT_HOLD", "customerId", "The customer's credit is on hold.")
	}
	for _, l := range d.Lines {
		path := "lines." + l.OrderLineID
		if !supports(l.ProductCode) {
			add("PRODUCT_NOT_SUPPORTED", path, "The product cannot be fulfilled.")
		}
		if l.Action != "ADD" && l.Characteristics[installedReference] == "" {
			add("INSTALLED_REFERENCE_MISSING", path, "A line that changes or removes something must name it in installedReference.")
		}
		for _, on := range l.DependsOn {
			if d.line(on) == nil {
				add("DEPENDENCY_OUTSIDE_ORDER", path, "The line depends on a line of another order.")
			}
		}
	}
	return all
}

func (d *decision) guardActivation() (bool, error) {
	switch d.State {
	case stateValidated:
		return true, nil
	case stateActive, stateInFulfillment, stateCompleted:
		return false, nil
	case stateCancelled, stateCancelling:
		return false, web.Refuse(http.StatusConflict, "order.cancelled", "The order is cancelled.")
	}
	return false, web.Refuse(http.StatusConflict, "order.not-validated", "The order is not validated.")
}

// activate freezes groups and waves.
func (d *decision) activate() {
	d.ActivatedAt = &d.now
	d.plan()
	lines := make([]orderLine, len(d.Lines))
	for i, l := range d.Lines {
		lines[i] = orderLine{
			OrderLineID: l.OrderLineID, QuoteLineID: l.QuoteLineID, OfferID: l.OfferID, OfferName: l.OfferName, ProductCode: l.ProductCode,
			Action: action(l.Action), Quantity: l.Quantity, DependsOn: l.DependsOn, Required: l.Required, GroupNo: l.GroupNo, WaveNo: l.WaveNo,
			OneTimeTotal: l.OneTimeTotal, RecurringTotal: l.RecurringTotal,
		}
	}
	d.record(stateActive, orderActivated{
		OrderID: d.OrderID, QuoteID: d.QuoteID, CustomerID: d.CustomerID, Currency: d.Currency, Totals: d.totals(), Lines: lines,
		CommercialSnapshotHash: d.CommercialSnapshotHash, RequestedCompletionDate: present(d.RequestedCompletionDate),
		ActivatedAt: d.now,
	})
}

// plan numbers groups (connected lines) and waves (levels inside a group).
func (d *decision) plan() {
	graph := make(map[string][]string, len(d.Lines))
	for _, l := range d.Lines {
		graph[l.OrderLineID] = l.DependsOn
	}
	wave, _ := levels(graph) // capture refused cycles
	group := groups(d.Lines)
	for i := range d.Lines {
		l := &d.Lines[i]
		l.GroupNo, l.WaveNo, l.changed = group[l.OrderLineID], wave[l.OrderLineID], true
	}
}

// groups numbers the connected components in line order, from 1.
func groups(lines []line) map[string]int {
	neighbours := map[string][]string{}
	for _, l := range lines {
		for _, on := range l.DependsOn {
			neighbours[l.OrderLineID] = append(neighbours[l.OrderLineID], on)
			neighbours[on] = append(neighbours[on], l.OrderLineID)
		}
	}
	group, last := map[string]int{}, 0
	for _, l := range lines {
		if group[l.OrderLineID] != 0 {
			continue
		}
		last++
		for open := []string{l.OrderLineID}; len(open) > 0; {
			node := open[0]
			open = open[1:]
			if group[node] == 0 {
				group[node] = last
				open = append(open, neighbours[node]...)
			}
		}
	}
	return group
}

func (d *decision) groupCount() (groups, waves int) {
	for _, l := range d.Lines {
		groups, waves = max(groups, l.GroupNo), max(waves, l.WaveNo)
	}
	return groups, waves
}

// submit hands an active order to fulfilment.
func (d *decision) submit() {
	groups, waves := d.groupCount()
	due := d.now.Add(time.Duration(waves) * lineDue)
	d.SubmittedAt, d.DueAt = &d.now, &due
	d.record(stateInFulfillment, orderSubmittedForFulfillment{
		OrderID: d.OrderID, QuoteID: d.QuoteID, CustomerID: d.CustomerID, LineCount: len(d.Lines), GroupCount: groups,
		DueAt: due, SubmittedAt: d.now,
	})
}
