// Package wire reads and writes the JSON of events for generated code: each
// value is read once, checked and stored in the same step. "factline contracts
// generate go" writes the code that calls it, from the schemas.
//
// # When not to use it
//
// Not by hand, and not for JSON that no contract describes: encoding/json is
// easier. The catalogue's own validation (factline.dev/contract) shares the
// scanner, the patterns, formats and numbers of this package.
//
// # Guarantees
//
// A [Reader] refuses what the catalogue's validation refuses: too many bytes, too
// deep nesting, numbers too long, broken UTF-8, a name twice in an object. What it
// returns shares no memory with the text; the strings of a text of up to 4 KiB
// share one copy of it. Rules never change and are safe for concurrent use; a
// Reader, an [Object] and a [Writer] belong to one goroutine.
//
// # What fails how
//
// Reading stops at the first fault, and [Decode] returns it as an
// [envelope.DecodeError] that names the field and never repeats what the field
// holds. A name that no schema declares is written as "*". Writing does not fail.
package wire
