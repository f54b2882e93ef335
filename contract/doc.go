// Package contract reads a folder of event contracts and answers for it: which
// topics there are, where an event goes and under which key, whether the bytes
// of an event are what its contract says, and who reads which field.
//
// The folder is the one source. Topics, retry and dead-letter topics, record
// keys, validation, consumer tests and documentation are derived from it and
// written nowhere else. Its layout:
//
//	services.yaml                      title, services, trust, consumer groups
//	waivers.yaml                       exceptions from lint rules, with owner and end (optional)
//	approvals.yaml                     approved breaking changes, with owner and end (optional)
//	*.schema.json                      shared schemas, such as the envelope
//	events/<topic without .v1>/
//	  topic.yaml
//	  <EventType>/
//	    event.yaml                     the ownership record
//	    v<N>.schema.json               JSON Schema 2020-12 of the event on the wire
//	    examples/minimal.json full.json
//	    CHANGELOG.md
//
// # When not to use it
//
// Not for the shape of HTTP requests, and not for records that are no events:
// dead-letter records and tombstones have no contract here. Judgement about
// good contracts (names, thin events, unmarked personal data) is not the
// loader's; see the package factline.dev/contract/lint.
//
// # Guarantees
//
// A [Catalogue] that [Load] returned is complete and usable: every schema
// compiles, every key field exists and is a required string, every reference
// resolves inside the folder. It never changes and is safe for concurrent use.
// Nothing here touches the network. Validation is bounded in size, depth and
// number length before a schema sees the value, and its errors name fields but
// never repeat what the fields hold, which may be personal data.
//
// A valid event is usually told from its bytes alone, in one pass and without
// allocation: [Load] merges each schema into checks that say yes only where the
// full validation would. Whatever they are not sure of, and every event whose
// schema uses more than they know (not, if, contains, unevaluatedProperties and
// their like), is validated in full. That changes what a validation costs, never
// what it says.
//
// # What fails how
//
//   - [Load] returns every problem of the folder at once, each a [ProblemError]
//     with file, line and path, joined by [errors.Join].
//   - [Catalogue.Validate] returns a [UnknownEventError] for a type or version
//     that the catalogue does not hold, and a [ViolationError] for a value that
//     breaks its contract.
//   - [Catalogue.Route] returns the same two.
package contract
