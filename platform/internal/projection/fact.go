package projection

import (
	"time"

	"factline.dev/platform/internal/money"
)

// fact holds the fields that the order read model reads of any order event.
type fact struct {
	OrderID                string        `json:"orderId"`
	OrderLineID            string        `json:"orderLineId"`
	QuoteID                string        `json:"quoteId"`
	CustomerID             string        `json:"customerId"`
	SalesChannel           string        `json:"salesChannel"`
	Currency               string        `json:"currency"`
	Totals                 factTotals    `json:"totals"`
	LineCount              int           `json:"lineCount"`
	LineSummaries          []factLine    `json:"lineSummaries"`
	Lines                  []factLine    `json:"lines"`
	Progress               *factProgress `json:"progress"`
	Violations             []factCode    `json:"violations"`
	CommercialSnapshotHash string        `json:"commercialSnapshotHash"`
	Outcome                string        `json:"outcome"`
	Attempt                int           `json:"attempt"`
	ExternalReference      string        `json:"externalReference"`
	CapturedAt             time.Time     `json:"capturedAt"`
	ValidatedAt            *time.Time    `json:"validatedAt"`
	ActivatedAt            *time.Time    `json:"activatedAt"`
	SubmittedAt            *time.Time    `json:"submittedAt"`
	CompletedAt            *time.Time    `json:"completedAt"`
	StartedAt              *time.Time    `json:"startedAt"`
	RequestedAt            *time.Time    `json:"requestedAt"`
	DueAt                  *time.Time    `json:"dueAt"`
}

type factTotals struct {
	OneTimeTotal   money.Amount `json:"oneTimeTotal"`
	RecurringTotal money.Amount `json:"recurringTotal"`
}

type factLine struct {
	OrderLineID       string     `json:"orderLineId"`
	OfferID           string     `json:"offerId"`
	ProductCode       string     `json:"productCode"`
	Action            string     `json:"action"`
	Required          bool       `json:"required"`
	GroupNo           int        `json:"groupNo"`
	WaveNo            int        `json:"waveNo"`
	DependsOn         []string   `json:"dependsOn"`
	State             string     `json:"state"`
	EndedAt           *time.Time `json:"endedAt"`
	ExternalReference string     `json:"externalReference"`
}

type factProgress struct {
	LinesTotal     int `json:"linesTotal"`
	LinesOpen      int `json:"linesOpen"`
	LinesCompleted int `json:"linesCompleted"`
	LinesFailed    int `json:"linesFailed"`
	LinesWaived    int `json:"linesWaived"`
	LinesCancelled int `json:"linesCancelled"`
}

type factCode struct {
	Code string `json:"code"`
}

const orderAggregate = "Order"

// types are the events that the order read model is made of.
func types() []string {
	return []string{
		"OrderCaptured", "OrderValidated", "OrderValidationFailed", "OrderActivated", "OrderSubmittedForFulfillment",
		"OrderLineStarted", "OrderLineFulfillmentRequested", "OrderLineFulfillmentCompleted", "OrderCompleted",
	}
}
