// Package contracttest holds a service to the contracts that it declares: what a
// consumer does with the events that it reads, and what a producer has put into its
// outbox.
//
// The consumer's points, for every event that its group declares: the current
// version is handled; fields that no schema knows are ignored; optional fields may
// be absent; an event without a field that the group reads and the contract
// requires is given up; a duplicate, a replay of everything and, where the order of
// versions counts, one that comes too early change nothing about the effects.
//
// The producer's points, for every event in an outbox: it keeps its schema; type
// and version are those of its contract; so is the key; the headers are there and
// say what the value says; its id is the same in the row, the value and the headers,
// and stored with them, so that no retry can change it; the fields that its readers
// declare are there.
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
// broker and the runner of package consumer.
package contracttest
