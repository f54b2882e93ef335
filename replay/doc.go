// Package replay rebuilds a projection beside the live one and compares the two.
//
// Use it after a change of a projection's code or table, after doubt about its
// content, and as a drill. It is for read models alone: a consumer that calls
// other systems or appends events is refused, because a replay would do so
// again.
//
// Guarantees: the live group, its offsets, its inbox and its table are read and
// never written. The replay reads the log with an assignment of its own and
// keeps its own gate and inbox under the consumer name group@run, so a record
// that the log repeats takes effect once. What the live group gave up, or an
// operator skipped, has no effect here either. The comparison is of one instant:
// it reads the live table and the live group's offsets in one snapshot and the
// rebuilt table after exactly the records below those offsets; live traffic goes
// on meanwhile. It covers every column of every row.
//
// A handler that writes anywhere but to the table it is given, the live one or an
// outbox for instance, is caught in its first transaction, which is rolled back.
// A call to another system cannot be seen: declare such a projection not safe.
//
// What fails how: [Check] and [Run] refuse with a [*RefusedError] that names
// each [Condition], as a rule before anything is made. An error later leaves nothing
// behind: the new table and the scope's rows are removed, unless Config.Keep is
// set. A difference is no error; it is in the [Report].
package replay
