package order

import (
	"factline.dev/envelope"
	"factline.dev/platform/internal/money"
)

// acceptedQuote is an accepted quote as a capture needs it: the body of the command,
// and what the event says.
type acceptedQuote struct {
	_                       struct{}       `json:"-" additionalProperties:"true"`
	QuoteID                 string         `json:"quoteId" pattern:"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"`
	QuoteRevision           int            `json:"quoteRevision" minimum:"1"`
	CustomerID              string         `json:"customerId" pattern:"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"`
	Currency                string         `json:"currency" pattern:"^[A-Z]{3}$"`
	SalesChannel            string         `json:"salesChannel" enum:"DIRECT_SALES,WEB,PARTNER_PORTAL,CONTACT_CENTER"`
	AcceptedBy              string         `json:"acceptedBy" pattern:"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"`
	AcceptedAt              string         `json:"acceptedAt" format:"date-time"`
	AcceptedEvidenceRef     string         `json:"acceptedEvidenceRef" minLength:"1" maxLength:"1000"`
	ValidUntil              string         `json:"validUntil" format:"date-time"`
	PriceBookID             string         `json:"priceBookId" minLength:"1" maxLength:"64"`
	PriceBookVersion        int            `json:"priceBookVersion" minimum:"0"`
	DiscountPolicyVersion   int            `json:"discountPolicyVersion" minimum:"0"`
	Totals                  acceptedTotals `json:"totals"`
	Lines                   []quotedLine   `json:"lines" maxItems:"500"`
	CommercialSnapshotHash  string         `json:"commercialSnapshotHash" minLength:"1" maxLength:"200"`
	RequestedCompletionDate string         `json:"requestedCompletionDate,omitempty" format:"date"`
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
	Quantity          int               `json:"quantity" minimum:"1" maximum:"1000000"`
	Characteristics   map[string]string `json:"characteristics" maxProperties:"64"`
	DependsOn         []string          `json:"dependsOn"`
	Required          bool              `json:"required"`
	OneTimeTotal      money.Amount      `json:"oneTimeTotal"`
	RecurringTotal    money.Amount      `json:"recurringTotal"`
	DiscountPercent   money.Amount      `json:"discountPercent"`
	Site              *site             `json:"site,omitempty" doc:"Installation site"`
}

type acceptedTotals struct {
	_                  struct{}     `json:"-" additionalProperties:"true"`
	OneTimeTotal       money.Amount `json:"oneTimeTotal"`
	RecurringTotal     money.Amount `json:"recurringTotal"`
	ListOneTimeTotal   money.Amount `json:"listOneTimeTotal,omitzero" required:"false"`
	ListRecurringTotal money.Amount `json:"listRecurringTotal,omitzero" required:"false"`
	DiscountPercent    money.Amount `json:"discountPercent,omitzero" required:"false"`
}

// accepted takes from the event what a capture needs.
func accepted(p quoteAccepted) acceptedQuote {
	q := acceptedQuote{
		QuoteID: p.QuoteID, QuoteRevision: p.QuoteRevision, CustomerID: p.CustomerID, Currency: p.Currency,
		SalesChannel: string(p.SalesChannel), AcceptedBy: p.AcceptedBy, AcceptedAt: envelope.FormatTime(p.AcceptedAt),
		AcceptedEvidenceRef: p.AcceptedEvidenceRef, ValidUntil: envelope.FormatTime(p.ValidUntil), PriceBookID: p.PriceBookID,
		PriceBookVersion: p.PriceBookVersion, DiscountPolicyVersion: p.DiscountPolicyVersion,
		Totals: acceptedTotals{
			OneTimeTotal: p.Totals.OneTimeTotal, RecurringTotal: p.Totals.RecurringTotal, ListOneTimeTotal: orZero(p.Totals.ListOneTimeTotal),
			ListRecurringTotal: orZero(p.Totals.ListRecurringTotal), DiscountPercent: orZero(p.Totals.DiscountPercent),
		},
		CommercialSnapshotHash: p.CommercialSnapshotHash, RequestedCompletionDate: orZero(p.RequestedCompletionDate),
	}
	for _, l := range p.Lines {
		q.Lines = append(q.Lines, quotedLine{
			QuoteLineID: l.QuoteLineID, ConfigurationHash: l.ConfigurationHash, ItemID: l.ItemID, OfferID: l.OfferID, OfferName: l.OfferName,
			ProductCode: l.ProductCode, Action: string(l.Action), Quantity: l.Quantity, Characteristics: l.Characteristics,
			DependsOn: l.DependsOn, Required: l.Required, OneTimeTotal: l.OneTimeTotal, RecurringTotal: l.RecurringTotal,
			DiscountPercent: l.DiscountPercent, Site: l.Site,
		})
	}
	return q
}

// orZero is an optional field, or zero where it is absent.
func orZero[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}

// present is an optional text of an event, which is absent rather than empty.
func present(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
