// Package workload takes quotes through the platform's HTTP interface to their
// acceptance and writes down what it heard.
//
// It behaves like a client in a hurry: a request without an answer is sent again
// with the same idempotency key, an acceptance is sometimes sent twice, with the
// same key or with another one. The same seed makes the same plans.
package workload
