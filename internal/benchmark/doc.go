// Package benchmark measures the relay, the consumer, latency and append
// against simpler ways to do the same, side by side on the same servers.
//
// `factline bench` runs it. It is no load test of a platform and its figures
// are of one machine: compare subjects of one run, not runs of two machines.
//
// What makes the comparison fair: every subject gets a database and a topic of
// its own, made from the same template; the same events; the same client
// settings where they matter (acks=all, zstd, idempotence); subjects take turns
// within a run and change places between runs; ratios are taken within a run.
// The first round warms up and is not counted.
//
// What makes it true: after a relay subject the log is read back and must hold
// every event; ours must hold them in version order per aggregate. After a
// consumer subject its table is compared with the events. A subject that fails
// its check fails the benchmark.
package benchmark
