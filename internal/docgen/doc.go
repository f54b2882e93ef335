// Command docgen writes the guides that are made from code: every metric
// (docs/guide/metrics.md), every error that callers can branch on
// (docs/guide/errors.md), and the platform's catalogue of events with its
// AsyncAPI document (docs/catalogue).
//
//	go run ./internal/docgen          writes them
//	go run ./internal/docgen -check   only says which are out of date, exit 3
//
// Metrics are taken from the collectors that relays, consumers and the platform
// register, so a metric without a series is listed too. Errors are read from the
// source. A test fails while a guide is out of date.
package main
