package quote

import (
	"encoding/json"

	"factline.dev/platform/internal/money"
)

// The payloads of this service's own events, as their contracts describe them.

type totals struct {
	OneTimeTotal       money.Amount `json:"oneTimeTotal"`
	RecurringTotal     money.Amount `json:"recurringTotal"`
	ListOneTimeTotal   money.Amount `json:"listOneTimeTotal"`
	ListRecurringTotal money.Amount `json:"listRecurringTotal"`
	DiscountPercent    money.Amount `json:"discountPercent"`
}

type approvalSignals struct {
	ApprovalRequired       bool         `json:"approvalRequired"`
	MaxLineDiscountPercent money.Amount `json:"maxLineDiscountPercent"`
	QuoteDiscountPercent   money.Amount `json:"quoteDiscountPercent"`
	AutoThresholdPercent   money.Amount `json:"autoThresholdPercent"`
	HardCapPercent         money.Amount `json:"hardCapPercent"`
	Reasons                []string     `json:"reasons"`
	DiscountPolicyVersion  int          `json:"discountPolicyVersion"`
}

type violation struct {
	Code    string `json:"code"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

type approvalEvidence struct {
	ApprovalMode   string `json:"approvalMode"`
	ApprovalCaseID string `json:"approvalCaseId,omitempty"`
	ApprovedBy     string `json:"approvedBy"`
	ApprovedAt     string `json:"approvedAt"`
	EvidenceRef    string `json:"evidenceRef,omitempty"`
}

type lineDraft struct {
	QuoteLineID           string       `json:"quoteLineId"`
	ConfigurationID       string       `json:"configurationId"`
	ConfigurationHash     string       `json:"configurationHash"`
	ItemID                string       `json:"itemId"`
	OfferID               string       `json:"offerId"`
	Action                string       `json:"action"`
	Quantity              int64        `json:"quantity"`
	ManualDiscountPercent money.Amount `json:"manualDiscountPercent"`
}

type lineSummary struct {
	QuoteLineID     string       `json:"quoteLineId"`
	OfferID         string       `json:"offerId"`
	OfferName       string       `json:"offerName"`
	Action          string       `json:"action"`
	Quantity        int64        `json:"quantity"`
	OneTimeTotal    money.Amount `json:"oneTimeTotal"`
	RecurringTotal  money.Amount `json:"recurringTotal"`
	DiscountPercent money.Amount `json:"discountPercent"`
}

type fullLine struct {
	QuoteLineID       string            `json:"quoteLineId"`
	ConfigurationID   string            `json:"configurationId"`
	ConfigurationHash string            `json:"configurationHash"`
	ItemID            string            `json:"itemId"`
	OfferID           string            `json:"offerId"`
	OfferName         string            `json:"offerName"`
	ProductCode       string            `json:"productCode"`
	Action            string            `json:"action"`
	Quantity          int64             `json:"quantity"`
	Characteristics   map[string]string `json:"characteristics"`
	DependsOn         []string          `json:"dependsOn"`
	Required          bool              `json:"required"`
	OneTimeTotal      money.Amount      `json:"oneTimeTotal"`
	RecurringTotal    money.Amount      `json:"recurringTotal"`
	DiscountPercent   money.Amount      `json:"discountPercent"`
	Site              json.RawMessage   `json:"site,omitempty"`
}

type quoteDraftCreated struct {
	QuoteID       string      `json:"quoteId"`
	QuoteNumber   string      `json:"quoteNumber"`
	QuoteRevision int         `json:"quoteRevision"`
	CustomerID    string      `json:"customerId"`
	Currency      string      `json:"currency"`
	PriceBookCode string      `json:"priceBookCode"`
	SalesChannel  string      `json:"salesChannel"`
	ValidUntil    string      `json:"validUntil"`
	Lines         []lineDraft `json:"lines"`
	CreatedBy     string      `json:"createdBy"`
}

type quotePriced struct {
	QuoteID               string          `json:"quoteId"`
	QuoteRevision         int             `json:"quoteRevision"`
	CustomerID            string          `json:"customerId"`
	Currency              string          `json:"currency"`
	PricingRunID          string          `json:"pricingRunId"`
	PriceBookID           string          `json:"priceBookId"`
	PriceBookVersion      int             `json:"priceBookVersion"`
	DiscountPolicyVersion int             `json:"discountPolicyVersion"`
	Totals                totals          `json:"totals"`
	ApprovalSignals       approvalSignals `json:"approvalSignals"`
	PricedAt              string          `json:"pricedAt"`
}

type quotePricingFailed struct {
	QuoteID       string      `json:"quoteId"`
	QuoteRevision int         `json:"quoteRevision"`
	CustomerID    string      `json:"customerId"`
	PricingRunID  string      `json:"pricingRunId"`
	ReasonCode    string      `json:"reasonCode"`
	Violations    []violation `json:"violations"`
}

type quoteSubmitted struct {
	QuoteID                string          `json:"quoteId"`
	QuoteNumber            string          `json:"quoteNumber"`
	QuoteRevision          int             `json:"quoteRevision"`
	CustomerID             string          `json:"customerId"`
	Currency               string          `json:"currency"`
	SalesChannel           string          `json:"salesChannel"`
	Totals                 totals          `json:"totals"`
	ValidFrom              string          `json:"validFrom"`
	ValidUntil             string          `json:"validUntil"`
	ApprovalSignals        approvalSignals `json:"approvalSignals"`
	CatalogVersionID       string          `json:"catalogVersionId"`
	PriceBookID            string          `json:"priceBookId"`
	PriceBookVersion       int             `json:"priceBookVersion"`
	DiscountPolicyVersion  int             `json:"discountPolicyVersion"`
	PricingRunID           string          `json:"pricingRunId"`
	CommercialSnapshotHash string          `json:"commercialSnapshotHash"`
	Lines                  []lineSummary   `json:"lines"`
	SubmittedBy            string          `json:"submittedBy"`
	SubmittedAt            string          `json:"submittedAt"`
}

type quoteApprovalRequested struct {
	QuoteID                string          `json:"quoteId"`
	QuoteRevision          int             `json:"quoteRevision"`
	QuoteVersion           int64           `json:"quoteVersion"`
	ApprovalRequestID      string          `json:"approvalRequestId"`
	CustomerID             string          `json:"customerId"`
	Currency               string          `json:"currency"`
	Totals                 totals          `json:"totals"`
	ApprovalSignals        approvalSignals `json:"approvalSignals"`
	Lines                  []lineSummary   `json:"lines"`
	SubmittedBy            string          `json:"submittedBy"`
	CommercialSnapshotHash string          `json:"commercialSnapshotHash"`
	DueAt                  string          `json:"dueAt"`
}

type quoteApproved struct {
	QuoteID                string `json:"quoteId"`
	QuoteRevision          int    `json:"quoteRevision"`
	CustomerID             string `json:"customerId"`
	Currency               string `json:"currency"`
	Totals                 totals `json:"totals"`
	ApprovalMode           string `json:"approvalMode"`
	ApprovalCaseID         string `json:"approvalCaseId,omitempty"`
	ApprovedBy             string `json:"approvedBy"`
	ApprovedAt             string `json:"approvedAt"`
	DiscountPolicyVersion  int    `json:"discountPolicyVersion"`
	ValidUntil             string `json:"validUntil"`
	CommercialSnapshotHash string `json:"commercialSnapshotHash"`
}

type quoteAccepted struct {
	QuoteID                 string           `json:"quoteId"`
	QuoteNumber             string           `json:"quoteNumber"`
	QuoteRevision           int              `json:"quoteRevision"`
	CustomerID              string           `json:"customerId"`
	Currency                string           `json:"currency"`
	SalesChannel            string           `json:"salesChannel"`
	AcceptedBy              string           `json:"acceptedBy"`
	AcceptedAt              string           `json:"acceptedAt"`
	AcceptedEvidenceRef     string           `json:"acceptedEvidenceRef"`
	ValidFrom               string           `json:"validFrom"`
	ValidUntil              string           `json:"validUntil"`
	CatalogVersionID        string           `json:"catalogVersionId"`
	PriceBookID             string           `json:"priceBookId"`
	PriceBookVersion        int              `json:"priceBookVersion"`
	DiscountPolicyVersion   int              `json:"discountPolicyVersion"`
	PricingRunID            string           `json:"pricingRunId"`
	Approval                approvalEvidence `json:"approval"`
	Totals                  totals           `json:"totals"`
	Lines                   []fullLine       `json:"lines"`
	CommercialSnapshotHash  string           `json:"commercialSnapshotHash"`
	RequestedCompletionDate string           `json:"requestedCompletionDate,omitempty"`
}

type quoteCancelled struct {
	QuoteID       string `json:"quoteId"`
	QuoteRevision int    `json:"quoteRevision"`
	CustomerID    string `json:"customerId"`
	LastState     string `json:"lastState"`
	ReasonCode    string `json:"reasonCode"`
	Comment       string `json:"comment,omitempty"`
	CancelledBy   string `json:"cancelledBy"`
	CancelledAt   string `json:"cancelledAt"`
}

type quoteConverted struct {
	QuoteID       string `json:"quoteId"`
	QuoteRevision int    `json:"quoteRevision"`
	CustomerID    string `json:"customerId"`
	OrderID       string `json:"orderId"`
	ConvertedAt   string `json:"convertedAt"`
}

type quoteConversionRejected struct {
	QuoteID       string `json:"quoteId"`
	QuoteRevision int    `json:"quoteRevision"`
	CustomerID    string `json:"customerId"`
	CaptureID     string `json:"captureId"`
	ReasonCode    string `json:"reasonCode"`
	Detail        string `json:"detail,omitempty"`
	RejectedAt    string `json:"rejectedAt"`
}

// Of foreign events, only the fields that this service reads.

type orderCaptured struct {
	OrderID    string `json:"orderId"`
	QuoteID    string `json:"quoteId"`
	CapturedAt string `json:"capturedAt"`
}

type orderCaptureRejected struct {
	CaptureID     string `json:"captureId"`
	QuoteID       string `json:"quoteId"`
	QuoteRevision int    `json:"quoteRevision"`
	ReasonCode    string `json:"reasonCode"`
	Detail        string `json:"detail"`
}
