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
// is retried in place [Config.InPlaceAttempts] times. Then the event waits in the
// database for the tiers of its topic's retry chain, an attempt each: in mode
// Ordered every later event of its record key waits behind it, in the other modes
// it waits alone; offsets move on and no other key is delayed. A record on the
// tier's topic, written in the same transaction through the outbox, shows what
// waits; the database is the truth and says what is due. In mode Latest it is
// dropped when a newer version came first. After the last tier the event goes to
// the dead-letter topic through the outbox, in the transaction that also records
// it and moves its key: blocked until an operator decides, or on, as the contract
// says.
//
// [Permanent] and [Unauthorized] skip the attempts, [RetryAfter] sets the pause,
// [Rejected] commits a refusal as a result. A record that cannot be read or
// breaks its contract is a dead letter at once, and so is a version that the
// catalogue does not hold, unless [Subscription.UnknownVersionWait] waits for an
// upgrade. A tombstone that fails is tried in place alone: later it might delete
// what came after it.
//
// A redrive, a record on the shortest retry topic with [HeaderRetryGroup],
// [HeaderRedriveID] and [HeaderDeadLetterID], makes an open dead letter due for
// one more attempt. Its row in factline.dead_letter is REDRIVEN then, and APPLIED
// or, with an attempt more and under the same id, OPEN again after it. In mode
// Latest it is SUPERSEDED where something newer of its key came: a later version,
// or a tombstone, which closes what is open of its key and stood before it.
//
// Events whose pause has ended are tried together, up to 200 and within about 100 ms;
// those that fail are found by a savepoint each. They are marked before, and where the
// process ends meanwhile each of them is tried alone next. An attempt alone is counted
// before it begins, and so is every attempt for a while where the member before died
// at its work: an event that takes the process down with it ends as a dead letter
// too. Killing the process during such an attempt uses it.
//
// A partition whose next offset the log no longer holds stops with an alert and a
// row in factline.consumer_gap instead of jumping. One that has work and makes no
// progress for [Config.StallAfter] is reported. The events of a record key are
// handled one after the other, those of different keys beside each other, up to
// [Config.MaxPartitionChunks] transactions a partition: a slow handler delays its
// own key, and what shares its transaction. Offsets stay at the lowest record that
// is not settled; what was settled above it is recognised when it is read again.
package consumer
