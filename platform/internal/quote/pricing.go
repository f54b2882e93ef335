package quote

import (
	"time"

	"factline.dev/platform/internal/money"
)

// The price of one charge: (1) tier, (2) contract discount, (3) manual
// discount, compounding on the running unit price with 6 decimals; (4) the floor;
// (5) totals rounded half up. Contract and manual discounts apply to recurring
// charges: a one-time charge pays for work done and is never discounted below
// its tier.

const (
	chargeOneTime   = "ONE_TIME"
	chargeRecurring = "RECURRING"
	tierSlab        = "SLAB"
	unitPlaces      = 6
	percentPlaces   = 2
	// monthsCounted weighs a monthly charge against a one-time charge.
	monthsCounted = 12
)

type priceBook struct {
	PriceBookID      string       `json:"priceBookId"`
	PriceBookCode    string       `json:"priceBookCode"`
	PriceBookVersion int          `json:"priceBookVersion"`
	Currency         string       `json:"currency"`
	CatalogVersionID string       `json:"catalogVersionId"`
	EffectiveFrom    time.Time    `json:"effectiveFrom"`
	EffectiveTo      *time.Time   `json:"effectiveTo,omitempty"`
	Entries          []priceEntry `json:"entries"`
}

type priceEntry struct {
	OfferID    string       `json:"offerId"`
	ChargeType string       `json:"chargeType"`
	Period     string       `json:"period,omitempty"`
	ListPrice  money.Amount `json:"listPrice"`
	FloorPrice money.Amount `json:"floorPrice"`
	TierMode   string       `json:"tierMode"`
	Tiers      []priceTier  `json:"tiers"`
}

type priceTier struct {
	TierNo          int           `json:"tierNo"`
	MinQuantity     int           `json:"minQuantity"`
	UnitPrice       *money.Amount `json:"unitPrice,omitempty"`
	DiscountPercent *money.Amount `json:"discountPercent,omitempty"`
}

type discountPolicy struct {
	DiscountPolicyVersion int          `json:"discountPolicyVersion"`
	AutoThresholdPercent  money.Amount `json:"autoThresholdPercent"`
	HardCapPercent        money.Amount `json:"hardCapPercent"`
}

// pricingLine is what is priced.
type pricingLine struct {
	lineRef, offerID      string
	quantity              int
	manualDiscountPercent money.Amount
}

type calculationInput struct {
	currency                string
	at                      time.Time
	book                    priceBook
	policy                  discountPolicy
	contractDiscountPercent money.Amount
	lines                   []pricingLine
}

type adjustment struct {
	Code, Source            string
	DiscountPercent, Amount money.Amount
}

type charge struct {
	ChargeType                             string
	Quantity                               int
	ListUnit, NetUnit, ListTotal, NetTotal money.Amount
	TierNo                                 int
	Adjustments                            []adjustment
}

type pricedLine struct {
	lineRef                                     string
	charges                                     []charge
	oneTime, recurring, listOneTime, listMonths money.Amount
	discountPercent                             money.Amount
}

// sums are the totals of a quote, all of them there.
type sums struct {
	OneTimeTotal, RecurringTotal, ListOneTimeTotal, ListRecurringTotal, DiscountPercent money.Amount
}

type pricing struct {
	lines   []pricedLine
	totals  sums
	signals approvalSignals
}

// pricingFailure is a refusal to price: a result, not an error.
type pricingFailure struct {
	reasonCode string
	violations []violation
}

func failPricing(code, path, message string) *pricingFailure {
	return &pricingFailure{code, []violation{{Code: code, Path: path, Message: message}}}
}

// price is deterministic: the same input gives the same result.
func price(in calculationInput) (pricing, *pricingFailure) {
	switch {
	case in.book.Currency != in.currency:
		return pricing{}, failPricing("CURRENCY_MISMATCH", "currency", "The price book has another currency.")
	case in.at.Before(in.book.EffectiveFrom), in.book.EffectiveTo != nil && !in.at.Before(*in.book.EffectiveTo):
		return pricing{}, failPricing("PRICE_BOOK_NOT_EFFECTIVE", "priceBookCode", "The price book is not effective now.")
	}
	var p pricing
	for _, line := range in.lines {
		priced, failure := priceLine(in, line)
		if failure != nil {
			return pricing{}, failure
		}
		p.lines = append(p.lines, priced)
	}
	p.totals = totalsOf(p.lines)
	p.signals = signalsOf(p, in.policy)
	if deepest(p.signals).Cmp(in.policy.HardCapPercent) > 0 {
		return pricing{}, failPricing("DISCOUNT_ABOVE_HARD_CAP", "lines", "The discount is above what anybody may approve.")
	}
	return p, nil
}

func priceLine(in calculationInput, line pricingLine) (pricedLine, *pricingFailure) {
	priced := pricedLine{lineRef: line.lineRef}
	for _, entry := range in.book.Entries {
		if entry.OfferID != line.offerID {
			continue
		}
		c := priceCharge(in, entry, line)
		if c.NetUnit.Cmp(entry.FloorPrice) < 0 {
			return pricedLine{}, failPricing("PRICE_BELOW_FLOOR", "lines."+line.lineRef, "The net price is below the floor price of the offer.")
		}
		priced.add(c)
	}
	if len(priced.charges) == 0 {
		return pricedLine{}, failPricing("OFFER_NOT_IN_PRICE_BOOK", "lines."+line.lineRef, "The price book has no price for the offer.")
	}
	priced.discountPercent = discount(priced.listOneTime, priced.listMonths, priced.oneTime, priced.recurring)
	return priced, nil
}

func (l *pricedLine) add(c charge) {
	l.charges = append(l.charges, c)
	if c.ChargeType == chargeOneTime {
		l.oneTime, l.listOneTime = l.oneTime.Add(c.NetTotal), l.listOneTime.Add(c.ListTotal)
		return
	}
	l.recurring, l.listMonths = l.recurring.Add(c.NetTotal), l.listMonths.Add(c.ListTotal)
}

func priceCharge(in calculationInput, entry priceEntry, line pricingLine) charge {
	quantity := money.Int(int64(line.quantity))
	c := charge{ChargeType: entry.ChargeType, Quantity: line.quantity, ListUnit: entry.ListPrice, NetUnit: entry.ListPrice}
	c.applyTier(entry)
	if entry.ChargeType == chargeRecurring {
		c.applyPercent("CONTRACT_DISCOUNT", "CONTRACT", in.contractDiscountPercent)
		c.applyPercent("MANUAL_DISCOUNT", "MANUAL", line.manualDiscountPercent)
	}
	c.ListTotal = c.ListUnit.Mul(quantity).RoundTo(in.currency)
	c.NetTotal = c.NetUnit.Mul(quantity).RoundTo(in.currency)
	return c
}

func (c *charge) applyPercent(code, source string, percent money.Amount) {
	if percent.Sign() == 0 {
		return
	}
	before := c.NetUnit
	c.NetUnit = less(before, percent).Round(unitPlaces)
	c.Adjustments = append(c.Adjustments, adjustment{code, source, percent, c.NetUnit.Sub(before)})
}

func less(amount, percent money.Amount) money.Amount {
	hundred := money.Int(100)
	return amount.Mul(hundred.Sub(percent)).Div(hundred)
}

// applyTier prices the whole quantity at its tier, or, in SLAB mode, each slice
// at its own; the unit price is then the average of the slices.
func (c *charge) applyTier(entry priceEntry) {
	reached := entry.reached(c.Quantity)
	if len(reached) == 0 {
		return
	}
	last := reached[len(reached)-1]
	c.TierNo = last.TierNo
	c.NetUnit = last.unit(entry.ListPrice)
	if entry.TierMode == tierSlab {
		c.NetUnit = slabUnit(reached, entry.ListPrice, c.Quantity)
	}
	if c.NetUnit.Cmp(c.ListUnit) != 0 {
		c.Adjustments = append(c.Adjustments, adjustment{"VOLUME_TIER", "TIER", percentOff(c.ListUnit, c.NetUnit), c.NetUnit.Sub(c.ListUnit)})
	}
}

// reached returns the tiers up to the one the quantity falls in.
func (e priceEntry) reached(quantity int) []priceTier {
	n := 0
	for n < len(e.Tiers) && e.Tiers[n].MinQuantity <= quantity {
		n++
	}
	return e.Tiers[:n]
}

func (t priceTier) unit(list money.Amount) money.Amount {
	switch {
	case t.UnitPrice != nil:
		return *t.UnitPrice
	case t.DiscountPercent != nil:
		return less(list, *t.DiscountPercent).Round(unitPlaces)
	}
	return list
}

func slabUnit(reached []priceTier, list money.Amount, quantity int) money.Amount {
	total := money.Int(int64(reached[0].MinQuantity) - 1).Mul(list)
	for i, tier := range reached {
		end := quantity
		if i+1 < len(reached) {
			end = reached[i+1].MinQuantity - 1
		}
		total = total.Add(money.Int(int64(end - tier.MinQuantity + 1)).Mul(tier.unit(list)))
	}
	return total.Div(money.Int(int64(quantity))).Round(unitPlaces)
}

func percentOff(list, net money.Amount) money.Amount {
	if list.Sign() == 0 {
		return money.Amount{}
	}
	hundred := money.Int(100)
	return hundred.Sub(net.Mul(hundred).Div(list)).Round(percentPlaces)
}

// discount is 1 - net / list over one-time + 12 × recurring. It is rounded
// before anything is decided on it, so that what is shown is what was judged.
func discount(listOneTime, listRecurring, oneTime, recurring money.Amount) money.Amount {
	months := money.Int(monthsCounted)
	return percentOff(listOneTime.Add(listRecurring.Mul(months)), oneTime.Add(recurring.Mul(months)))
}

func totalsOf(lines []pricedLine) sums {
	var t sums
	for _, l := range lines {
		t.OneTimeTotal = t.OneTimeTotal.Add(l.oneTime)
		t.RecurringTotal = t.RecurringTotal.Add(l.recurring)
		t.ListOneTimeTotal = t.ListOneTimeTotal.Add(l.listOneTime)
		t.ListRecurringTotal = t.ListRecurringTotal.Add(l.listMonths)
	}
	t.DiscountPercent = discount(t.ListOneTimeTotal, t.ListRecurringTotal, t.OneTimeTotal, t.RecurringTotal)
	return t
}

func signalsOf(p pricing, policy discountPolicy) approvalSignals {
	s := approvalSignals{
		QuoteDiscountPercent: p.totals.DiscountPercent, Reasons: []string{},
		AutoThresholdPercent: policy.AutoThresholdPercent, HardCapPercent: policy.HardCapPercent,
		DiscountPolicyVersion: policy.DiscountPolicyVersion,
	}
	for i, l := range p.lines {
		if i == 0 || l.discountPercent.Cmp(s.MaxLineDiscountPercent) > 0 {
			s.MaxLineDiscountPercent = l.discountPercent
		}
	}
	if s.MaxLineDiscountPercent.Cmp(policy.AutoThresholdPercent) > 0 {
		s.Reasons = append(s.Reasons, "LINE_DISCOUNT_ABOVE_THRESHOLD")
	}
	if s.QuoteDiscountPercent.Cmp(policy.AutoThresholdPercent) > 0 {
		s.Reasons = append(s.Reasons, "QUOTE_DISCOUNT_ABOVE_THRESHOLD")
	}
	s.ApprovalRequired = len(s.Reasons) > 0
	return s
}

func deepest(s approvalSignals) money.Amount {
	if s.MaxLineDiscountPercent.Cmp(s.QuoteDiscountPercent) > 0 {
		return s.MaxLineDiscountPercent
	}
	return s.QuoteDiscountPercent
}
