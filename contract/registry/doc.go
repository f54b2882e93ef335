// Package registry lets tools that know the HTTP interface of Confluent's
// Schema Registry read a catalogue, and copies a catalogue into such a registry.
//
// It is for what stands around a platform and cannot read the contracts folder:
// consoles, connectors, stream processors, other languages. The subject of an
// event is its topic and type (oms.order.events.v1-OrderCaptured, the field's
// "topic record name"), the version is the event's, the type is JSON.
//
// # When not to use it
//
// Not for services that use this library: they hold the catalogue, and no
// registry has to be up for an event to be written or read. Events carry their
// schemaRef and never a registry's magic byte and id.
//
// # Guarantees
//
// [Handler] only reads: every request that would change something is refused
// with what to do instead. What an id answers never changes: ids are made of
// the schema's text, so all instances and restarts give the same, and a changed
// schema gets another. Each schema is one document that refers to nothing
// outside itself. Both are safe for concurrent use.
//
// [Push] registers what is missing and changes nothing that is there; it may be
// run again and from several places.
//
// # What fails how
//
// The handler answers errors as the registry does, with a code of its own
// (40401 subject, 40402 version, 40403 schema). Push goes on after a subject
// that the registry refuses and returns all refusals joined, each a
// [PushError]; the report says what was done all the same.
package registry
