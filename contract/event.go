package contract

import (
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Event is the contract of one version of an event: the ownership record of
// its event.yaml, its schema and its examples. Read only.
type Event struct {
	// Type is the past-tense name, such as OrderCaptured.
	Type string `json:"eventType"`
	// Version is the payload contract's version, from the schema's file name.
	Version int `json:"version" yaml:"-"`
	// Topic is the name of the topic that carries the event.
	Topic string `json:"topic"`
	// Description says which fact the event states.
	Description string `json:"description"`
	// OwnerService is the service that produces the event, alone unless
	// AnyProducer says otherwise.
	OwnerService string `json:"ownerService"`
	// AnyProducer says that every service may produce the event, such as a
	// report of its own health. OwnerService still answers for it.
	AnyProducer bool `json:"anyProducer,omitempty"`
	// BusinessOwner and TechnicalOwner are the people to ask.
	BusinessOwner  string `json:"businessOwner"`
	TechnicalOwner string `json:"technicalOwner"`
	// AggregateType is the kind of entity whose lifecycle the event belongs to.
	AggregateType string `json:"aggregateType"`
	// Key is the payload field whose value keys the record. Where several are
	// named, the first that the payload holds; the last is required.
	Key []string `json:"key"`
	// KeyReason says why that field and not another.
	KeyReason string `json:"keyReason"`
	// PayloadSchema is the reference of the current version's schema, such as
	// schema://oms.order.events/OrderCaptured/1.
	PayloadSchema string `json:"payloadSchema"`
	// Compatibility is what changes of the payload promise, inside a version and
	// of a new version to those before it on the same topic: additive, both sides
	// understand each other; backward, new readers understand old events and are
	// deployed first; none, nothing, which lint allows on private and operational
	// topics alone.
	Compatibility string `json:"compatibility"`
	// ContainsPII says whether the payload holds personal data.
	ContainsPII bool `json:"containsPII"`
	// DataClassification is the sensitivity: low, medium, high.
	DataClassification string `json:"dataClassification"`
	// Retention says in words how long the event can be read back.
	Retention string `json:"retention"`
	// ReplaySafe says that reading the event again changes nothing outside the
	// reader, given that groups with side effects stay closed in a replay.
	ReplaySafe bool `json:"replaySafe"`
	// SideEffectWarning names what a careless replay would repeat. Empty when
	// no consumer acts on the outside.
	SideEffectWarning string `json:"sideEffectWarning"`
	// Headers are the record headers that the event carries besides the nine of
	// every event. Each repeats a field of the value.
	Headers []string `json:"headers,omitempty"`
	// Consumers are all who read the event, with the fields each reads.
	Consumers []Consumer `json:"consumers"`
	// ReasonToExist is given for an event that nobody reads.
	ReasonToExist string `json:"reasonToExist,omitempty"`
	// Deprecation is set when the event is on its way out.
	Deprecation *Deprecation `json:"deprecation,omitempty"`
	// Examples are those of the examples folder, by name. They belong to the
	// version that PayloadSchema names.
	Examples []Example `json:"-"`
	// Changelog is the text of CHANGELOG.md.
	Changelog string `json:"-"`

	position
	dir        string
	ref        string
	schemaFile string
	schemaText []byte
	schema     *jsonschema.Schema
	schemas    *schemaSet
	shape      *shape // nil when the schema says more than a shape can
	fields     []Field
	declared   map[string]bool
}

// Consumer is one group that reads an event.
type Consumer struct {
	// Service is the service that the group belongs to.
	Service string `json:"service"`
	// Group is the consumer group.
	Group string `json:"group"`
	// Reads are the payload fields that the group depends on, "*" for all. A
	// path such as totals.oneTimeTotal or lines[].offerId may be given.
	Reads []string `json:"reads"`
}

// ReadersOf returns the consumers that depend on a payload field, in their order.
func (e *Event) ReadersOf(path string) []Consumer {
	return slices.DeleteFunc(slices.Clone(e.Consumers), func(c Consumer) bool { return !c.DependsOn(path) })
}

// DependsOn reports whether the group depends on a payload field: it reads all, the
// field itself, what holds it, or something that it holds.
func (c Consumer) DependsOn(path string) bool {
	return slices.ContainsFunc(c.Reads, func(read string) bool {
		return read == "*" || read == path || Inside(read, path) || Inside(path, read)
	})
}

// Inside reports whether a path as in [Field.Path] lies below another.
func Inside(path, parent string) bool {
	rest, ok := strings.CutPrefix(path, parent)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// Deprecation says when and why an event goes away.
type Deprecation struct {
	// Since and RemoveAfter are dates, YYYY-MM-DD.
	Since       string `json:"since"`
	RemoveAfter string `json:"removeAfter"`
	// ReplacedBy is the schema reference of the successor, if there is one.
	ReplacedBy string `json:"replacedBy"`
	Reason     string `json:"reason"`
}

// Example is one example record.
type Example struct {
	// Name is the file's name without .json: minimal, full.
	Name string
	// File is the path inside the folder.
	File string
	// Value is the record as it would stand on the wire.
	Value []byte
}

// File is the path of the event's ownership record inside the folder.
func (e *Event) File() string { return e.file }

// Line is the line of a path such as "consumers[0].reads" in [Event.File], or of what
// would hold it where it is not written. 0 where there is no file.
func (e *Event) Line(path string) int { return e.line(path) }

// SchemaFile is the path of the event's schema inside the folder.
func (e *Event) SchemaFile() string { return e.schemaFile }

// Schema is the event's schema as the validator reads it. Read only.
func (e *Event) Schema() *jsonschema.Schema { return e.schema }

// SchemaRef is the reference that the event carries on the wire.
func (e *Event) SchemaRef() string { return e.ref }

// Example returns the example of that name.
func (e *Event) Example(name string) (Example, bool) {
	for _, x := range e.Examples {
		if x.Name == name {
			return x, true
		}
	}
	return Example{}, false
}

func schemaRef(folder, eventType string, version int) string {
	return "schema://" + folder + "/" + eventType + "/" + strconv.Itoa(version)
}
