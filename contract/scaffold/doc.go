// Package scaffold drafts the files of a new topic or a new event: topic file,
// ownership record, schema, examples and changelog, and in an empty folder the
// services and the envelope too.
//
// # When not to use it
//
// Not for a second version of an event, which is a copy of its schema beside the
// first, and not to change what is there: nothing is ever overwritten.
//
// # Guarantees
//
// What is drafted loads: the draft is read together with the folder it belongs to
// before a byte of it is written. Names keep the rules of package lint, or there is
// no draft. Whatever else lint finds is in [Draft.Open]; what only the author can
// know and did not say is marked TBD and stands there too.
//
// # What fails how
//
// [Topic] and [Event] say with an error what cannot be drafted and leave the folder
// alone. [Draft.Write] makes all files or none.
package scaffold
