package consumer

import (
	"cmp"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The outcomes of an event, as factline_consumer_events_total counts them.
const (
	outcomeApplied    = "applied"
	outcomeAdvanced   = "advanced"
	outcomeDuplicate  = "duplicate"
	outcomeHeld       = "held"
	outcomeRejected   = "rejected"
	outcomeDeadLetter = "dead_letter"
	outcomeFailed     = "failed"
)

type metrics struct {
	lag, stopped, stalled            *prometheus.GaugeVec
	held, blocked, overdue           *prometheus.GaugeVec
	events, retries, deadLetters     *prometheus.CounterVec
	schemaFailures, duplicates       *prometheus.CounterVec
	conflicts, fetchErrors, commits  *prometheus.CounterVec
	redrives, alerts, stalls         *prometheus.CounterVec
	processing, age, chunks, records *prometheus.HistogramVec
}

// newMetrics registers with reg, or takes what another runner of the process
// has registered there. A nil reg leaves them unregistered.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	b := metricBuilder{reg: reg}
	fast := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	slow := []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800, 3600, 21600, 86400}
	m := &metrics{
		lag:            b.gauge("lag_records", "Records on the log behind which the group's effects stand, by partition owned here.", "topic", "partition"),
		stopped:        b.gauge("stopped_partitions", "1 for a partition that stopped because the log no longer holds its next offset: records are lost to this group and an operator must decide.", "topic", "partition"),
		stalled:        b.gauge("stalled_partitions", "1 for a partition that has work and of which no transaction committed for Config.StallAfter.", "topic", "partition"),
		held:           b.gauge("held_events", "Events that wait in the database: GAP for a missing version, BLOCKED behind an event that failed or was given up, CONFLICT for a version that another event took, RETRY for the next attempt.", "topic", "reason"),
		blocked:        b.gauge("blocked_keys", "Record keys whose events wait for an event that is tried again or until an operator settles a dead letter.", "topic"),
		overdue:        b.gauge("overdue_gaps", "Aggregates that wait for a missing version longer than Config.GapAlertAfter, at most 20 per topic.", "topic"),
		events:         b.counter("events_total", "Events by what became of them: applied, advanced (no handler for the type), duplicate, held, rejected, dead_letter; failed counts attempts of handlers that failed.", "topic", "event_type", "outcome"),
		retries:        b.counter("retries_total", "Transactions run again: reason handler after a handler's failure, transient after a condition of the database.", "topic", "reason"),
		deadLetters:    b.counter("dead_letters_total", "Events given up, by class of error.", "topic", "class"),
		redrives:       b.counter("redrives_total", "Requests to try a dead letter again that reached this group: taken, or ignored because it was not open or the request was taken before.", "topic", "outcome"),
		stalls:         b.counter("stalls_total", "Times that a partition had work and made no progress for Config.StallAfter.", "topic"),
		alerts:         b.counter("security_alerts_total", "Events of a tenant that the service may not process, or that a handler called unauthorized.", "topic"),
		schemaFailures: b.counter("schema_failures_total", "Records that could not be read or broke their contract.", "topic"),
		duplicates:     b.counter("duplicates_total", "Events that had taken effect before and were dropped.", "topic"),
		conflicts:      b.counter("version_conflicts_total", "Events whose version another event of the aggregate had taken: a producer restored from a backup.", "topic"),
		fetchErrors:    b.counter("fetch_errors_total", "Errors of the broker while fetching.", "topic"),
		commits:        b.counter("offset_commit_failures_total", "Offset commits the broker refused for another reason than a rebalance. Effects are safe; deliveries repeat after a restart."),
		processing:     b.histogram("processing_seconds", "From the receipt of an event in this process to the commit of its effect.", fast, "topic"),
		age:            b.histogram("event_age_seconds", "Age of an event (occurredAt) when its effect was committed.", slow, "topic"),
		chunks:         b.histogram("chunk_seconds", "Length of a chunk's database transaction that committed.", fast, "topic"),
		records:        b.histogram("chunk_records", "Records in a chunk that committed.", []float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 10000}, "topic"),
	}
	return m, b.err
}

type metricBuilder struct {
	reg prometheus.Registerer
	err error
}

func (b *metricBuilder) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return register(b, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "factline", Subsystem: "consumer", Name: name, Help: help,
	}, append([]string{"group"}, labels...)))
}

func (b *metricBuilder) counter(name, help string, labels ...string) *prometheus.CounterVec {
	return register(b, prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "factline", Subsystem: "consumer", Name: name, Help: help,
	}, append([]string{"group"}, labels...)))
}

func (b *metricBuilder) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return register(b, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: "factline", Subsystem: "consumer", Name: name, Help: help, Buckets: buckets,
	}, append([]string{"group"}, labels...)))
}

func register[C prometheus.Collector](b *metricBuilder, c C) C {
	if b.reg == nil {
		return c
	}
	err := b.reg.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	b.err = errors.Join(b.err, err)
	return c
}

// observe counts what a committed chunk did.
func (r *Runner) observe(done *run, started time.Time) {
	m, group, topic := r.metrics, r.cfg.Group, done.scope.Topic
	now := r.cfg.Now()
	r.countEvents(done)
	processing, age := m.processing.WithLabelValues(group, topic), m.age.WithLabelValues(group, topic)
	for _, it := range done.applied {
		processing.Observe(time.Since(cmp.Or(it.received, started)).Seconds())
		if !it.event.Tombstone {
			age.Observe(max(0, now.Sub(it.msg.OccurredAt).Seconds()))
		}
	}
	m.chunks.WithLabelValues(group, topic).Observe(time.Since(started).Seconds())
	if n := len(done.records); n > 0 {
		m.records.WithLabelValues(group, topic).Observe(float64(n))
	}
	r.observeLetters(done)
}

func (r *Runner) countEvents(done *run) {
	m, group, topic := r.metrics, r.cfg.Group, done.scope.Topic
	rejected := make(map[*item]bool, len(done.rejected))
	for _, x := range done.rejected {
		rejected[x.item] = true
	}
	type kind struct{ eventType, outcome string }
	counts := make(map[kind]int)
	for _, s := range done.plan.Steps {
		it := &done.items[s.Event]
		counts[kind{r.typeLabel(done.topic, it), outcomeOf(s.Verdict, rejected[it])}]++
	}
	for k, n := range counts {
		m.events.WithLabelValues(group, topic, k.eventType, k.outcome).Add(float64(n))
		if k.outcome == outcomeDuplicate {
			m.duplicates.WithLabelValues(group, topic).Add(float64(n))
		}
	}
}

func (r *Runner) observeLetters(done *run) {
	group, topic := r.cfg.Group, done.scope.Topic
	for _, b := range done.letters {
		if !b.isNew {
			continue
		}
		r.metrics.deadLetters.WithLabelValues(group, topic, string(b.fault.class)).Inc()
		switch b.fault.class {
		case SchemaValidationFailed:
			r.metrics.schemaFailures.WithLabelValues(group, topic).Inc()
		case TenantViolation:
			r.metrics.alerts.WithLabelValues(group, topic).Inc()
		case VersionConflict:
			r.metrics.conflicts.WithLabelValues(group, topic).Inc()
		}
	}
}

// typeLabel keeps a sender from inventing label values: only types that are
// handled here get one.
func (r *Runner) typeLabel(p *topicPlan, it *item) string {
	if it.event.Handled && it.msg.EventType != "" {
		return it.msg.EventType
	}
	return "other"
}

func (r *Runner) setLag(topic string, partition int32, lag int64) {
	r.metrics.lag.WithLabelValues(r.cfg.Group, topic, strconv.Itoa(int(partition))).Set(float64(max(0, lag)))
}

func (r *Runner) forgetPartition(topic string, partition int32) {
	r.metrics.lag.DeleteLabelValues(r.cfg.Group, topic, strconv.Itoa(int(partition)))
	r.metrics.stopped.DeleteLabelValues(r.cfg.Group, topic, strconv.Itoa(int(partition)))
	r.metrics.stalled.DeleteLabelValues(r.cfg.Group, topic, strconv.Itoa(int(partition)))
}
