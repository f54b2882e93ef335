package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/contract"
)

func TestFailuresAreCountedByClass(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"the broker's code", fmt.Errorf("produce: %w", kerr.NotLeaderForPartition), "NOT_LEADER_FOR_PARTITION"},
		{"the database's class alone", fmt.Errorf("read: %w", &pgconn.PgError{Code: "57P01", Message: "terminating connection of 42"}), "SQLSTATE_57"},
		{"a deadline", fmt.Errorf("read: %w", context.DeadlineExceeded), "TIMEOUT"},
		{"a refused connection", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, "CONNECTION"},
		{"a connection that ended", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), "CONNECTION"},
		{"a text nobody knows", errors.New("order 4711 is odd"), "OTHER"},
		{"no reason", nil, "OTHER"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := failureClass(tt.err); got != tt.want {
				t.Errorf("class of %v = %s, want %s", tt.err, got, tt.want)
			}
		})
	}
}

// knownThings is testContracts for which every type but ThingHappened is unknown.
type knownThings struct{ testContracts }

func (c knownThings) Route(eventType string, version int, payload []byte) (contract.Route, error) {
	if eventType != "ThingHappened" {
		return contract.Route{}, &contract.UnknownEventError{EventType: eventType, EventVersion: version}
	}
	return c.testContracts.Route(eventType, version, payload)
}

func TestRefusedEventsAreCountedByTypeAndReason(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	var outboxes [2]*Outbox // which share the metric
	for i := range outboxes {
		var err error
		outboxes[i], err = New(Config{Contracts: knownThings{testContracts{"t"}}, Producer: "test-service", Registerer: registry})
		if err != nil {
			t.Fatal(err)
		}
	}
	unknown, unknownAndOdd, odd, late := event("a", ""), event("a", ""), event("a", ""), event("a", "")
	unknown.Type, unknownAndOdd.Type = "evt_4711", "evt_4712"
	odd.Payload, unknownAndOdd.Payload = func() {}, func() {}
	late.TenantID = ""
	for i, e := range []Event{event("a", "FORBIDDEN"), event("b", "FORBIDDEN"), unknown, unknownAndOdd, odd, late} {
		if err := outboxes[i%2].Append(t.Context(), pgx.Tx(nil), e); err == nil {
			t.Errorf("event %d was taken", i)
		}
	}
	want := map[string]float64{
		"ThingHappened contract": 2, "other unknown": 1, "other encode": 1, "ThingHappened encode": 1, "ThingHappened envelope": 1,
	}
	got := countsByLabels(t, registry, "factline_outbox_serialization_failures_total")
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

func TestTheTypeOfAForwardedRecordIsNoLabel(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m, err := newRelayMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	var c chunk
	for _, row := range []outRow{
		{topic: "t", eventType: "ThingHappened", stamped: true},
		{topic: "t", eventType: "invented_1"},
		{topic: "t", eventType: "invented_2"},
	} {
		c.acknowledged(row, &kgo.Record{})
	}
	m.acknowledged(c.sent, time.Now())
	want := map[string]float64{"ThingHappened t": 1, "other t": 2}
	if got := countsByLabels(t, registry, "factline_outbox_published_total"); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// countsByLabels returns a counter by the values of its labels.
func countsByLabels(t *testing.T, g prometheus.Gatherer, name string) map[string]float64 {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			counts[labelValues(m.GetLabel())] = m.GetCounter().GetValue()
		}
	}
	return counts
}

func labelValues(labels []*dto.LabelPair) (all string) {
	for i, l := range labels {
		if i > 0 {
			all += " "
		}
		all += l.GetValue()
	}
	return all
}
