// Package seed is the platform's deterministic starting content: tenants,
// customers, price books, a discount policy and finalized configurations, as the
// services that will own them would publish them. The same seed gives the same
// content in every column, so that a second start changes nothing.
package seed

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"factline.dev/platform/internal/canonical"
	"factline.dev/platform/internal/money"
)

// Tenant is a tenant with everything it starts with.
type Tenant struct {
	ID, Name     string
	Currency     string
	SalesChannel string
	// Weight is its share of traffic in percent.
	Weight    int
	Book      PriceBook
	Policy    Policy
	Customers []Customer
}

// Customer is a customer with its finalized configurations.
type Customer struct {
	Entitlement    Entitlement
	Configurations []Configuration
}

// Entitlement is what CustomerEntitlementStateSnapshotted would carry.
type Entitlement struct {
	CustomerID              string       `json:"customerId"`
	CustomerName            string       `json:"customerName"`
	Segment                 string       `json:"segment"`
	PriceBookCode           string       `json:"priceBookCode"`
	Currency                string       `json:"currency"`
	ContractDiscountPercent money.Amount `json:"contractDiscountPercent"`
	AllowedFamilies         []string     `json:"allowedFamilies"`
	CreditStatus            string       `json:"creditStatus"`
}

// Configuration is what ConfigurationFinalized would carry.
type Configuration struct {
	ConfigurationID   string    `json:"configurationId"`
	CustomerID        string    `json:"customerId"`
	CatalogVersionID  string    `json:"catalogVersionId"`
	SalesChannel      string    `json:"salesChannel"`
	ConfigurationHash string    `json:"configurationHash"`
	Items             []Item    `json:"items"`
	State             string    `json:"state"`
	ValidUntil        time.Time `json:"validUntil"`
}

// Item is one configured item.
type Item struct {
	ItemID          string            `json:"itemId"`
	OfferID         string            `json:"offerId"`
	OfferName       string            `json:"offerName"`
	ProductID       string            `json:"productId"`
	ProductCode     string            `json:"productCode"`
	Quantity        int64             `json:"quantity"`
	Characteristics map[string]string `json:"characteristics"`
	DependsOn       []string          `json:"dependsOn"`
	Required        bool              `json:"required"`
	Site            *Site             `json:"site,omitempty"`
}

// Site is an installation site without its personal fields.
type Site struct {
	SiteID      string `json:"siteId"`
	CountryCode string `json:"countryCode"`
	City        string `json:"city"`
}

// Policy is what DiscountPolicyPublished would carry.
type Policy struct {
	DiscountPolicyVersion int          `json:"discountPolicyVersion"`
	AutoThresholdPercent  money.Amount `json:"autoThresholdPercent"`
	HardCapPercent        money.Amount `json:"hardCapPercent"`
}

// always is when seeded content ends: a stack that is kept must not age.
func always() time.Time { return time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC) }

const (
	catalogVersionID = "catv_1"
	seedNumber       = 42
)

// stream is the random source for one kind of content, so that adding another
// kind changes nothing here.
func stream(name string) *rand.Rand {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return rand.New(rand.NewPCG(seedNumber, h.Sum64())) //nolint:gosec // made-up data, no secret
}

// Tenants returns all seeded content.
func Tenants() []Tenant {
	policy := Policy{1, money.MustParse("15.00"), money.MustParse("45.00")}
	tenants := []Tenant{
		{ID: "tenant_001", Name: "First Telecom", Currency: "EUR", SalesChannel: "DIRECT_SALES", Weight: 60},
		{ID: "tenant_002", Name: "Second Telecom", Currency: "GBP", SalesChannel: "DIRECT_SALES", Weight: 25},
		{ID: "tenant_003", Name: "Baltic Wholesale", Currency: "EUR", SalesChannel: "DIRECT_SALES", Weight: 10},
		{ID: "tenant_900", Name: "Zeta Partner", Currency: "EUR", SalesChannel: "PARTNER_PORTAL", Weight: 5},
	}
	books := []PriceBook{
		priceBook("STANDARD-EUR", "EUR", "1"), priceBook("STANDARD-GBP", "GBP", "0.86"),
		priceBook("STANDARD-EUR", "EUR", "1"), priceBook("PARTNER-EUR", "EUR", "0.80"),
	}
	counts := []int{50, 20, 10, 5}
	for i := range tenants {
		tenants[i].Policy, tenants[i].Book = policy, books[i]
		tenants[i].Customers = customers(tenants[i], counts[i])
	}
	return tenants
}

func customers(t Tenant, count int) []Customer {
	random := stream("customers " + t.ID)
	all := make([]Customer, count)
	for i := range all {
		id := fmt.Sprintf("cust_%s_%d", t.ID, i+1)
		all[i].Entitlement = Entitlement{
			CustomerID: id, CustomerName: fmt.Sprintf("Customer %d of %s", i+1, t.Name), Segment: segment(random.IntN(100)),
			PriceBookCode: t.Book.PriceBookCode, Currency: t.Currency,
			ContractDiscountPercent: money.Int(int64(random.IntN(1201))).Div(money.Int(100)),
			AllowedFamilies:         []string{"CONNECTIVITY", "EQUIPMENT", "VOICE", "SECURITY", "BUNDLE", "LICENCE", "SERVICE"},
			CreditStatus:            "OK",
		}
		all[i].Configurations = configurations(t, id, i+1)
	}
	// One customer whose credit is on hold, always the same one.
	if t.ID == "tenant_001" {
		all[count-1].Entitlement.CreditStatus = "HOLD"
	}
	return all
}

func segment(percent int) string {
	switch {
	case percent < 80:
		return "SMB"
	case percent < 95:
		return "ENTERPRISE"
	}
	return "WHOLESALE"
}

// configurations are one of each shape: a single line, a chain, a wide order
// with an optional line, and an SD-WAN bundle.
func configurations(t Tenant, customerID string, no int) []Configuration {
	random := stream("configurations " + customerID)
	speed := []string{"100", "500", "1000", "10000"}[random.IntN(4)]
	channels := int64(2 + random.IntN(7))
	shapes := [][]Item{
		{internet("ci_1", speed)},
		{internet("ci_1", speed), router("ci_2", "ci_1")},
		{internet("ci_1", speed), router("ci_2", "ci_1"), voice("ci_3", channels, "ci_1", "ci_2"), installation("ci_4")},
		{
			internet("ci_1", "500"), edge("ci_2", "ci_1"), staticIP("ci_3", 8, "ci_2"), firewall("ci_4", "ci_2"), controller("ci_5"),
			bundle("ci_6", "ci_1", "ci_2", "ci_3", "ci_4", "ci_5"),
		},
	}
	all := make([]Configuration, len(shapes))
	for i, items := range shapes {
		for k := range items {
			items[k].Site = &Site{SiteID: fmt.Sprintf("site_%s_%d", t.ID, no), CountryCode: "DE", City: "Hamburg"}
		}
		all[i] = Configuration{
			ConfigurationID: fmt.Sprintf("cfg_%s_%d_%d", t.ID, no, i+1), CustomerID: customerID, CatalogVersionID: catalogVersionID,
			SalesChannel: t.SalesChannel, ConfigurationHash: hash(items), Items: items, State: "FINALIZED", ValidUntil: always(),
		}
	}
	return all
}

func hash(items []Item) string {
	h, err := canonical.Hash(items)
	if err != nil {
		panic(err) // the items above are strings and integers
	}
	return h
}

func newItem(id, offerID, offerName, productCode string, quantity int64, dependsOn ...string) Item {
	if dependsOn == nil {
		dependsOn = []string{}
	}
	return Item{
		ItemID: id, OfferID: offerID, OfferName: offerName, ProductID: "prod_" + productCode, ProductCode: productCode, Quantity: quantity,
		Characteristics: map[string]string{}, DependsOn: dependsOn, Required: true,
	}
}

func internet(id, mbps string) Item {
	it := newItem(id, "off_int"+mbps, "Internet "+mbps, "INTERNET_ACCESS", 1)
	it.Characteristics = map[string]string{"bandwidthMbps": mbps, "sla": "GOLD"}
	return it
}

func router(id string, on ...string) Item {
	return newItem(id, "off_router", "Business router", "ROUTER", 1, on...)
}

func edge(id string, on ...string) Item {
	it := newItem(id, "off_edge", "SD-WAN edge", "ROUTER", 1, on...)
	it.Characteristics = map[string]string{"model": "EDGE-2"}
	return it
}

func staticIP(id string, size int64, on ...string) Item {
	it := newItem(id, "off_static_ip", "Static IP", "STATIC_IP", size, on...)
	it.Characteristics = map[string]string{"blockSize": fmt.Sprint(size)}
	return it
}

func voice(id string, channels int64, on ...string) Item {
	return newItem(id, "off_sip_trunk", "SIP trunk", "VOICE", channels, on...)
}

func firewall(id string, on ...string) Item {
	it := newItem(id, "off_firewall", "Managed firewall", "SECURITY", 1, on...)
	it.Required = false
	return it
}

func controller(id string) Item {
	return newItem(id, "off_controller", "Controller licence", "SDWAN_CONTROLLER", 1)
}

func bundle(id string, on ...string) Item {
	return newItem(id, "off_sdwan", "SD-WAN site", "SDWAN_SITE", 1, on...)
}

func installation(id string) Item {
	it := newItem(id, "off_installation", "On-site installation", "INSTALLATION", 1)
	it.Required = false
	return it
}
