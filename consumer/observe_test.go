package consumer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/factlinetest"
	"factline.dev/outbox"
)

func TestMetricsTellWhatHappened(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	now := time.Date(2026, 7, 2, 9, 0, 30, 0, time.UTC) // half a minute after the events
	b.start(func(c *consumer.Config) { c.Now = func() time.Time { return now } })
	b.send(order("a", 1), order("a", 1), order("a", 3), bad(order("b", 1)), order("c", 1))
	b.wantNext(5)
	for _, tt := range []struct {
		name   string
		labels []string
		want   float64
	}{
		{"factline_consumer_events_total", []string{"applied", "OrderCaptured"}, 2},
		{"factline_consumer_events_total", []string{"duplicate"}, 1},
		{"factline_consumer_events_total", []string{"held"}, 1},
		{"factline_consumer_events_total", []string{"dead_letter"}, 1},
		{"factline_consumer_duplicates_total", nil, 1},
		{"factline_consumer_schema_failures_total", nil, 1},
		{"factline_consumer_dead_letters_total", []string{"SCHEMA_VALIDATION_FAILED"}, 1},
		{"factline_consumer_processing_seconds", nil, 2},
		{"factline_consumer_event_age_seconds", nil, 2},
		{"factline_consumer_lag_records", nil, 0},
		{"factline_consumer_held_events", []string{"GAP"}, 1},
		{"factline_consumer_blocked_keys", nil, 1},
	} {
		b.await(fmt.Sprintf("%s%v = %v", tt.name, tt.labels, tt.want), func() (bool, any) {
			got := b.counter(tt.name, tt.labels...)
			return got == tt.want, got
		})
	}
}

func TestLagGrowsWhileAPartitionWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	h, _ := failing("evt_a_1", 1000, func(int64) error { return consumer.RetryAfter(time.Hour, fmt.Errorf("closed")) })
	b.start(handlers(h))
	b.send(order("a", 1), order("a", 2), order("a", 3))
	b.await("a lag of 3", func() (bool, any) { n := b.counter("factline_consumer_lag_records"); return n == 3, n })
}

func TestAGapThatLastsIsReported(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(func(c *consumer.Config) { c.GapAlertAfter = time.Nanosecond })
	b.send(order("a", 1), order("a", 4))
	b.await("the gap in the metrics", func() (bool, any) { n := b.counter("factline_consumer_overdue_gaps"); return n == 1, n })
	if !strings.Contains(b.logs.String(), `missing="2 to 3"`) {
		t.Errorf("the log does not name the missing versions:\n%s", b.logs)
	}
}

func TestEveryMetricHasHelpAndAGroup(t *testing.T) {
	t.Parallel()
	c := config(t)
	registry := prometheus.NewRegistry()
	c.Registerer = registry
	for range 2 { // two runners of a process share a registry
		if _, err := consumer.New(c); err != nil {
			t.Fatal(err)
		}
	}
	descriptions := make(chan *prometheus.Desc, 100)
	registry.Describe(descriptions)
	close(descriptions)
	n := 0
	for d := range descriptions {
		n++
		if text := d.String(); !strings.Contains(text, `fqName: "factline_consumer_`) || strings.Contains(text, `help: ""`) || !strings.Contains(text, "group") {
			t.Errorf("metric %s", text)
		}
	}
	if n < 15 {
		t.Errorf("%d metrics, want all of them described before anything happened", n)
	}
}

func TestLogLinesCarryTheKeysOfAnEvent(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.start(nil)
	b.send(bad(order("a", 1)))
	b.wantNext(1)
	b.await("the line", func() (bool, any) {
		for line := range strings.Lines(b.logs.String()) {
			if strings.Contains(line, "event given up") {
				for _, key := range []string{"event_id=evt_a_1", "event_type=OrderCaptured", "topic=" + orders, "partition=0", "offset=0", "correlation_id=corr_1", "attempt=1", "tenant_id=acme"} {
					if !strings.Contains(line, key) {
						t.Errorf("line lacks %s: %s", key, line)
					}
				}
				return true, nil
			}
		}
		return false, b.logs.String()
	})
}

func TestTheTraceGoesThroughAHandler(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	causes := make(chan envelope.Cause, 1)
	b.start(func(c *consumer.Config) {
		c.TracerProvider = provider
		handlers(func(ctx context.Context, _ pgx.Tx, _ consumer.Message) error {
			causes <- envelope.CauseFrom(ctx)
			return nil
		})(c)
	})
	b.send(order("a", 1))
	cause := <-causes
	b.wantNext(1)
	all := spans.GetSpans()
	if len(all) != 1 || all[0].Name != "handle OrderCaptured" || all[0].Parent.SpanID().String() != "00f067aa0ba902b7" {
		t.Fatalf("spans = %+v, want one, child of the publishing span", all)
	}
	if want := all[0].SpanContext.SpanID().String(); !strings.Contains(cause.Traceparent, want) || cause.TraceID() != traceparent[3:35] {
		t.Errorf("traceparent = %s, want span %s of the event's trace", cause.Traceparent, want)
	}
}

func TestADeadLetterReachesItsTopicUnderTheSourceKey(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.kafka.CreateTopic(t, "oms.order.events.dlt.v1", 1, map[string]string{"max.message.bytes": "8388608"})
	relay, err := outbox.NewRelay(outbox.RelayConfig{Pool: b.pool, Brokers: b.kafka.Addrs(), Outbox: b.outbox})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- relay.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	large := bad(order("a", 1))
	large.Payload = json.RawMessage(`{"bad":true,"note":"` + strings.Repeat(`\"`, 440<<10) + `"}`)
	b.send(large, bad(order("b", 1)))
	b.start(nil)
	records := factlinetest.Consume(t, b.kafka.Addrs(), "oms.order.events.dlt.v1", 2)
	bytes := make(map[string]int)
	for _, r := range records {
		var d consumer.DeadLetter
		if err := json.Unmarshal(r.Value, &d); err != nil {
			t.Fatal(err)
		}
		bytes[string(r.Key)+" "+d.EventID] = len(d.OriginalValue)
	}
	if len(records) != 2 || bytes["a evt_a_1"] < 880<<10 || bytes["b evt_b_1"] == 0 {
		t.Errorf("%d records, original bytes by key and event: %v", len(records), bytes)
	}
}
