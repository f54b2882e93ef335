//go:build realprometheus

package prometheus

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"factline.dev/consumer"
	"factline.dev/outbox"
)

// These need Prometheus: make prove-prometheus

func TestRulesPassTheRealChecker(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "rules.yaml")
	promtool(t, "test", "rules", "rules_test.yaml")
}

func TestARealPrometheusShowsEveryMetric(t *testing.T) {
	t.Parallel()
	p := newProof(t)
	p.await("the endpoint scraped", `up{job="factline"} == 1`)
	p.eventsFlow()
	p.appendRefuses()
	p.brokerRefuses()
	p.connectionsBreak()
	p.eventsAreParked()
	p.consumerSucceedsAndFails()
	p.consumerGivesUp()
	p.consumerFallsBehind()
	p.consumerMeetsBrokerErrors()
	p.noteTypes()
	for _, m := range documented(t, "Outbox", "Consumer") {
		p.isScraped(m)
	}
	p.labelsAreBounded()
	p.alertsAreEvaluated()
}

// load appends one event of each type for n orders that nobody has seen.
func (p *proof) load(n int, wave string) {
	p.t.Helper()
	var events []outbox.Event
	for i := range n {
		order, tenant := fmt.Sprintf("ord_%s_%d", wave, i), fmt.Sprintf("tenant_%s_%d", wave, i)
		events = append(events, event("OrderCaptured", order, tenant), event("OrderChanged", order, tenant))
	}
	p.mustAppend(events...)
}

func (p *proof) eventsFlow() {
	p.t.Helper()
	p.load(100, "first")
	for _, eventType := range []string{"OrderCaptured", "OrderChanged"} {
		label := fmt.Sprintf(`{topic=%q,event_type=%q}`, orders, eventType)
		p.await("published events", "factline_outbox_published_total"+label+" == 100")
		p.await("publish latencies", "factline_outbox_publish_seconds_count"+label+" == 100 and factline_outbox_publish_seconds_sum"+label+" > 0")
		p.await("a quantile of the publish latency", `histogram_quantile(0.99, factline_outbox_publish_seconds_bucket`+label+`) > 0`)
	}
	p.await("batch sizes", `factline_outbox_batch_bytes_sum / factline_outbox_batch_bytes_count > 1000`)
	p.await("a compression ratio", `factline_outbox_compression_ratio_sum / factline_outbox_compression_ratio_count > 1.5`)
	p.await("nothing pending", `factline_outbox_pending_events == 0 and factline_outbox_oldest_age_seconds == 0`)
	p.await("effects", `sum(factline_consumer_events_total{outcome="applied"}) == 200`)
	p.await("processing latencies", `factline_consumer_processing_seconds_count == 200 and factline_consumer_processing_seconds_sum > 0`)
	p.await("event ages", `factline_consumer_event_age_seconds_count == 200 and factline_consumer_event_age_seconds_sum > 0`)
	p.await("no lag", `sum(factline_consumer_lag_records{topic="`+orders+`"}) == 0`)
}

func (p *proof) appendRefuses() {
	p.t.Helper()
	bad := event("OrderCaptured", "ord_bad", "tenant_0")
	bad.Payload = map[string]string{"orderId": "ord_bad", "note": "bad"}
	odd := event("OrderCaptured", "ord_odd", "tenant_0")
	odd.Payload = func() {}
	for _, e := range []outbox.Event{bad, odd, event("evt_invented_by_a_caller", "ord_x", "tenant_0")} {
		if err := p.append(e); err == nil {
			p.t.Fatalf("%+v was appended", e)
		}
	}
	for _, label := range []string{
		`{event_type="OrderCaptured",reason="contract"}`, `{event_type="OrderCaptured",reason="encode"}`, `{event_type="other",reason="unknown"}`,
	} {
		p.await("serialization failures", "factline_outbox_serialization_failures_total"+label+" == 1")
	}
}

// brokerRefuses keeps the broker from taking one topic, then all.
func (p *proof) brokerRefuses() {
	p.t.Helper()
	refusal := p.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	p.load(3, "refused")
	p.await("pending events", `factline_outbox_pending_events == 6`)
	p.await("their age", `factline_outbox_oldest_age_seconds > 0.5`)
	p.await("failures by class", `factline_outbox_failures_total{step="publish",class="NOT_LEADER_FOR_PARTITION"} > 0`)
	p.await("events of the topic", `factline_outbox_unaccepted_events{topic="`+orders+`"} == 6`)
	p.noteTypes() // no series is left of what is accepted
	refusal.Remove()
	p.await("nothing pending again", `factline_outbox_pending_events == 0 and factline_outbox_oldest_age_seconds == 0`)
}

func (p *proof) connectionsBreak() {
	p.t.Helper()
	p.dialed.cut()
	p.load(1, "cut")
	p.await("broker errors", `sum(factline_outbox_broker_errors_total) > 0`)
	p.await("the events all the same", `sum(factline_outbox_published_total{topic="`+orders+`"}) == 208`)
}

func (p *proof) eventsAreParked() {
	p.t.Helper()
	large := p.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.MessageTooLarge, Count: -1})
	p.mustAppend(event("OrderCaptured", "ord_parked", "tenant_0"), event("OrderChanged", "ord_parked", "tenant_0"))
	p.await("parked events", `factline_outbox_parked_events == 2`)
	p.await("the culprit", `factline_outbox_parked_total{role="culprit"} == 1 and ignoring(role) factline_outbox_parked_total{role="successor"} == 1`)
	large.Remove()
}

func (p *proof) consumerSucceedsAndFails() {
	p.t.Helper()
	p.sendEvents(raw("flaky_1", 1))
	p.await("failed attempts", `factline_consumer_events_total{event_type="OrderCaptured",outcome="failed"} >= 2`)
	p.await("retries", `factline_consumer_retries_total{reason="handler"} >= 2`)
	again := raw("dup_1", 1)
	p.sendEvents(again, again, again)
	p.await("duplicates", `factline_consumer_duplicates_total == 2 and ignoring(event_type, outcome) factline_consumer_events_total{outcome="duplicate"} == 2`)
	p.sendEvents(raw("gap_1", 1), raw("gap_1", 3))
	p.await("a gap", `factline_consumer_held_events{reason="GAP"} == 1 and ignoring(reason) factline_consumer_overdue_gaps == 1`)
}

func (p *proof) consumerGivesUp() {
	p.t.Helper()
	bad, foreign, taken := raw("bad_1", 1), raw("foreign_1", 1), raw("dup_1", 1)
	bad.Payload = []byte(`{"note":"bad"}`)
	foreign.TenantID = "foreign"
	p.sendEvents(raw("poison_1", 1), bad, foreign, taken)
	for class, n := range map[string]int{"HANDLER_FAILED": 1, "SCHEMA_VALIDATION_FAILED": 1, "TENANT_VIOLATION": 1, "VERSION_CONFLICT": 1} {
		p.await("dead letters of class "+class, fmt.Sprintf(`factline_consumer_dead_letters_total{class=%q} == %d`, class, n))
	}
	p.await("schema failures", `factline_consumer_schema_failures_total == 1`)
	p.await("security alerts", `factline_consumer_security_alerts_total == 1`)
	p.await("version conflicts", `factline_consumer_version_conflicts_total == 1`)
	p.await("blocked keys", `factline_consumer_blocked_keys{topic="`+orders+`"} > 0`)
	p.await("their records published", `factline_outbox_published_total{topic="`+deadLetters+`"} == 4`)
	p.send(&kgo.Record{Topic: redrives, Key: []byte("poison_1"), Value: []byte(`{}`), Headers: []kgo.RecordHeader{
		{Key: consumer.HeaderRetryGroup, Value: []byte(group)},
		{Key: consumer.HeaderRedriveID, Value: []byte("rdr_1")},
		{Key: consumer.HeaderDeadLetterID, Value: []byte("dl_that_nobody_has")},
	}})
	p.await("a redrive ignored", `factline_consumer_redrives_total{outcome="ignored"} == 1`)
}

func (p *proof) consumerFallsBehind() {
	p.t.Helper()
	p.sendEvents(raw("slow_1", 1))
	p.await("lag", `factline_consumer_lag_records{topic="`+orders+`",partition="0"} > 0`)
	p.await("a stall", `factline_consumer_stalled_partitions{partition="0"} == 1`)
	p.await("a stall counted", `factline_consumer_stalls_total > 0`)
	close(p.slow)
	p.await("no lag again", `factline_consumer_lag_records{topic="`+orders+`",partition="0"} == 0`)
	p.await("no stall again", `factline_consumer_stalled_partitions{partition="0"} == 0`)
}

func (p *proof) consumerMeetsBrokerErrors() {
	p.t.Helper()
	p.await("the partition that lost records", `factline_consumer_stopped_partitions{topic="`+lost+`"} == 1`)
	fetch := p.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: orders, Err: kerr.TopicAuthorizationFailed, Count: 1})
	commit := p.kafka.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.InvalidCommitOffsetSize, Count: 1})
	p.load(1, "errors")
	p.await("fetch errors", `sum(factline_consumer_fetch_errors_total) > 0`)
	p.await("commits refused", `factline_consumer_offset_commit_failures_total > 0`)
	fetch.Remove()
	commit.Remove()
	p.await("no lag all the same", `sum(factline_consumer_lag_records{topic="`+orders+`"}) == 0`)
}

// noteTypes remembers what Prometheus takes the metrics for that it scrapes now.
func (p *proof) noteTypes() {
	p.t.Helper()
	var described map[string][]struct{ Type, Help string }
	if err := p.get("/api/v1/metadata", nil, &described); err != nil {
		p.t.Fatal(err)
	}
	for name, d := range described {
		if len(d) != 1 || d[0].Help == "" {
			p.t.Errorf("Prometheus is told of %s: %+v; want one type and a help", name, d)
		}
		p.types[name] = d[0].Type
	}
}

// isScraped checks a metric of the guide: its type, and that it has a series with
// the labels of the guide and no others.
func (p *proof) isScraped(m metric) {
	p.t.Helper()
	if got := p.types[m.name]; got != m.kind {
		p.t.Errorf("Prometheus takes %s for a %q, the guide for a %s", m.name, got, m.kind)
	}
	name, want := m.name, append([]string{"__name__", "instance", "job"}, m.labels...)
	if m.kind == "histogram" {
		name, want = m.name+"_bucket", append(want, "le")
	}
	slices.Sort(want)
	found := p.series(name)
	if len(found) == 0 {
		p.t.Errorf("Prometheus has no series of %s", name)
	}
	for _, labels := range found {
		var got []string
		for l := range labels {
			got = append(got, l)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			p.t.Errorf("%s has the labels %v, the guide says %v", name, got, want)
		}
	}
}

// labelsAreBounded sends as many new orders and tenants as there were, and records
// of types that their senders made up, and expects no new series and no id in a
// label.
func (p *proof) labelsAreBounded() {
	p.t.Helper()
	const everything = `{__name__=~"factline_.+"}`
	before, _, err := p.sum("count(" + everything + ")")
	if err != nil || before == 0 {
		p.t.Fatalf("%v series, %v", before, err)
	}
	p.load(100, "second")
	p.forwardInvented(20)
	p.await("the second wave applied", `sum(factline_consumer_events_total{outcome="applied",event_type="OrderChanged"}) >= 200`)
	after, _, err := p.sum("count(" + everything + ")")
	if err != nil || after != before {
		p.t.Errorf("%v series after new orders and tenants, %v before, %v", after, before, err)
	}
	for _, labels := range p.series(everything) {
		for label, value := range labels {
			for _, id := range []string{"ord_", "tenant_", "_1", "evt_", "rdr_", "dl_"} {
				if label != "__name__" && strings.Contains(value, id) {
					p.t.Errorf("%s has an id in a label: %s=%q", labels["__name__"], label, value)
				}
			}
		}
	}
}

func (p *proof) forwardInvented(n int) {
	p.t.Helper()
	label := fmt.Sprintf("{topic=%q}", deadLetters)
	before, _, err := p.sum("factline_outbox_published_total" + label)
	if err != nil {
		p.t.Fatal(err)
	}
	var records []outbox.Record
	for i := range n {
		records = append(records, outbox.Record{Topic: deadLetters, Key: []byte("k"), EventType: fmt.Sprintf("evt_%d", i)})
	}
	err = pgx.BeginFunc(p.t.Context(), p.pool, func(tx pgx.Tx) error { return p.outbox.Forward(p.t.Context(), tx, records...) })
	if err != nil {
		p.t.Fatal(err)
	}
	p.await("forwarded records published", fmt.Sprintf("sum(factline_outbox_published_total%s) == %v", label, before+float64(n)))
}

// alertsAreEvaluated expects each rule to be understood, and those that have no
// patience to call by now.
func (p *proof) alertsAreEvaluated() {
	p.t.Helper()
	for _, alert := range []string{
		"FactlineOutboxParked", "FactlineOutboxRefusesEvents", "FactlineConsumerStopped", "FactlineConsumerGap", "FactlineSecurityAlert", "FactlineDeadLetters",
	} {
		p.await("alert "+alert, `ALERTS{alertstate="firing",alertname="`+alert+`"}`)
	}
	var found struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	if err := p.get("/api/v1/rules", nil, &found); err != nil {
		p.t.Fatal(err)
	}
	n := 0
	for _, g := range found.Groups {
		for _, r := range g.Rules {
			if n++; r.Health != "ok" {
				p.t.Errorf("rule %s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if want := len(rules(p.t)); n != want {
		p.t.Errorf("Prometheus evaluates %d rules, want %d", n, want)
	}
}
