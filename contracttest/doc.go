// Package contracttest holds a service to the contracts that it declares: what a
// consumer does with the events that it reads, and what a producer has put into its
// outbox.
//
// The consumer's points, for every event that its group declares: it is handled, or
// named with the feature that it waits for; the current version is handled, a
// rejection counting only where the service names it; the fields that the group
// declares to read suffice and have the effects of the whole event; the handler reaches
// nothing but its database; fields that no schema knows are ignored; optional fields
// may be absent; an event without a field that the group reads and the contract
// requires, at any depth but not at one place of a list or below a pattern of names, is
// given up; a duplicate, a replay of everything and, where the order of versions
// counts, a replay after the inbox expired and an event that comes too early change
// nothing about the effects.
//
// The producer's points, for every event in an outbox: it keeps its schema; type
// and version are those of its contract; so is the key; the headers are there and
// say what the value says; its id is the same in the row, the value and the headers,
// and again on the log after a relay that died between acknowledgement and receipt;
// the fields that its readers declare are there. Every event that the service owns
// is there, or named with the feature that it waits for.
//
// # When not to use it
//
// Not for what an event means to a service: that is the service's own test. The kit
// sees that an event had its effect once, not that it was the right one.
//
// # What it needs
//
// A migrated database of the test's own and the service's real handlers. The events
// come from the catalogue's examples, each for an aggregate of its own, through a
// broker and the runner of package consumer. An event that no example can be, because
// the service computes part of it again, is made by [Consumer.Sample].
//
// Effects are compared in copies of the database, so the user of [Consumer].Config.Pool
// may create databases and nobody else is connected to it. What a handler calls is
// seen by the context that it is given: a call without it goes unseen.
package contracttest
