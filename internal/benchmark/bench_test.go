package benchmark

import (
	"context"
	"io/fs"
	"os"
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
	b, err := Open(t.Context(), Config{
		Postgres: postgres, Events: small, Runs: 1, WarmupEvents: -1, LatencySeconds: 1,
		PublishedRows: []int{2000}, SnapshotSeconds: 1, Child: []string{"env", childEnv + "=1", os.Args[0]},
		Up: []string{"true"},
	})
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

// subjects are those of each benchmark, in order.
func subjects() map[string]string {
	return map[string]string{
		"relay":     "ours raw_read textbook skip_locked skip_locked_2 skip_locked_4 raw_produce ours/skip_locked ours/textbook skip_locked_best ours/skip_locked_best ours/raw_read ours/raw_produce raw_both ours/raw_both",
		"consumer":  "ours ours_single ours_validated textbook raw_consume ours/textbook ours_single/textbook ours_validated/textbook ours_validated/ours ours/raw_consume",
		"latency":   "polling_100_p50 polling_100_p99 wakeup_100_p50 wakeup_100_p99 polling_1000_p50 polling_1000_p99 wakeup_1000_p50 wakeup_1000_p99 saturated saturated_p50 saturated_p99 accept_50_p50 accept_50_p99 accept_100_p50 accept_100_p99",
		"append":    "plain_insert_1 ours_1 ours_validated_1 plain_insert_8 ours_8 ours_validated_8 raw_copy plain_insert_1/ours_1 plain_insert_1/ours_validated_1 plain_insert_8/ours_8 plain_insert_8/ours_validated_8",
		"contract":  "decode decode_validate",
		"growth":    "drain_0 p50_0 p99_0 drain_2000 p50_2000 p99_2000 drain_snapshot p50_snapshot p99_snapshot drain_2000/drain_0 drain_snapshot/drain_0 p50_2000/p50_0 p50_snapshot/p50_0",
		"failure":   "retry retry_failing retry_again redrive",
		"isolation": "undisturbed_p50 undisturbed_p99 disturbed_p50 disturbed_p99 disturbed_p50/undisturbed_p50 disturbed_p99/undisturbed_p99",
		"start":     "first_order",
		"memory": "relay_1x relay_heap_1x consumer_1x consumer_heap_1x outage_1x outage_heap_1x relay_10x relay_heap_10x consumer_10x consumer_heap_10x outage_10x outage_heap_10x " +
			"relay_10x/relay_1x relay_heap_10x/relay_heap_1x outage_10x/outage_1x outage_heap_10x/outage_heap_1x consumer_10x/consumer_1x consumer_heap_10x/consumer_heap_1x",
	}
}

func TestEverySubjectDoesItsWork(t *testing.T) {
	t.Parallel()
	b := open(t)
	for _, name := range Names() {
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
		if want := subjects()[name]; strings.Join(got, " ") != want {
			t.Errorf("%s has the subjects\n%s, want\n%s", name, strings.Join(got, " "), want)
		}
	}
	if _, err := b.Run(t.Context(), "nothing"); err == nil {
		t.Error("an unknown benchmark ran")
	}
}

func TestAStartThatFailsIsNotMeasured(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.cfg.Up = []string{"false"}
	_, err := b.Run(t.Context(), "start")
	wantError(t, "a platform that does not start", err, "the platform ended with")
}

func TestMemoryNeedsAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.cfg.Child = nil
	_, err := b.Run(t.Context(), "memory")
	wantError(t, "without a child", err, "Config.Child is empty")
	b.cfg.Child = []string{"false"}
	_, err = b.Run(t.Context(), "memory")
	wantError(t, "a child that ends at once", err, "the process ended")
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
	_, err := Open(t.Context(), Config{Events: 3, Runs: -1, LatencySeconds: -1, SnapshotSeconds: -1, PublishedRows: []int{0}})
	for _, field := range []string{"Config.Events", "Config.Runs", "Config.LatencySeconds", "Config.SnapshotSeconds", "Config.PublishedRows"} {
		wantError(t, field, err, field)
	}
	_, err = Open(t.Context(), Config{Postgres: "localhost"})
	wantError(t, "postgres", err, "--postgres is no URL")
}

func TestEffectsOutOfOrderFailTheIsolation(t *testing.T) { //nolint:tparallel // the cases share one pair of servers
	t.Parallel()
	b := open(t)
	for _, test := range []struct { //nolint:paralleltest // the cases share one pair of servers
		name     string
		versions []int64
		error    string
	}{
		{"in order they pass", []int64{1, 2, 3}, ""},
		{"a later one before an earlier one is found", []int64{1, 3, 2}, "not in version order"},
		{"a second effect is found", []int64{1, 2, 2}, "not in version order"},
		{"a missing effect is found", []int64{1, 3}, "not in version order"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := b.newSite(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			for _, version := range test.versions {
				if _, err := s.pool.Exec(t.Context(), statement("effect"), "ord_000050", version); err != nil {
					t.Fatal(err)
				}
			}
			wantError(t, "effects", checkEffectOrder(t.Context(), s.pool), test.error)
		})
	}
}
