package quote

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/platform/internal/database"
	"factline.dev/platform/internal/web"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

var migrated = factlinetest.PostgresTemplate("quote", func(ctx context.Context, conn *pgx.Conn) error {
	pool, err := pgxpool.New(ctx, conn.Config().ConnString())
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrate.Up(ctx, pool, migrate.Config{}); err != nil {
		return err
	}
	return database.Migrate(ctx, pool, Schema, migrationFiles())
})

func TestEveryStatementPrepares(t *testing.T) {
	t.Parallel()
	conn, err := factlinetest.Postgres(t, migrated).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	files, err := fs.Glob(statements, "sql/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d statements, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "sql/"), ".sql")
		sql, _, err := pgx.NamedArgs{}.RewriteQuery(t.Context(), conn.Conn(), statement(name), nil)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if _, err := conn.Conn().Prepare(t.Context(), name, sql); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func market0() market {
	return market{currentBookID: "pb_1", configurationsValid: true}
}

// drafted is a priced quote of two lines, the second on the first.
func drafted(t *testing.T, manual string) *decision {
	t.Helper()
	b := book()
	m := mirrors{
		entitlement: &entitlement{CustomerID: "cust_1", PriceBookCode: b.PriceBookCode, Currency: "EUR", CreditStatus: "OK"}, book: &b,
		policy:      discountPolicy{DiscountPolicyVersion: 4, AutoThresholdPercent: amount("15.00"), HardCapPercent: amount("45.00")},
		quoteNumber: 7, configurations: map[string]configuration{"cfg_1": {
			ConfigurationID: "cfg_1", CustomerID: "cust_1", ConfigurationHash: "sha256:1", State: "FINALIZED", ValidUntil: noon.AddDate(1, 0, 0),
			Items: []item{
				{ItemID: "ci_1", OfferID: "off_int500", OfferName: "Internet", ProductCode: "INTERNET_ACCESS", Quantity: 1, Characteristics: map[string]string{}, Required: true},
				{ItemID: "ci_2", OfferID: "off_ip", OfferName: "IP", ProductCode: "STATIC_IP", Quantity: 8, Characteristics: map[string]string{}, DependsOn: []string{"ci_1"}},
			},
		}},
	}
	d, err := draft("tenant_001", "user_1", draftRequest{
		CustomerID: "cust_1", Currency: "EUR", SalesChannel: "WEB",
		Lines: []draftLine{{ConfigurationID: "cfg_1", Action: "ADD", ManualDiscountPercent: percent(manual)}},
	}, m, noon)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func kinds(d *decision) []string {
	names := make([]string, len(d.events))
	for i, e := range d.events {
		names[i] = e.payload.EventType()
	}
	return names
}

func code(err error) string {
	if p, ok := errors.AsType[*web.Problem](err); ok {
		return p.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestAQuoteGoesFromDraftToConversion(t *testing.T) {
	t.Parallel()
	d := drafted(t, "0")
	if err := errors.Join(d.guardSubmission(), d.submit(market0()), d.guardAcceptance()); err != nil {
		t.Fatal(err)
	}
	if err := d.accept(acceptance{d.CommercialSnapshotHash, "cust_1", ""}); err != nil {
		t.Fatal(err)
	}
	if changed, err := d.converted("ord_1"); !changed || err != nil {
		t.Fatal(changed, err)
	}
	want := []string{"QuoteDraftCreated", "QuotePriced", "QuoteSubmitted", "QuoteApproved", "QuoteAccepted", "QuoteConverted"}
	if !slices.Equal(kinds(d), want) || d.State != stateConverted || d.Version != 6 {
		t.Errorf("%v, %s at version %d", kinds(d), d.State, d.Version)
	}
	accepted, _ := d.events[4].payload.(quoteAccepted)
	if len(accepted.Lines) != 2 || !slices.Equal(accepted.Lines[1].DependsOn, []string{accepted.Lines[0].QuoteLineID}) {
		t.Errorf("lines %+v", accepted.Lines)
	}
	if changed, err := d.converted("ord_1"); changed || err != nil {
		t.Errorf("a repeated conversion: %v, %v", changed, err)
	}
	if _, err := d.converted("ord_2"); err == nil {
		t.Error("a second order converts the quote")
	}
}

func TestSubmission(t *testing.T) {
	t.Parallel()
	change := func(fn func(*market)) market { m := market0(); fn(&m); return m }
	for _, c := range []struct {
		name, manual string
		market       market
		want         string
		state        State
	}{
		{"within the threshold it is approved", "5", market0(), "", stateApproved},
		{"above it, it waits", "25", market0(), "", statePendingApproval},
		{"a newer price book", "0", change(func(m *market) { m.currentBookID = "pb_2" }), "quote.price-stale", statePriced},
		{"a configuration that ended", "0", change(func(m *market) { m.configurationsValid = false }), "quote.configuration-expired", statePriced},
		{"credit on hold", "0", change(func(m *market) { m.creditHold = true }), "quote.credit-hold", statePriced},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := drafted(t, c.manual)
			if got := code(d.submit(c.market)); got != c.want || d.State != c.state {
				t.Errorf("got %q in %s, want %q in %s", got, d.State, c.want, c.state)
			}
		})
	}
}

func TestAcceptance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, hash string
		after      time.Duration
		want       string
	}{
		{"what was seen, in time", "", 0, ""},
		{"at the last moment", "", 30 * 24 * time.Hour, ""},
		{"too late", "", 30*24*time.Hour + 1, "quote.expired"},
		{"something else than was seen", "sha256:0", 0, "quote.snapshot-changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := drafted(t, "0")
			if err := d.submit(market0()); err != nil {
				t.Fatal(err)
			}
			d.now = d.now.Add(c.after)
			if c.hash == "" {
				c.hash = d.CommercialSnapshotHash
			}
			if got := code(d.accept(acceptance{c.hash, "cust_1", ""})); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestGuards(t *testing.T) {
	t.Parallel()
	const open, not = "", "state.transition-not-allowed"
	for _, c := range []struct {
		state                      State
		submission, accept, cancel string
	}{
		{stateDraft, "quote.not-priced", "quote.not-approved", open},
		{statePriced, open, "quote.not-approved", open},
		{statePendingApproval, not, "quote.not-approved", open},
		{stateApproved, not, open, open},
		{stateRejected, not, "quote.not-approved", open},
		{stateAccepted, not, "quote.already-accepted", "quote.already-accepted"},
		{stateConverted, not, "quote.already-accepted", "quote.already-accepted"},
		{stateConversionRejected, not, "quote.already-accepted", "quote.already-accepted"},
		{stateExpired, "quote.expired", "quote.expired", not},
		{stateCancelled, not, not, not},
	} {
		t.Run("in state "+string(c.state), func(t *testing.T) {
			t.Parallel()
			d := decide(aggregate{State: c.state}, "a", noon)
			for command, got := range map[string][2]string{
				"submission": {code(d.guardSubmission()), c.submission}, "acceptance": {code(d.guardAcceptance()), c.accept}, "cancellation": {code(d.guardCancellation()), c.cancel},
			} {
				if got[0] != got[1] {
					t.Errorf("%s: got %q, want %q", command, got[0], got[1])
				}
			}
		})
	}
}

func TestTheSnapshotHashCoversWhatIsSold(t *testing.T) {
	t.Parallel()
	base := drafted(t, "0")
	hash := func(change func(*aggregate)) string {
		q := base.aggregate
		q.Lines = slices.Clone(q.Lines)
		change(&q)
		h, err := q.snapshotHash()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	same := hash(func(*aggregate) {})
	for name, change := range map[string]func(*aggregate){
		"a price": func(q *aggregate) { q.Lines[0].RecurringTotal = amount("1.00") }, "a quantity": func(q *aggregate) { q.Lines[0].Quantity = 2 },
		"the revision": func(q *aggregate) { q.Revision = 2 }, "the validity": func(q *aggregate) { q.ValidUntil = noon },
		"a configuration": func(q *aggregate) { q.Lines[0].ConfigurationHash = "sha256:2" }, "the policy": func(q *aggregate) { q.DiscountPolicyVersion = 9 },
	} {
		if hash(change) == same {
			t.Errorf("%s is not covered", name)
		}
	}
	if hash(func(q *aggregate) { q.Lines[0].OfferName, q.Lines[0].Site = "another", &site{City: "Hamburg"} }) != same {
		t.Error("names or sites are covered")
	}
}
