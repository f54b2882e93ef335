// Package effect makes calls to other systems that belong to the effect of an
// event: an e-mail, a request to a provider, a ticket.
//
// [Caller.Do] stores the call in the transaction of the effect, so that the call
// exists exactly when the effect does. A [Worker] makes it after the commit
// through the [Performer] that the user implements, records the answer, and
// hands it to OnResult, where it may become events. Run one Worker per name, in
// as many processes as you like.
//
// Do not use it for questions whose answer the transaction needs (ask before it
// begins), for telling other services what happened (that is an event: package
// outbox), or for a provider that can neither drop a repeated key nor bear a
// call twice.
//
// Guarantees:
//
//   - A committed call is made at least once and always with the same key. It is
//     made again where a worker ended, was paused beyond its lease, or lost the
//     database between the call and the record of its answer; the provider
//     drops the repetition by the key. Nothing here makes it exactly once.
//   - One key of one name is one call: storing it again changes nothing, for as
//     long as its row is kept.
//   - One answer is recorded for a call, and OnResult takes effect in the
//     database exactly once for it. A worker that another one has replaced
//     records nothing.
//   - Calls of one order key are made in the order in which their transactions
//     committed, each after the one before is done; one that fails or was given
//     up holds its successors and nobody else's.
//   - In a replay ([WithReplay]) nothing is stored and nothing is called.
//
// What fails how: an attempt is counted in the database before it is made, so
// that a call that kills its process is given up too. [Permanent] gives a call
// up at once, [RetryAfter] sets the pause, any other error is retried with
// backoff and jitter up to [WorkerConfig.MaxAttempts]. A call that was given up
// is [Dead], stays until an operator decides ([Retry], [Skip]) and is never
// deleted. A shutdown uses no attempt of a call; one that has to cut OnResult
// off uses one of OnResult. A database outage keeps the answer in memory until
// it can be recorded; a connection that has gone silent is given up while the
// lease leaves time for another one. OnResult has until
// [WorkerConfig.LeaseTTL]; missing that uses one of its attempts. An error of OnResult never repeats the call.
//
// Growth: rows that are done or skipped are deleted after
// [WorkerConfig.Retention], in batches; so are the locks of order keys.
package effect
