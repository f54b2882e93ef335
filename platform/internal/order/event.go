package order

import (
	"encoding/json"

	"factline.dev/platform/internal/money"
)

// The payloads of this service's own events, as their contracts describe them.

type totals struct {
	_                  struct{}     `json:"-" additionalProperties:"true"`
	OneTimeTotal       money.Amount `json:"oneTimeTotal"`
	RecurringTotal     money.Amount `json:"recurringTotal"`
	ListOneTimeTotal   money.Amount `json:"listOneTimeTotal,omitzero" required:"false"`
	ListRecurringTotal money.Amount `json:"listRecurringTotal,omitzero" required:"false"`
	DiscountPercent    money.Amount `json:"discountPercent,omitzero" required:"false"`
}

type violation struct {
	Code    string `json:"code"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

type progress struct {
	LinesTotal     int `json:"linesTotal"`
	LinesOpen      int `json:"linesOpen"`
	LinesCompleted int `json:"linesCompleted"`
	LinesFailed    int `json:"linesFailed"`
	LinesWaived    int `json:"linesWaived"`
	LinesCancelled int `json:"linesCancelled"`
}

type lineSummary struct {
	OrderLineID string `json:"orderLineId"`
	QuoteLineID string `json:"quoteLineId"`
	OfferID     string `json:"offerId"`
	Action      string `json:"action"`
}

type orderCaptured struct {
	OrderID                 string        `json:"orderId"`
	QuoteID                 string        `json:"quoteId"`
	CustomerID              string        `json:"customerId"`
	CapturedAt              string        `json:"capturedAt"`
	Currency                string        `json:"currency"`
	Totals                  totals        `json:"totals"`
	LineSummaries           []lineSummary `json:"lineSummaries"`
	CommercialSnapshotHash  string        `json:"commercialSnapshotHash"`
	LineCount               int           `json:"lineCount"`
	SalesChannel            string        `json:"salesChannel"`
	AcceptedEvidenceRef     string        `json:"acceptedEvidenceRef"`
	QuoteRevision           int           `json:"quoteRevision"`
	RequestedCompletionDate string        `json:"requestedCompletionDate,omitempty"`
}

type orderCaptureRejected struct {
	CaptureID     string `json:"captureId"`
	QuoteID       string `json:"quoteId"`
	QuoteRevision int    `json:"quoteRevision"`
	CustomerID    string `json:"customerId"`
	ReasonCode    string `json:"reasonCode"`
	Detail        string `json:"detail"`
	SourceEventID string `json:"sourceEventId"`
	AcceptedBy    string `json:"acceptedBy"`
	RejectedAt    string `json:"rejectedAt"`
}

type orderValidated struct {
	OrderID     string   `json:"orderId"`
	QuoteID     string   `json:"quoteId"`
	CustomerID  string   `json:"customerId"`
	LineCount   int      `json:"lineCount"`
	Checks      []string `json:"checks"`
	ValidatedAt string   `json:"validatedAt"`
}

type orderValidationFailed struct {
	OrderID    string      `json:"orderId"`
	QuoteID    string      `json:"quoteId"`
	CustomerID string      `json:"customerId"`
	Violations []violation `json:"violations"`
	FailedAt   string      `json:"failedAt"`
}

type activatedLine struct {
	OrderLineID    string       `json:"orderLineId"`
	QuoteLineID    string       `json:"quoteLineId"`
	OfferID        string       `json:"offerId"`
	OfferName      string       `json:"offerName"`
	ProductCode    string       `json:"productCode"`
	Action         string       `json:"action"`
	Quantity       int64        `json:"quantity"`
	DependsOn      []string     `json:"dependsOn"`
	Required       bool         `json:"required"`
	GroupNo        int          `json:"groupNo"`
	WaveNo         int          `json:"waveNo"`
	OneTimeTotal   money.Amount `json:"oneTimeTotal"`
	RecurringTotal money.Amount `json:"recurringTotal"`
}

type orderActivated struct {
	OrderID                 string          `json:"orderId"`
	QuoteID                 string          `json:"quoteId"`
	CustomerID              string          `json:"customerId"`
	Currency                string          `json:"currency"`
	Totals                  totals          `json:"totals"`
	Lines                   []activatedLine `json:"lines"`
	CommercialSnapshotHash  string          `json:"commercialSnapshotHash"`
	RequestedCompletionDate string          `json:"requestedCompletionDate,omitempty"`
	ActivatedAt             string          `json:"activatedAt"`
}

type orderSubmittedForFulfillment struct {
	OrderID     string `json:"orderId"`
	QuoteID     string `json:"quoteId"`
	CustomerID  string `json:"customerId"`
	LineCount   int    `json:"lineCount"`
	GroupCount  int    `json:"groupCount"`
	DueAt       string `json:"dueAt"`
	SubmittedAt string `json:"submittedAt"`
}

type orderLineStarted struct {
	OrderID               string   `json:"orderId"`
	OrderLineID           string   `json:"orderLineId"`
	QuoteID               string   `json:"quoteId"`
	CustomerID            string   `json:"customerId"`
	OfferID               string   `json:"offerId"`
	ProductCode           string   `json:"productCode"`
	Action                string   `json:"action"`
	Quantity              int64    `json:"quantity"`
	SatisfiedDependencies []string `json:"satisfiedDependencies"`
	StartedAt             string   `json:"startedAt"`
}

type dependencyResult struct {
	OrderLineID              string            `json:"orderLineId"`
	ProductCode              string            `json:"productCode"`
	State                    string            `json:"state"`
	ExternalReference        string            `json:"externalReference,omitempty"`
	FulfilledCharacteristics map[string]string `json:"fulfilledCharacteristics"`
}

type orderLineFulfillmentRequested struct {
	OrderID           string             `json:"orderId"`
	OrderLineID       string             `json:"orderLineId"`
	QuoteID           string             `json:"quoteId"`
	QuoteLineID       string             `json:"quoteLineId"`
	CustomerID        string             `json:"customerId"`
	Attempt           int                `json:"attempt"`
	FulfillmentKind   string             `json:"fulfillmentKind"`
	OfferID           string             `json:"offerId"`
	OfferName         string             `json:"offerName"`
	ProductCode       string             `json:"productCode"`
	Action            string             `json:"action"`
	Quantity          int64              `json:"quantity"`
	Characteristics   map[string]string  `json:"characteristics"`
	DependsOn         []string           `json:"dependsOn"`
	DependencyResults []dependencyResult `json:"dependencyResults"`
	Site              json.RawMessage    `json:"site,omitempty"`
	Priority          int                `json:"priority"`
	RequestedAt       string             `json:"requestedAt"`
	DueAt             string             `json:"dueAt"`
}

type orderLineFulfillmentCompleted struct {
	OrderID                  string            `json:"orderId"`
	OrderLineID              string            `json:"orderLineId"`
	QuoteID                  string            `json:"quoteId"`
	CustomerID               string            `json:"customerId"`
	Attempt                  int               `json:"attempt"`
	OfferID                  string            `json:"offerId"`
	ProductCode              string            `json:"productCode"`
	Action                   string            `json:"action"`
	Quantity                 int64             `json:"quantity"`
	FulfillmentRequestID     string            `json:"fulfillmentRequestId"`
	ExternalReference        string            `json:"externalReference"`
	FulfilledCharacteristics map[string]string `json:"fulfilledCharacteristics"`
	RequestedAt              string            `json:"requestedAt"`
	CompletedAt              string            `json:"completedAt"`
	Progress                 progress          `json:"progress"`
}

type lineOutcome struct {
	OrderLineID       string `json:"orderLineId"`
	OfferID           string `json:"offerId"`
	ProductCode       string `json:"productCode"`
	State             string `json:"state"`
	EndedAt           string `json:"endedAt"`
	ExternalReference string `json:"externalReference,omitempty"`
}

type orderCompleted struct {
	OrderID                string        `json:"orderId"`
	QuoteID                string        `json:"quoteId"`
	CustomerID             string        `json:"customerId"`
	Currency               string        `json:"currency"`
	Totals                 totals        `json:"totals"`
	Outcome                string        `json:"outcome"`
	CapturedAt             string        `json:"capturedAt"`
	CompletedAt            string        `json:"completedAt"`
	Lines                  []lineOutcome `json:"lines"`
	Progress               progress      `json:"progress"`
	CommercialSnapshotHash string        `json:"commercialSnapshotHash"`
}

// Of foreign events, only the fields that this service reads. quoteAccepted is
// also the body of the second channel for captures.

type quoteFact struct {
	QuoteID                string `json:"quoteId"`
	QuoteRevision          int    `json:"quoteRevision"`
	CommercialSnapshotHash string `json:"commercialSnapshotHash"`
	ApprovalMode           string `json:"approvalMode"`
}

type quoteAccepted struct {
	_                       struct{}     `json:"-" additionalProperties:"true"`
	QuoteID                 string       `json:"quoteId" pattern:"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"`
	QuoteRevision           int          `json:"quoteRevision" minimum:"1"`
	CustomerID              string       `json:"customerId" pattern:"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"`
	Currency                string       `json:"currency" pattern:"^[A-Z]{3}$"`
	SalesChannel            string       `json:"salesChannel" enum:"DIRECT_SALES,WEB,PARTNER_PORTAL,CONTACT_CENTER"`
	AcceptedBy              string       `json:"acceptedBy" pattern:"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"`
	AcceptedAt              string       `json:"acceptedAt" format:"date-time"`
	AcceptedEvidenceRef     string       `json:"acceptedEvidenceRef" minLength:"1" maxLength:"1000"`
	ValidUntil              string       `json:"validUntil" format:"date-time"`
	PriceBookID             string       `json:"priceBookId" minLength:"1" maxLength:"64"`
	PriceBookVersion        int          `json:"priceBookVersion" minimum:"0"`
	DiscountPolicyVersion   int          `json:"discountPolicyVersion" minimum:"0"`
	Totals                  totals       `json:"totals"`
	Lines                   []quotedLine `json:"lines" maxItems:"500"`
	CommercialSnapshotHash  string       `json:"commercialSnapshotHash" minLength:"1" maxLength:"200"`
	RequestedCompletionDate string       `json:"requestedCompletionDate,omitempty" format:"date"`
}

type quotedLine struct {
	_                 struct{}          `json:"-" additionalProperties:"true"`
	QuoteLineID       string            `json:"quoteLineId" pattern:"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"`
	ConfigurationHash string            `json:"configurationHash" maxLength:"200"`
	ItemID            string            `json:"itemId" maxLength:"64"`
	OfferID           string            `json:"offerId" pattern:"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"`
	OfferName         string            `json:"offerName" minLength:"1" maxLength:"200"`
	ProductCode       string            `json:"productCode" minLength:"1" maxLength:"200"`
	Action            string            `json:"action" enum:"ADD,MODIFY,REMOVE"`
	Quantity          int64             `json:"quantity" minimum:"1" maximum:"1000000"`
	Characteristics   map[string]string `json:"characteristics" maxProperties:"64"`
	DependsOn         []string          `json:"dependsOn"`
	Required          bool              `json:"required"`
	OneTimeTotal      money.Amount      `json:"oneTimeTotal"`
	RecurringTotal    money.Amount      `json:"recurringTotal"`
	DiscountPercent   money.Amount      `json:"discountPercent"`
	Site              json.RawMessage   `json:"site,omitempty" doc:"Installation site"`
}
