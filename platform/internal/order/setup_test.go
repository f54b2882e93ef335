package order

import (
	"context"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"factline.dev/contract"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/migrate"
	"factline.dev/platform/contracts"
	"factline.dev/platform/internal/database"
	"factline.dev/platform/internal/host"
	"factline.dev/platform/internal/money"
)

func TestMain(m *testing.M) { factlinetest.Main(m) }

var migrated = factlinetest.PostgresTemplate("orders", func(ctx context.Context, conn *pgx.Conn) error {
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

const tenant = "tenant_001"

var noon = time.Date(2026, 7, 2, 12, 0, 0, 0, time.UTC)

// bundle is what a test works with: the service on a database, without broker.
type bundle struct {
	*Service
	pool *pgxpool.Pool
}

var loadContracts = sync.OnceValues(func() (*contract.Catalogue, error) { return contract.Load(contracts.FS()) })

func setup(t *testing.T) bundle {
	t.Helper()
	catalogue, err := loadContracts()
	if err != nil {
		t.Fatal(err)
	}
	pool := factlinetest.Postgres(t, migrated)
	s, err := New(host.Host{Pool: pool, Contracts: catalogue, Now: func() time.Time { return noon }}, Delayed{})
	if err != nil {
		t.Fatal(err)
	}
	return bundle{s, pool}
}

func (b bundle) in(t *testing.T, fn func(ctx context.Context, tx pgx.Tx) error) error {
	t.Helper()
	ctx := envelope.WithCause(t.Context(), envelope.Cause{TenantID: tenant, CorrelationID: "corr_1", CausationID: "cmd_1"})
	return database.InTenant(ctx, b.pool, tenant, func(tx pgx.Tx) error { return fn(ctx, tx) })
}

func (b bundle) count(t *testing.T, sql string) (n int) {
	t.Helper()
	if err := b.pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// acceptance is a valid QuoteAccepted of three lines, the third on the second on
// the first.
func acceptance(t *testing.T, quoteID string, change func(*acceptedQuote)) acceptedQuote {
	t.Helper()
	q := acceptedQuote{
		QuoteID: quoteID, QuoteRevision: 1, CustomerID: "cust_1", Currency: "EUR", SalesChannel: "WEB", AcceptedBy: "cust_1",
		AcceptedAt: "2026-07-02T11:59:59.000Z", AcceptedEvidenceRef: "evidence://quotes/1", ValidUntil: "2026-08-01T00:00:00.000Z",
		PriceBookID: "pb_1", PriceBookVersion: 1, DiscountPolicyVersion: 1,
		Totals: acceptedTotals{OneTimeTotal: money.MustParse("30.00"), RecurringTotal: money.MustParse("3.30")},
	}
	for i, product := range []string{"INTERNET_ACCESS", "ROUTER", "SECURITY"} {
		l := quotedLine{
			QuoteLineID: "ql_" + string(rune('1'+i)), ConfigurationHash: "sha256:1", ItemID: "ci_1", OfferID: "off_1", OfferName: "Offer",
			ProductCode: product, Action: "ADD", Quantity: 1, Characteristics: map[string]string{}, DependsOn: []string{}, Required: true,
			OneTimeTotal: money.MustParse("10.00"), RecurringTotal: money.MustParse("1.10"), DiscountPercent: money.MustParse("0.00"),
		}
		if i > 0 {
			l.DependsOn = []string{q.Lines[i-1].QuoteLineID}
		}
		q.Lines = append(q.Lines, l)
	}
	if change != nil {
		change(&q)
	}
	if q.CommercialSnapshotHash == "" {
		var err error
		if q.CommercialSnapshotHash, err = q.snapshotHash(); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

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
