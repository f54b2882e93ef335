// Package render writes what commands print: tables for people, JSON for
// programs.
//
// Everything it writes may come from strangers: event payloads, error messages
// of brokers, names of topics. Whatever could move a terminal's cursor, change
// its colours or turn the direction of reading is written as an escape, in
// tables as in JSON; JSON stays valid and decodes to the original text.
//
// It does not wrap or cut: long cells make long lines, which a pipe can search.
package render
