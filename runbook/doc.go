// Package runbook answers the two questions an operator asks first: where did
// this event get stuck ([Trace]), and how far behind are the consumers ([Lag]).
//
// It only reads: the library's tables in each service's database, the log, and
// the business rows that the caller names by SQL in [Stage]. It repairs nothing;
// it names the first broken link and the command that mends it. Do not build
// monitoring on it: use the metrics, which cost nothing to read.
//
// Guarantees: every statement runs in a read-only transaction that ends after
// [Timeout]; nothing is locked and no group is joined.
//
// What fails how: an unknown id is an [*UnknownIDError]; a database or broker
// that cannot be reached is a link of state Unknown in the report where the
// walk can go on, and an error where it cannot.
package runbook
