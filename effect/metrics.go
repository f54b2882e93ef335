package effect

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// The outcomes of an attempt, as the counters name them.
const (
	outcomeDone     = "done"
	outcomeRetry    = "retry"
	outcomeDead     = "dead"
	outcomeReleased = "released"
	outcomeLost     = "lost"
)

type metrics struct {
	calls, results, failures *prometheus.CounterVec
	seconds, answer          *prometheus.HistogramVec
	open, oldest             *prometheus.GaugeVec
}

// newMetrics registers with reg, or takes what another worker of the process
// has registered there. A nil reg leaves them unregistered.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	b := metricBuilder{reg: reg}
	fast := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	slow := []float64{.025, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800, 3600, 21600, 86400}
	m := &metrics{
		calls:    b.counter("calls_total", "Attempts of calls by outcome: done, retry, dead; released by a shutdown; lost to another worker, which makes the call again.", "outcome"),
		results:  b.counter("results_total", "Attempts of OnResult by outcome: done, retry, dead, lost.", "outcome"),
		failures: b.counter("failures_total", "Steps in the database that failed and are tried again, by step: claim, answer, result, retry, dead, release, status, delete.", "step"),
		seconds:  b.histogram("call_seconds", "Length of an attempt in the performer, whatever came of it.", fast),
		answer:   b.histogram("answer_seconds", "From storing a call to recording its answer.", slow),
		open:     b.gauge("open_calls", "Calls by state: PENDING for an attempt, ANSWERED for OnResult, HELD behind an earlier one of their order key, DEAD for an operator.", "state"),
		oldest:   b.gauge("oldest_age_seconds", "Age of the oldest call in each state.", "state"),
	}
	return m, b.err
}

type metricBuilder struct {
	reg prometheus.Registerer
	err error
}

func (b *metricBuilder) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	opts := prometheus.GaugeOpts{Namespace: "factline", Subsystem: "effect", Name: name, Help: help}
	return register(b, prometheus.NewGaugeVec(opts, append([]string{"name"}, labels...)))
}

func (b *metricBuilder) counter(name, help string, labels ...string) *prometheus.CounterVec {
	opts := prometheus.CounterOpts{Namespace: "factline", Subsystem: "effect", Name: name, Help: help}
	return register(b, prometheus.NewCounterVec(opts, append([]string{"name"}, labels...)))
}

func (b *metricBuilder) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	opts := prometheus.HistogramOpts{Namespace: "factline", Subsystem: "effect", Name: name, Help: help, Buckets: buckets}
	return register(b, prometheus.NewHistogramVec(opts, append([]string{"name"}, labels...)))
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

// observe sets what status found, and zero where it found none.
func (m *metrics) observe(name string, found map[string]stateCount) {
	for _, state := range []string{Pending, Answered, Held, Dead} {
		m.open.WithLabelValues(name, state).Set(float64(found[state].calls))
		m.oldest.WithLabelValues(name, state).Set(found[state].oldest)
	}
}
