package seed

import (
	"time"

	"factline.dev/platform/internal/money"
)

// PriceBook is what PriceBookStateSnapshotted would carry.
type PriceBook struct {
	PriceBookID      string       `json:"priceBookId"`
	PriceBookCode    string       `json:"priceBookCode"`
	PriceBookVersion int          `json:"priceBookVersion"`
	Currency         string       `json:"currency"`
	CatalogVersionID string       `json:"catalogVersionId"`
	EffectiveFrom    time.Time    `json:"effectiveFrom"`
	Entries          []PriceEntry `json:"entries"`
}

// PriceEntry is the list price of one charge.
type PriceEntry struct {
	OfferID    string       `json:"offerId"`
	ChargeType string       `json:"chargeType"`
	Period     string       `json:"period,omitempty"`
	ListPrice  money.Amount `json:"listPrice"`
	FloorPrice money.Amount `json:"floorPrice"`
	TierMode   string       `json:"tierMode"`
	Tiers      []PriceTier  `json:"tiers"`
}

// PriceTier is a volume tier.
type PriceTier struct {
	TierNo          int          `json:"tierNo"`
	MinQuantity     int64        `json:"minQuantity"`
	DiscountPercent money.Amount `json:"discountPercent"`
}

// listPrices are in EUR: one-time and monthly, empty for none.
func listPrices() []struct{ offerID, oneTime, monthly string } {
	return []struct{ offerID, oneTime, monthly string }{
		{"off_int100", "250.00", "39.90"},
		{"off_int500", "250.00", "79.90"},
		{"off_int1000", "250.00", "149.90"},
		{"off_int10000", "250.00", "990.00"},
		{"off_router", "180.00", "9.90"},
		{"off_edge", "420.00", "24.90"},
		{"off_static_ip", "", "5.00"},
		{"off_sip_trunk", "50.00", "4.50"},
		{"off_firewall", "300.00", "59.00"},
		{"off_sdwan", "", "15.00"},
		{"off_controller", "", "12.00"},
		{"off_installation", "120.00", ""},
	}
}

func tiers() []PriceTier {
	return []PriceTier{
		{1, 1, money.MustParse("0.00")}, {2, 10, money.MustParse("5.00")}, {3, 50, money.MustParse("10.00")}, {4, 200, money.MustParse("15.00")},
	}
}

func priceBook(code, currency, factor string) PriceBook {
	b := PriceBook{
		PriceBookID: "pb_" + code + "_1", PriceBookCode: code, PriceBookVersion: 1, Currency: currency, CatalogVersionID: catalogVersionID,
		EffectiveFrom: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, p := range listPrices() {
		if p.oneTime != "" {
			b.Entries = append(b.Entries, entry(p.offerID, "ONE_TIME", p.oneTime, factor))
		}
		if p.monthly != "" {
			b.Entries = append(b.Entries, entry(p.offerID, "RECURRING", p.monthly, factor))
		}
	}
	return b
}

func entry(offerID, chargeType, list, factor string) PriceEntry {
	price := money.MustParse(list).Mul(money.MustParse(factor)).Round(2)
	e := PriceEntry{
		OfferID: offerID, ChargeType: chargeType, ListPrice: price, FloorPrice: price.Mul(money.MustParse("0.55")).Round(6),
		TierMode: "RANGE", Tiers: []PriceTier{},
	}
	if chargeType == "RECURRING" {
		e.Period, e.Tiers = "MONTH", tiers()
	}
	if offerID == "off_sip_trunk" {
		e.TierMode = "SLAB"
	}
	return e
}
