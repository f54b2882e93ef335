package outbox

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

// relayMetrics are what a relay tells Prometheus. It is also a hook of the
// Kafka client, for what only the client sees.
type relayMetrics struct {
	published   *prometheus.CounterVec
	latency     *prometheus.HistogramVec
	round       prometheus.Histogram
	batch       *prometheus.HistogramVec
	compression *prometheus.HistogramVec
	failures    *prometheus.CounterVec
	brokers     *prometheus.CounterVec
	parked      *prometheus.CounterVec
	pending     prometheus.Gauge
	oldest      prometheus.Gauge
	waiting     prometheus.Gauge
	blocker     prometheus.Gauge
	lanes       prometheus.Gauge
	stalled     prometheus.Gauge
	holes       prometheus.Gauge
	defaultRows prometheus.Gauge
	// repartitioned has no label: the log names the topics.
	repartitioned prometheus.Gauge
	unaccepted    *prometheus.GaugeVec
}

// latencyBuckets run from half a millisecond to a minute.
var latencyBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60} //nolint:gochecknoglobals // a constant that Go cannot spell

func newRelayMetrics(registerer prometheus.Registerer) (*relayMetrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "factline", Subsystem: "outbox", Name: name, Help: help})
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "factline", Subsystem: "outbox", Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "factline", Subsystem: "outbox", Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &relayMetrics{
		published:     counter("published_total", "Events acknowledged by the broker; event_type is other for forwarded records, such as dead letters.", "topic", "event_type"),
		latency:       histogram("publish_seconds", "Time from append to acknowledgement of an event.", latencyBuckets, "topic", "event_type"),
		batch:         histogram("batch_bytes", "Size of a produced batch before compression.", prometheus.ExponentialBuckets(1<<10, 4, 7), "topic"),
		compression:   histogram("compression_ratio", "Uncompressed by compressed size of a produced batch.", []float64{1, 1.5, 2, 3, 4, 6, 8, 12, 16}, "topic"),
		failures:      counter("failures_total", "Steps of the relay that failed and are tried again, by step (lease, read, publish, receipt) and class: the broker's error code, SQLSTATE and its class, CONNECTION, TIMEOUT or OTHER.", "step", "class"),
		brokers:       counter("broker_errors_total", "Connections to a broker that failed or broke, by what was being done.", "operation"),
		parked:        counter("parked_total", "Events parked because the broker refuses them, and their successors of the same key.", "topic", "role"),
		pending:       gauge("pending_events", "Events that wait to be published; above 1000 a lane an upper bound, and of what is set aside a lower one."),
		oldest:        gauge("oldest_age_seconds", "Age of the oldest event that waits to be published."),
		waiting:       gauge("parked_events", "Parked events that wait for an operator."),
		blocker:       gauge("oldest_writer_age_seconds", "Age of the oldest transaction that still writes in the database cluster; it delays the proof that a gap is empty."),
		lanes:         gauge("owned_lanes", "Lanes that this relay publishes."),
		stalled:       gauge("stalled_lanes", "Lanes, and what of them comes from a shelf, in flight without an acknowledgement for longer than StallAfter."),
		holes:         gauge("open_holes", "Gaps in the positions of the lanes of this relay that are not proved empty: transactions still write, or were rolled back a moment ago."),
		defaultRows:   gauge("default_partition_events", "Events in the default partition, counted up to 1000: no partition was made for their day."),
		repartitioned: gauge("repartitioned_topics", "Topics whose number of partitions is another than when they were first published to; keys stay in the first ones."),
		unaccepted: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "factline", Subsystem: "outbox", Name: "unaccepted_events",
			Help: "Events that are set aside because the broker does not accept their topic or partition: it is missing, may not be written to, has no leader or too few replicas; from 1000 a lane on at least so many. All others are published.",
		}, []string{"topic"}),
		round: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "factline", Subsystem: "outbox", Name: "round_seconds",
			Help: "Time from sending a round of chunks to its last acknowledgement.", Buckets: latencyBuckets,
		}),
	}
	return m, m.register(registerer)
}

func (m *relayMetrics) register(registerer prometheus.Registerer) error {
	if registerer == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{
		m.published, m.latency, m.round, m.batch, m.compression, m.failures, m.brokers, m.parked,
		m.pending, m.oldest, m.waiting, m.blocker, m.lanes, m.stalled, m.holes, m.defaultRows, m.repartitioned, m.unaccepted,
	} {
		if err := registerer.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *relayMetrics) failure(step string, err error) {
	m.failures.WithLabelValues(step, failureClass(err)).Inc()
}

func (m *relayMetrics) sent(res sendResult) {
	m.round.Observe(res.took.Seconds())
	now := time.Now()
	for _, c := range res.chunks {
		m.acknowledged(c.sent, now)
		for _, p := range c.parked {
			role := "successor"
			if p.isCulprit {
				role = "culprit"
			}
			m.parked.WithLabelValues(p.topic, role).Inc()
		}
	}
}

// acknowledged looks a series up only where topic or type changes: rows of one
// chunk mostly agree, and this runs for every event.
func (m *relayMetrics) acknowledged(sent []sentRow, now time.Time) {
	var topic, eventType string
	var published prometheus.Counter
	var latency prometheus.Observer
	for _, s := range sent {
		if published == nil || s.topic != topic || s.eventType != eventType {
			topic, eventType = s.topic, s.eventType
			published = m.published.WithLabelValues(topic, eventType)
			latency = m.latency.WithLabelValues(topic, eventType)
		}
		published.Inc()
		latency.Observe(max(now.Sub(s.createdAt).Seconds(), 0))
	}
}

func (m *relayMetrics) observe(report StatusReport) {
	m.pending.Set(float64(report.Pending()))
	m.oldest.Set(report.Oldest().Seconds())
	m.waiting.Set(float64(report.Parked()))
	age := 0.0
	if report.Blocker != nil {
		age = report.Blocker.AgeSeconds
	}
	m.blocker.Set(age)
	m.defaultRows.Set(float64(report.DefaultRows))
	m.unaccepted.Reset()
	for topic, events := range report.SetAside {
		m.unaccepted.WithLabelValues(topic).Set(float64(events))
	}
}

// OnProduceBatchWritten is a hook of the Kafka client.
func (m *relayMetrics) OnProduceBatchWritten(_ kgo.BrokerMetadata, topic string, _ int32, b kgo.ProduceBatchMetrics) {
	m.batch.WithLabelValues(topic).Observe(float64(b.UncompressedBytes))
	if b.CompressedBytes > 0 {
		m.compression.WithLabelValues(topic).Observe(float64(b.UncompressedBytes) / float64(b.CompressedBytes))
	}
}

// OnBrokerE2E is a hook of the Kafka client.
func (m *relayMetrics) OnBrokerE2E(_ kgo.BrokerMetadata, _ int16, e2e kgo.BrokerE2E) {
	if e2e.Err() != nil {
		m.brokers.WithLabelValues("request").Inc()
	}
}
