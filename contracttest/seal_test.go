package contracttest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestASealLetsTheDatabaseThroughAndNothingBesideIt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		database string
		may, not []string
	}{
		{"host=127.0.0.1 port=5433 sslmode=disable", []string{"127.0.0.1:5433"}, []string{"127.0.0.1:1", "127.0.0.2:5433", "127.0.0.1.example.org"}},
		{"host=db port=5433 sslmode=disable", []string{"db", "192.0.2.1:5433", "[2001:db8::1]:5433"}, []string{"db2", "192.0.2.2:5433", "192.0.2.1:80", "[2001:db8::2]:5433"}},
		{"host=/run/pg port=5433", []string{"/run/pg/.s.PGSQL.5433"}, []string{"/run/other.sock", "127.0.0.1:5433"}},
		{"host=127.0.0.1,127.0.0.3 port=5433,5434 sslmode=disable", []string{"127.0.0.1:5433", "127.0.0.3:5434"}, []string{"127.0.0.3:5433"}},
	} {
		config, err := pgx.ParseConfig(tt.database)
		if err != nil {
			t.Fatal(err)
		}
		config.LookupFunc = func(_ context.Context, host string) ([]string, error) {
			if host == "db" {
				return []string{"192.0.2.1", "2001:db8::1"}, nil
			}
			return []string{host}, nil
		}
		_, s := sealed(t.Context(), config)
		for _, address := range tt.may {
			if s.dial(address); s.broken() != "" {
				t.Fatalf("%s: %s is refused", tt.database, address)
			}
		}
		for _, address := range tt.not {
			if s.dial(address); s.broken() != address {
				t.Errorf("%s: %s is let through", tt.database, address)
			}
		}
		s.close()
	}
}
