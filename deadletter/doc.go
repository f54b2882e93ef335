// Package deadletter collects what consumers gave up, shows it, and settles it:
// tried again by a redrive, corrected, or skipped.
//
// There are two places to look. The database of a consumer has the truth about
// its own dead letters: [List] and [Get] read there, [Skip] and [Correct] settle there, and
// [SkipVersions] lets a group go on behind versions that no dead letter stands for
// and that will never come. A [Collector] copies the dead-letter topics of all
// groups into one database, the [Store], which groups them by cause, keeps their
// history and runs redrives. Do not delete rows of any of these tables by hand: the
// gate of an aggregate would never open, and a redrive would lose its memory.
//
// A redrive is planned ([Store.PlanRedrive]) and then applied
// ([Store.ApplyRedrive]). It travels to the failing group alone, through the
// shortest retry topic of the source topic. Do not redrive what can never
// succeed: skip it.
//
// Guarantees: every act is one transaction, names its operator and reason in
// factline.operator_action, and is serialised with the consumer that works on
// the same partition. A dead letter is settled at most once. [Skip] never lets a
// later event of an aggregate overtake one that still waits. A redrive sends
// exactly the letters that were previewed, each once, of a key that is kept in
// order one at a time and the lowest version first; it goes on where it stopped,
// after a cancellation as after a kill, and two runs of one exclude each other.
// A run that goes on sends again what never reached its group, which takes it once;
// [Store.AbandonRedrive] gives a redrive up.
// What the operator's team has no right to, is older than the dedupe horizon, breaks
// a contract of today, or would overtake an earlier event is refused with the reason.
//
// What fails how: a letter that fails again is open again, and what waits behind
// it in the redrive stays where it is. Enough of them stop the redrive, a failing
// canary at once. A group that gives no outcome pauses it. The collector waits
// for its database and passes nothing over; bytes that are no dead letter are
// kept as they are, with the class UNREADABLE_DEAD_LETTER. Settled letters are
// deleted after CollectorConfig.Retention, open ones never.
package deadletter
