// Package prometheus holds the alert rules on what the library measures, their
// unit tests for promtool, and the proof that a real Prometheus scrapes every
// metric of outbox and consumer (make prove-prometheus). There is nothing to
// import.
package prometheus
