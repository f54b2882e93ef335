// Package outbox stores events in the transaction that makes them true and
// relays them to Kafka in order.
//
// Use [Outbox.Append] wherever a service changes state and others must learn of
// it, and run one [Relay] (or several) per database. Do not use it for commands,
// for messages that may be lost, or for content above
// [factline.dev/envelope.MaxValueBytes].
//
// Guarantees: an event exists exactly when its transaction commits; it reaches
// the log at least once, normally once; first occurrences of one aggregate's
// events stand on the log in aggregateVersion order, through concurrency,
// crashes and broker rejections. A crash, or an owner that was paused, may
// repeat old events with the same eventId; consumers drop them.
//
// What fails how: an event that breaks its contract or a limit is refused by
// Append and the transaction stays usable; a broker or database outage leaves
// the backlog in the table and memory flat; a record the broker refuses for
// good is parked with its reason and holds back its key alone, until an operator
// decides with [Resolve] that it is sent again or given up; events of a topic or
// partition the broker does not accept (missing, not to be written to, with fewer
// partitions than at first, without a leader or enough replicas) are set aside in
// the database, named in the log and the metrics, and sent in order once it is
// accepted, while all others go on. The relay needs no clock but the database's
// and no network between begin and commit.
package outbox
