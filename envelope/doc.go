// Package envelope is what every event carries on the wire: the sixteen fields
// of the transport contract, the nine record headers, the identifiers and the
// size limits.
//
// Use it to read or write a record of an event topic. Do not use it as a domain
// model: an [Event] is a transport contract, and its payload type belongs to the
// service that declares it.
//
// Guarantees: [Encode] writes the fields in one fixed order with publishedAt
// last, so that a relay adds it with [Stamp] without encoding again; [Decode]
// accepts unknown fields and refuses a record that lacks a field every reader
// needs; an event can be rebuilt from its value alone, headers only repeat it.
//
// A value that cannot be read gives a [*DecodeError] that names the field and
// never repeats its content. Nothing here blocks, allocates without bound or
// keeps state; everything is safe for concurrent use.
package envelope
