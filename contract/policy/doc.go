// Package policy judges a change of contracts: what is allowed on a topic of
// which visibility, who is hurt, and which breaks have been approved.
//
// [Check] compares two states of a contracts folder. Package compat says what
// the schemas accept; on top of that stands what no schema says: that a removed
// optional field breaks exactly the consumers that read it, that a new enum
// value surprises its readers, that other words about an instant may mean
// another instant, that a key, an owner, a retention or a class is a promise too.
// Fields are judged wherever they stand: in objects, maps and lists, in the branches
// of a choice, in the envelope.
//
// # When not to use it
//
// Not for whether a contract is a good one; see packages lint and review. Not
// for two schemas without a catalogue; see package compat.
//
// # Guarantees
//
// Every schema that differs, directly or in what it refers to, is compared with
// itself in both directions. A version that is new is compared with every earlier
// one of the event on the same topic that either state holds, in the directions that
// its compatibility promises; older versions were compared when they came. What has
// no earlier state is a change with the verdict [New]. A branch of a choice that
// changed is told twice, for its field and for the choice, whose schemas are
// compared as a whole.
// What could not be decided fails as a break does. The same two folders give the
// same changes, fingerprints and order on the same day, unless a comparison runs
// out of its time. Nothing touches the network, and comparing is bounded per
// schema by package compat.
//
// # What fails how
//
// [Check] returns an error only where a schema cannot be read again; every
// judgement is a [Change]. Whether a change makes a build fail is
// [Change.Failed]: it is a break or undecided, or risky where others depend on
// it, and nobody has approved it.
package policy
