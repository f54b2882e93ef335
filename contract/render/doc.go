// Package render writes a catalogue for people and for documentation tools: an
// AsyncAPI 3 document ([AsyncAPI]), Markdown with a page for each event and topic
// ([Markdown]), and a static HTML site that needs no server and no other host
// ([Site]).
//
// # When not to use it
//
// Not as a source: everything it writes follows from the contracts folder and is
// written again when that changes. For programs that validate, the catalogue
// itself or the package factline.dev/contract/registry is exact; AsyncAPI's own
// schema language is a little narrower (see [AsyncAPI]).
//
// # Guarantees
//
// The same catalogue gives the same bytes. What stands in a contract is data
// everywhere: markup, links and scripts in a description come out as the text
// they are. Fields marked as personal data are said to be so. Safe for
// concurrent use.
//
// # What fails how
//
// Nothing is written to a disk here. [AsyncAPI] fails, naming event and keyword,
// where a schema uses what that language has no words for; the others fail only
// with a catalogue that did not come from [contract.Load].
package render
