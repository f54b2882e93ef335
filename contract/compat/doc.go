// Package compat says whether one version of a JSON Schema can follow another:
// compatible, breaking with a document that shows it, or unknown.
//
// It compares what the schemas accept, not how they are written. Reading is
// compatible when every document that is valid under the schema it was written
// with is valid under the schema it is read with. Drafts 04 to 2020-12 may be
// mixed.
//
// # How it decides
//
// The reading schema is split into its single requirements ([Finding.Rule]). For
// each of them the engine looks for a document that the writing schema accepts
// and the requirement refuses. It takes both apart, case by case, until a case
// contradicts itself or a document can be written down. A requirement that no
// case can break is kept; that is the proof. Numbers are exact, patterns are
// automata.
//
// # When not to use it
//
// Not to find out who is hurt by a change: that depends on which fields a
// consumer reads, which package factline.dev/contract knows. Not as a validator.
//
// # Guarantees
//
//   - [Compatible] is said only when every case was refuted.
//   - [Breaking] is said only with a witness that the validator accepted under
//     the one schema and refused under the other.
//   - Everything else is [Unknown], with the reason. Treat it as breaking.
//   - Nothing touches the network: references lead into the schema's own folder
//     or fail in [Parse] and [Load].
//   - A comparison is bounded by [Options.Timeout], [Options.MaxSteps] and the
//     limits on what Parse takes. A [Schema] never changes and everything here is
//     safe for concurrent use.
//
// # What fails how
//
// [Parse] and [Load] return a [SchemaError] for bytes that are no usable schema.
// [Compare] returns no error: what it cannot decide is a verdict.
package compat
