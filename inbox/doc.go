// Package inbox decides, within the transaction of an effect, whether an event
// takes effect now, never again, or later.
//
// Use it through package consumer. Use it directly only in a consumer of your
// own making that keeps the same transaction rules: [LockPartition], [Load],
// [Decide], [Loaded.Changes] and [Changes.Queue], then the effects, then the commit.
//
// Guarantees, as long as those run in one READ COMMITTED transaction that
// commits together with the effects: an event id takes effect once per
// consumer; in mode [Ordered] the versions of an aggregate take effect in order,
// without a gap and once, also after the rows of the inbox have expired; a
// version that another event took before is a conflict and never an effect. The
// lock on the partition's row makes two members that both believe they own it
// take turns.
//
// What fails how: [Decide] is a pure function and cannot fail. Database errors
// are returned as they are; the transaction is then to be rolled back.
// [ErrPartitionUnknown] asks for [StartPartition] first.
package inbox
