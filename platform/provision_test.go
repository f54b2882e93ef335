package platform_test

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"factline.dev/factlinetest"
	"factline.dev/platform"
)

// A role with CREATEDB and CREATEROLE suffices, and a second call finds what the
// first one made.
func TestProvisionNeedsNoSuperuser(t *testing.T) {
	t.Parallel()
	dsn := factlinetest.DSN(factlinetest.Postgres(t))
	prefix := "n" + strings.ToLower(rand.Text()[:8]) + "_"
	admin := prefix + "admin"
	exec(t, dsn, "CREATE ROLE "+admin+" LOGIN CREATEDB CREATEROLE PASSWORD 'secret'")
	t.Cleanup(func() {
		dropProvisioned(t, dsn, prefix)
		exec(t, dsn, "DROP ROLE "+admin)
	})
	cfg := platform.ProvisionConfig{AdminURL: as(t, dsn, admin, "secret"), Prefix: prefix}
	first, err := platform.Provision(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, first["order-service"], "CREATE SCHEMA orders")
	again, err := platform.Provision(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, again["order-service"], "CREATE TABLE orders.kept ()")
	if first["order-service"] == again["order-service"] {
		t.Error("the password is not generated anew")
	}
	cfg.Passwords = map[string]string{"order-service": `o'"$$ne`}
	kept, err := platform.Provision(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, kept["order-service"], "SELECT FROM orders.kept")
	if _, err := pgx.Connect(t.Context(), as(t, kept["quote-service"], prefix+"order", `o'"$$ne`)); err == nil {
		t.Error("order-service may connect to the database of quote-service")
	}
}

func TestProvisionRefusesWhatIsNoURL(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "host=localhost user=postgres", "mysql://localhost/x"} {
		if _, err := platform.Provision(t.Context(), platform.ProvisionConfig{AdminURL: dsn}); err == nil || !strings.Contains(err.Error(), "postgres://") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
}

func as(t *testing.T, dsn, role, password string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(role, password)
	return u.String()
}

func exec(t *testing.T, dsn, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestConfigurationNamesEveryProblem(t *testing.T) {
	t.Parallel()
	err := platform.Run(t.Context(), platform.Config{Services: []string{"quote-service", "fax-service"}, MaxConns: 3})
	if err == nil {
		t.Fatal("it runs")
	}
	for _, want := range []string{"platform.Config.Brokers", "platform.Config.MaxConns", "platform.Config.Services", "platform.Config.Databases"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestTopicsFitTheEmbeddedBroker(t *testing.T) {
	t.Parallel()
	names, total := map[string]int{}, 0
	for _, topic := range platform.Topics(catalogue(t), true) {
		names[topic.Name] = topic.Partitions
		var bytes int
		for _, c := range topic.Configs["retention.bytes"] {
			bytes = bytes*10 + int(c-'0')
		}
		total += bytes * topic.Partitions
	}
	if total == 0 || total > 256<<20 {
		t.Errorf("all topics may hold %d bytes", total)
	}
	for name, want := range map[string]int{
		"oms.order.events.v1": 12, "cpq.quote.events.v1": 6, "oms.order.events.retry.1m.v1": 3, "oms.order.events.retry.15m.v1": 3,
		"oms.order.events.retry.1h.v1": 3, "oms.order.events.dlt.v1": 3,
	} {
		if names[name] != want {
			t.Errorf("%s has %d partitions, want %d", name, names[name], want)
		}
	}
}
