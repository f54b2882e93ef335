package quote

import (
	"fmt"
	"net/http"
	"time"

	"factline.dev/envelope"
	"factline.dev/platform/internal/money"
	"factline.dev/platform/internal/web"
)

// configuration is what this service mirrors of ConfigurationFinalized.
type configuration struct {
	ConfigurationID   string    `json:"configurationId"`
	CustomerID        string    `json:"customerId"`
	CatalogVersionID  string    `json:"catalogVersionId"`
	ConfigurationHash string    `json:"configurationHash"`
	Items             []item    `json:"items"`
	ValidUntil        time.Time `json:"validUntil"`
	State             string    `json:"state"`
}

type item struct {
	ItemID          string            `json:"itemId"`
	OfferID         string            `json:"offerId"`
	OfferName       string            `json:"offerName"`
	ProductID       string            `json:"productId"`
	ProductCode     string            `json:"productCode"`
	Quantity        int               `json:"quantity"`
	Characteristics map[string]string `json:"characteristics"`
	DependsOn       []string          `json:"dependsOn"`
	Required        bool              `json:"required"`
	Site            *site             `json:"site,omitempty"`
}

// entitlement is what this service mirrors of a customer.
type entitlement struct {
	CustomerID              string       `json:"customerId"`
	CustomerName            string       `json:"customerName"`
	Segment                 string       `json:"segment"`
	PriceBookCode           string       `json:"priceBookCode"`
	Currency                string       `json:"currency"`
	ContractDiscountPercent money.Amount `json:"contractDiscountPercent"`
	AllowedFamilies         []string     `json:"allowedFamilies"`
	CreditStatus            string       `json:"creditStatus"`
}

// mirrors is what a draft is made from. Entitlement and book are nil where
// nothing is known.
type mirrors struct {
	entitlement    *entitlement
	book           *priceBook
	policy         discountPolicy
	configurations map[string]configuration
	quoteNumber    int64
}

// draftLine selects one item of a configuration, or all where ItemID is empty.
type draftLine struct {
	ConfigurationID       string        `json:"configurationId" minLength:"1" maxLength:"64" example:"cfg_tenant_001_1_1" doc:"A finalized configuration of the customer"`
	ItemID                string        `json:"itemId,omitempty" maxLength:"64" doc:"One item of it; all when absent"`
	Action                string        `json:"action" enum:"ADD,MODIFY,REMOVE"`
	ManualDiscountPercent *money.Amount `json:"manualDiscountPercent,omitempty" pattern:"^[0-9]{1,2}(\\.[0-9]{1,4})?$" doc:"Discount on recurring charges, such as 12.50"`
}

type draftRequest struct {
	CustomerID   string      `json:"customerId" minLength:"1" maxLength:"64" example:"cust_tenant_001_1"`
	Currency     string      `json:"currency" pattern:"^[A-Z]{3}$" example:"EUR"`
	SalesChannel string      `json:"salesChannel" enum:"DIRECT_SALES,WEB,PARTNER_PORTAL,CONTACT_CENTER"`
	ValidDays    int         `json:"validDays,omitempty" minimum:"1" maximum:"365" doc:"Default 30"`
	Lines        []draftLine `json:"lines" minItems:"1" maxItems:"500"`
}

const defaultValidDays = 30

// draft builds a quote from what was selected and prices it. A price that
// cannot be given leaves the quote a draft with the reason.
func draft(tenant, actor string, r draftRequest, m mirrors, now time.Time) (*decision, error) {
	if m.entitlement == nil || m.book == nil {
		return nil, unknownConfiguration()
	}
	if r.Currency != m.entitlement.Currency {
		return nil, web.Refuse(http.StatusUnprocessableEntity, "quote.currency-mismatch", "The customer's price book has another currency.")
	}
	lines, err := selectLines(r, m, now)
	if err != nil {
		return nil, err
	}
	days := r.ValidDays
	if days == 0 {
		days = defaultValidDays
	}
	d := decide(aggregate{
		QuoteID: "q_" + envelope.NewID(), TenantID: tenant, QuoteNumber: fmt.Sprintf("Q-%d-%06d", now.Year(), m.quoteNumber),
		Revision: 1, CustomerID: r.CustomerID, Currency: r.Currency, PriceBookCode: m.entitlement.PriceBookCode,
		SalesChannel: salesChannel(r.SalesChannel), State: stateNone, ValidUntil: now.AddDate(0, 0, days), CreatedAt: now, Lines: lines,
	}, actor, now)
	d.created()
	d.applyPrice(m)
	return d, nil
}

func (d *decision) applyPrice(m mirrors) {
	in := calculationInput{
		currency: d.Currency, at: d.now, book: *m.book, policy: m.policy,
		contractDiscountPercent: m.entitlement.ContractDiscountPercent,
	}
	for _, l := range d.Lines {
		in.lines = append(in.lines, pricingLine{l.QuoteLineID, l.OfferID, l.Quantity, l.ManualDiscountPercent})
	}
	runID := "prun_" + envelope.NewID()
	p, failure := price(in)
	if failure != nil {
		d.pricingFailed(failure, runID)
		return
	}
	d.priced(p, *m.book, runID)
}

func unknownConfiguration() error {
	p := web.Refuse(http.StatusConflict, "quote.configuration-unknown", "A configuration is not known for this customer, or not yet. It must be finalized first.")
	p.Retryable = true
	return p
}

func selectLines(r draftRequest, m mirrors, now time.Time) ([]line, error) {
	var all []line
	for _, selected := range r.Lines {
		c, known := m.configurations[selected.ConfigurationID]
		switch {
		case !known || c.CustomerID != r.CustomerID:
			return nil, unknownConfiguration()
		case c.State == "EXPIRED" || !c.ValidUntil.After(now):
			return nil, web.Refuse(http.StatusUnprocessableEntity, "quote.configuration-expired", "A configuration is no longer valid. Finalize a new one.")
		}
		chosen := linesOf(c, selected)
		if len(chosen) == 0 {
			return nil, unknownConfiguration()
		}
		if all = append(all, chosen...); len(all) > maxLines {
			return nil, web.Refuse(http.StatusUnprocessableEntity, "quote.too-many-lines", "A quote has at most 500 lines.")
		}
	}
	return all, nil
}

// linesOf makes lines of the selected items; dependencies inside the selection
// become dependencies between lines.
func linesOf(c configuration, selected draftLine) []line {
	var lines []line
	byItem := map[string]string{}
	for _, it := range c.Items {
		if selected.ItemID == "" || selected.ItemID == it.ItemID {
			byItem[it.ItemID] = "ql_" + envelope.NewID()
		}
	}
	for _, it := range c.Items {
		id, chosen := byItem[it.ItemID]
		if !chosen {
			continue
		}
		l := line{
			QuoteLineID: id, ConfigurationID: c.ConfigurationID, ConfigurationHash: c.ConfigurationHash, ItemID: it.ItemID,
			OfferID: it.OfferID, OfferName: it.OfferName, ProductCode: it.ProductCode, Action: action(selected.Action), Quantity: it.Quantity,
			Characteristics: it.Characteristics, DependsOn: []string{}, Required: it.Required, Site: it.Site,
		}
		if selected.ManualDiscountPercent != nil {
			l.ManualDiscountPercent = *selected.ManualDiscountPercent
		}
		for _, on := range it.DependsOn {
			if other, inside := byItem[on]; inside {
				l.DependsOn = append(l.DependsOn, other)
			}
		}
		lines = append(lines, l)
	}
	return lines
}
