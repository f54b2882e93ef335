// Package web is the HTTP side of every service of the platform: routes on one
// mux, one problem+json model, idempotent commands, preconditions, tenants,
// correlation and trace context, and the documentation page.
//
// A service lists its routes as values of [Command] and [Query]. A command runs
// in one database transaction: the idempotency row, what the handler writes and
// the events it appends commit together. Checks happen in one order: tenant,
// body shape, idempotency, then whatever the handler checks (existence, state
// guard, [Call.Precondition], business rules).
//
// A handler refuses by returning a [*Problem] as its error, before it has
// written anything; the refusal is not stored, and the same key may succeed once
// the state or the precondition has changed. A refusal that other parties must
// know is a [Reply] with Problem set: it commits what the handler wrote, and is
// stored and repeated like a success. Every other error is a failure: the transaction is rolled
// back, nothing is stored, and the caller sees 500, or 503 where trying again
// makes sense.
//
// No answer repeats what a caller sent, apart from its correlation id.
package web
