package benchmark

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/factlinetest"
)

// send is a relay without an outbox.
func send(ctx context.Context, s *Site, events []Event) error {
	client, err := newProducer(s.Brokers)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, e := range events {
		r := &kgo.Record{Topic: s.Topic, Key: []byte(e.Aggregate), Value: e.Value}
		for key, value := range e.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
		}
		client.Produce(ctx, r, nil)
	}
	return client.Flush(ctx)
}

func TestAPeerIsMeasuredAndItsLogChecked(t *testing.T) { //nolint:tparallel // the cases share a database server
	t.Parallel()
	postgres := factlinetest.DSN(factlinetest.Postgres(t))
	broken := errors.New("broken")
	for _, test := range []struct { //nolint:paralleltest // the cases share a database server
		name  string
		run   func(ctx context.Context, s *Site) error
		error string
	}{
		{"what it does right counts", func(ctx context.Context, s *Site) error {
			return errors.Join(send(ctx, s, s.Events), s.AwaitLog(ctx, s.Topic, len(s.Events)))
		}, ""},
		{"what it loses fails", func(ctx context.Context, s *Site) error { return send(ctx, s, s.Events[1:]) }, "1 of 100 events are missing"},
		{"its own failure is told", func(context.Context, *Site) error { return broken }, "broken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			peer := Peer{
				Benchmark: "relay", Name: "theirs", About: "a peer", Share: 4,
				Run: func(ctx context.Context, s *Site) (time.Duration, error) { return time.Second, test.run(ctx, s) },
			}
			b, err := Open(t.Context(), Config{
				Postgres: postgres, Events: small, Runs: 1, WarmupEvents: -1, Peers: []Peer{peer}, Only: []string{"ours", "theirs"},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = b.Close(context.Background()) })
			results, err := b.Run(t.Context(), "relay")
			wantError(t, "run", err, test.error)
			if test.error == "" {
				wantPeer(t, results)
			}
		})
	}
}

// wantPeer expects a peer with 100 events in a second, and ours over it.
func wantPeer(t *testing.T, results []Result) {
	t.Helper()
	got := map[string]Result{}
	for _, r := range results {
		got[r.Subject] = r
	}
	if theirs := got["theirs"]; theirs.Median != 100 || theirs.Events != 100 || theirs.Detail["aggregates_out_of_order"] != 0 {
		t.Errorf("the peer's result is %+v, want 100 events/s of 100 events", theirs)
	}
	if r := got["ours/theirs"]; r.Median != got["ours"].Median/100 {
		t.Errorf("ours over the peer is %v, want %v", r.Median, got["ours"].Median/100)
	}
}
