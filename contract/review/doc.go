// Package review answers, for one event or topic, the fourteen questions that a
// design review asks before a contract is approved, each with a verdict and the
// evidence for it.
//
// The verdicts rest on the rules of package lint and on what the catalogue
// declares; nothing is answered from the name of a file alone. What no rule can
// decide, such as whether a payload is enough for a consumer not yet known, is
// for the people who read the evidence.
//
// # When not to use it
//
// Not to judge a change against what is published: a contract can answer every
// question and still break its readers. That is package policy's.
//
// # Guarantees
//
// Reviews are pure: the same catalogue on the same day gives the same answers in
// the same order. Every rule of package lint but those about waivers themselves
// belongs to a question, so a review never passes what lint refuses. Nothing
// here fails; an unknown subject is the caller's to find.
package review
