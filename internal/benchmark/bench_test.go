package benchmark

import (
	"context"
	"io/fs"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
	"factline.dev/factlinetest"
	"factline.dev/platform/contracts"
)

const small = 400

func open(t *testing.T) *Bench {
	t.Helper()
	return openOn(t, factlinetest.DSN(factlinetest.Postgres(t)))
}

// openOn takes the tests' own server, which is faster, or with "" the one that
// measurements get.
func openOn(t *testing.T, postgres string) *Bench {
	t.Helper()
	b, err := Open(t.Context(), Config{Postgres: postgres, Events: small, Runs: 1, WarmupEvents: -1, LatencySeconds: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestEverySubjectDoesItsWork(t *testing.T) {
	t.Parallel()
	b := open(t)
	for name, want := range map[string]string{
		"relay":    "ours raw_read textbook skip_locked skip_locked_2 skip_locked_4 raw_produce ours/skip_locked ours/textbook skip_locked_best ours/skip_locked_best ours/raw_read ours/raw_produce raw_both ours/raw_both",
		"consumer": "ours ours_single ours_validated textbook raw_consume ours/textbook ours_single/textbook ours_validated/textbook ours_validated/ours ours/raw_consume",
		"latency":  "polling_100_p50 polling_100_p99 wakeup_100_p50 wakeup_100_p99 polling_1000_p50 polling_1000_p99 wakeup_1000_p50 wakeup_1000_p99 accept_25_p50 accept_25_p99 accept_50_p50 accept_50_p99 accept_100_p50 accept_100_p99",
		"append":   "plain_insert_1 ours_1 ours_validated_1 plain_insert_8 ours_8 ours_validated_8 plain_insert_1/ours_1 plain_insert_1/ours_validated_1 plain_insert_8/ours_8 plain_insert_8/ours_validated_8",
	} {
		results, err := b.Run(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range results {
			got = append(got, r.Subject)
			if r.Median <= 0 || r.Runs != 1 || r.About == "" {
				t.Errorf("%s %s is not measured: %+v", name, r.Subject, r)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has the subjects\n%s, want\n%s", name, strings.Join(got, " "), want)
		}
	}
	if _, err := b.Run(t.Context(), "nothing"); err == nil {
		t.Error("an unknown benchmark ran")
	}
}

// publish puts records on a log as a broken relay would.
func publish(t *testing.T, s *site, records []*kgo.Record) {
	t.Helper()
	if err := produceRecords(t.Context(), s.addrs, records); err != nil {
		t.Fatal(err)
	}
}

func TestAWrongLogFailsTheBenchmark(t *testing.T) { //nolint:tparallel // the cases share one pair of servers
	t.Parallel()
	b := open(t)
	for _, test := range []struct { //nolint:paralleltest // the cases share one pair of servers
		name  string
		spoil func([]*kgo.Record) []*kgo.Record
		error string
	}{
		{"a log as it should be passes", func(r []*kgo.Record) []*kgo.Record { return r }, ""},
		{"a missing event is found", func(r []*kgo.Record) []*kgo.Record { return append(r[:5:5], r[6:]...) }, "events are missing"},
		{"an inverted order is found", swapFirstPair, "not in version order"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := b.newSite(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			w := newWorkload(5 * small)
			for i := range w.orders {
				w.orders[i] %= 50 // several events an order
			}
			records, err := w.kafkaRecords(s.topic)
			if err != nil {
				t.Fatal(err)
			}
			publish(t, s, test.spoil(records))
			m := measure{detail: map[string]float64{}}
			wantError(t, "log", s.checkLog(t.Context(), w, true, &m), test.error)
		})
	}
}

// swapFirstPair exchanges the first two events of the first order that has two.
func swapFirstPair(records []*kgo.Record) []*kgo.Record {
	for i := range records {
		for j := i + 1; j < len(records); j++ {
			if string(records[i].Key) == string(records[j].Key) {
				records[i], records[j] = records[j], records[i]
				return records
			}
		}
	}
	return records
}

func TestEventsAreOneKilobyteAndKeepTheirContract(t *testing.T) {
	t.Parallel()
	catalogue, err := contract.Load(contracts.FS())
	if err != nil {
		t.Fatal(err)
	}
	records, err := newWorkload(1000).encoded(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if off := len(r.value) - eventBytes; off < -2 || off > 2 {
			t.Fatalf("an event has %d bytes, want %d", len(r.value), eventBytes)
		}
		if err := catalogue.Validate(eventType, 1, r.value); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEveryStatementIsAccepted(t *testing.T) {
	t.Parallel()
	b := open(t)
	s, err := b.newSite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	names, err := fs.Glob(statements, "sql/*.sql")
	if err != nil || len(names) < 10 {
		t.Fatalf("found %v (%v)", names, err)
	}
	for _, name := range names {
		name = strings.TrimSuffix(strings.TrimPrefix(name, "sql/"), ".sql")
		if name == "tables" {
			continue // run by Open, and several statements
		}
		if _, err := conn.Conn().Prepare(t.Context(), name, statement(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMeasurementsRunOnADurableDatabase(t *testing.T) {
	t.Parallel()
	c, err := openOn(t, "").stack.conditions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		if c.Settings[setting] != "on" {
			t.Errorf("%s is %q, want on", setting, c.Settings[setting])
		}
	}
	if c.Brokers != 1 || !strings.HasPrefix(c.Replication, "none") {
		t.Errorf("one broker is described as %d with replication %q", c.Brokers, c.Replication)
	}
}

func TestAConfigSaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Config{Events: 3, Runs: -1, LatencySeconds: -1})
	for _, field := range []string{"Config.Events", "Config.Runs", "Config.LatencySeconds"} {
		wantError(t, field, err, field)
	}
	_, err = Open(t.Context(), Config{Postgres: "localhost"})
	wantError(t, "postgres", err, "--postgres is no URL")
}
