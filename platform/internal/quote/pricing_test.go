package quote

import (
	"testing"
	"time"

	"factline.dev/platform/internal/money"
)

var noon = time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)

func amount(text string) money.Amount { return money.MustParse(text) }

func percent(text string) *money.Amount { a := amount(text); return &a }

func volumeTiers() []priceTier {
	return []priceTier{
		{TierNo: 1, MinQuantity: 1, DiscountPercent: percent("0.00")},
		{TierNo: 2, MinQuantity: 10, DiscountPercent: percent("5.00")},
		{TierNo: 3, MinQuantity: 50, DiscountPercent: percent("10.00")},
		{TierNo: 4, MinQuantity: 200, DiscountPercent: percent("15.00")},
	}
}

func book() priceBook {
	recurring := func(offer, list, floor, mode string) priceEntry {
		return priceEntry{OfferID: offer, ChargeType: chargeRecurring, Period: "MONTH", ListPrice: amount(list), FloorPrice: amount(floor), TierMode: mode, Tiers: volumeTiers()}
	}
	oneTime := func(offer, list, floor string) priceEntry {
		return priceEntry{OfferID: offer, ChargeType: chargeOneTime, ListPrice: amount(list), FloorPrice: amount(floor), TierMode: "RANGE"}
	}
	return priceBook{
		PriceBookID: "pb_1", PriceBookCode: "STANDARD-EUR", PriceBookVersion: 1, Currency: "EUR", EffectiveFrom: noon.AddDate(-1, 0, 0),
		Entries: []priceEntry{
			oneTime("off_int500", "250.00", "137.50"), recurring("off_int500", "79.90", "43.945", "RANGE"),
			recurring("off_ip", "5.00", "2.75", "RANGE"), recurring("off_voice", "4.50", "2.475", tierSlab),
			{OfferID: "off_fixed", ChargeType: chargeRecurring, ListPrice: amount("10.00"), FloorPrice: amount("1.00"), TierMode: "RANGE", Tiers: []priceTier{{TierNo: 1, MinQuantity: 5, UnitPrice: percent("7.77")}}},
		},
	}
}

func input(contract string, lines ...pricingLine) calculationInput {
	return calculationInput{
		currency: "EUR", at: noon, book: book(), contractDiscountPercent: amount(contract), lines: lines,
		policy: discountPolicy{DiscountPolicyVersion: 4, AutoThresholdPercent: amount("15.00"), HardCapPercent: amount("45.00")},
	}
}

func of(offer string, quantity int, manual string) pricingLine {
	return pricingLine{lineRef: "ql_1", offerID: offer, quantity: quantity, manualDiscountPercent: amount(manual)}
}

// The first row is the worked example of the platform's specification.
func TestPriceGolden(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                                     string
		in                                       calculationInput
		netUnit, oneTime, recurring, list, total string
		tierNo                                   int
	}{
		{"a manual discount on the monthly charge", input("0", of("off_int500", 1, "14.00")), "68.714", "250.00", "68.71", "79.90", "11.11", 1},
		{"no discount at all", input("0", of("off_int500", 1, "0")), "79.90", "250.00", "79.90", "79.90", "0.00", 1},
		{"contract and manual discount compound", input("10", of("off_int500", 1, "10.00")), "64.719", "250.00", "64.72", "79.90", "15.07", 1},
		{"below the second tier", input("0", of("off_ip", 9, "0")), "5.00", "0.00", "45.00", "45.00", "0.00", 1},
		{"RANGE prices the whole quantity at its tier", input("0", of("off_ip", 10, "0")), "4.75", "0.00", "47.50", "50.00", "5.00", 2},
		{"the third tier", input("0", of("off_ip", 50, "0")), "4.50", "0.00", "225.00", "250.00", "10.00", 3},
		{"the last tier", input("0", of("off_ip", 200, "0")), "4.25", "0.00", "850.00", "1000.00", "15.00", 4},
		// 9 × 4.50 + 1 × 4.275 = 44.775, a unit price of 4.4775.
		{"SLAB prices each slice", input("0", of("off_voice", 10, "0")), "4.4775", "0.00", "44.78", "45.00", "0.49", 2},
		// 9 × 4.50 + 40 × 4.275 + 11 × 4.05 = 256.05, a unit price of 4.2675.
		{"SLAB over three slices", input("0", of("off_voice", 60, "0")), "4.2675", "0.00", "256.05", "270.00", "5.17", 3},
		{"tier, contract and manual, in this order", input("8", of("off_ip", 10, "2.50")), "4.26075", "0.00", "42.61", "50.00", "14.78", 2},
		{"a unit price keeps six decimals", input("3.33", of("off_int500", 3, "1.11")), "76.381973", "750.00", "229.15", "239.70", "3.49", 1},
		{"a tier with a price of its own", input("0", of("off_fixed", 5, "0")), "7.77", "0.00", "38.85", "50.00", "22.30", 1},
		{"below the first tier the list price holds", input("0", of("off_fixed", 4, "0")), "10.00", "0.00", "40.00", "40.00", "0.00", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, failure := price(c.in)
			if failure != nil {
				t.Fatal(failure)
			}
			charges := p.lines[0].charges
			got := charges[len(charges)-1]
			if got.NetUnit.String() != c.netUnit || got.ListTotal.String() != c.list || got.TierNo != c.tierNo {
				t.Errorf("net unit %s, list %s, tier %d; want %s, %s, %d", got.NetUnit, got.ListTotal, got.TierNo, c.netUnit, c.list, c.tierNo)
			}
			if p.totals.OneTimeTotal.String() != c.oneTime || p.totals.RecurringTotal.String() != c.recurring || p.totals.DiscountPercent.String() != c.total {
				t.Errorf("totals %s, %s, %s %%; want %s, %s, %s %%", p.totals.OneTimeTotal, p.totals.RecurringTotal, p.totals.DiscountPercent, c.oneTime, c.recurring, c.total)
			}
		})
	}
}

func TestAdjustmentsAreEvidence(t *testing.T) {
	t.Parallel()
	p, failure := price(input("8", of("off_ip", 10, "2.50")))
	if failure != nil {
		t.Fatal(failure)
	}
	var got []string
	for _, a := range p.lines[0].charges[0].Adjustments {
		got = append(got, a.Source+" "+a.DiscountPercent.String()+" "+a.Amount.String())
	}
	want := []string{"TIER 5.00 -0.25", "CONTRACT 8.00 -0.38", "MANUAL 2.50 -0.10925"}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestPriceFailures(t *testing.T) {
	t.Parallel()
	change := func(fn func(*calculationInput)) calculationInput {
		in := input("0", of("off_int500", 1, "0"))
		fn(&in)
		return in
	}
	ended := noon
	for _, c := range []struct {
		name string
		in   calculationInput
		want string
	}{
		{"an offer without price", input("0", of("off_unknown", 1, "0")), "OFFER_NOT_IN_PRICE_BOOK"},
		{"a net price below the floor", input("0", of("off_int500", 1, "45.01")), "PRICE_BELOW_FLOOR"},
		{"a net price at the floor", input("0", of("off_ip", 1, "45.00")), ""},
		{"a discount above the hard cap where the floor allows it", change(func(in *calculationInput) {
			in.book.Entries[2].FloorPrice = amount("0.00")
			in.lines = []pricingLine{of("off_ip", 1, "46.00")}
		}), "DISCOUNT_ABOVE_HARD_CAP"},
		{"another currency", change(func(in *calculationInput) { in.currency = "GBP" }), "CURRENCY_MISMATCH"},
		{"a book of the future", change(func(in *calculationInput) { in.book.EffectiveFrom = noon.Add(1) }), "PRICE_BOOK_NOT_EFFECTIVE"},
		{"a book of the past", change(func(in *calculationInput) { in.book.EffectiveTo = &ended }), "PRICE_BOOK_NOT_EFFECTIVE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, failure := price(c.in)
			got := ""
			if failure != nil {
				got = failure.reasonCode
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestApprovalSignals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		lines    []pricingLine
		required bool
		reasons  int
	}{
		{"at the threshold nothing is required", []pricingLine{of("off_ip", 1, "15.00")}, false, 0},
		{"above it line and quote are", []pricingLine{of("off_ip", 1, "15.50")}, true, 2},
		{"one deep line is enough", []pricingLine{of("off_ip", 1, "20.00"), of("off_int500", 1, "0")}, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, failure := price(input("0", c.lines...))
			if failure != nil {
				t.Fatal(failure)
			}
			if p.signals.ApprovalRequired != c.required || len(p.signals.Reasons) != c.reasons || p.signals.DiscountPolicyVersion != 4 {
				t.Errorf("%+v", p.signals)
			}
		})
	}
}
