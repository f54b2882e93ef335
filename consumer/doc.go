// Package consumer runs handlers on the events of Kafka topics, each event with
// exactly one effect in the consumer's own PostgreSQL.
//
// Use a [Runner] for everything that keeps its state in that database: read
// models, order capture, an audit copy. Do not use it for calls to other
// systems within a handler: they are at least once and belong after the commit;
// and not for a consumer without a database, which cannot keep these promises.
//
// Records are handled in chunks, each one transaction: of one partition in a
// backlog, of what waits in several partitions of a topic otherwise.
//
// Guarantees, per consumer group and topic mode:
//
//   - The effect of an event commits together with its inbox row, its gate and
//     the next offset of its partition. Crashes, rebalances, two members that
//     both believe they own a partition, a rewound group, and a database
//     restored from a backup repeat deliveries, never effects, and skip none.
//   - Ordered: the events of one aggregate take effect in aggregateVersion
//     order without a gap. A missing version holds the later ones; an event
//     that is given up blocks its record key until an operator decides.
//   - Unordered: each event once, in whatever order it arrives.
//   - Latest: of a current-state topic each newer record, older ones dropped.
//
// What fails how: a serialization failure, a deadlock, a lost connection, an
// unknown outcome of a commit, a rebalance or a shutdown is no failure of a
// handler and is retried without using an attempt. Any other error of a handler
// is retried in place with backoff up to [Config.InPlaceAttempts], then the event
// goes to the dead-letter topic through the outbox, in the transaction that
// also records it, blocks its key and moves the offset. [Permanent] skips the
// attempts, [RetryAfter] sets the pause, [Rejected] commits a refusal as a
// result. A record that cannot be read or breaks its contract is a dead letter
// at once. A partition whose next offset the log no longer holds stops with an
// alert instead of jumping.
package consumer
