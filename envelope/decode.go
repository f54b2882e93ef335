package envelope

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxRecordBytes is the largest value [DecodeRaw] looks at: larger than
// [MaxValueBytes], because a record may come from a writer that is not ours.
const MaxRecordBytes = 8 << 20

// Decode reads a value into an event with a payload of type T. Unknown fields
// are ignored; a value without one of the nine required fields is refused.
func Decode[T any](value []byte) (Event[T], error) {
	raw, err := DecodeRaw(value)
	if err != nil {
		return Event[T]{}, err
	}
	return As[T](raw)
}

// DecodeRaw reads the envelope of a value and leaves the payload as JSON. The
// event shares no memory with value. Every error is a [*DecodeError] or
// [*LimitError].
//
// It accepts the JSON that encoding/json accepts and reads it alike: null
// leaves a field out, the last of several members of one name holds, broken
// UTF-8 becomes U+FFFD. One thing differs: names are compared exactly, so
// "EventID" is an unknown field, as it is to readers in other languages.
func DecodeRaw(value []byte) (Raw, error) {
	if len(value) > MaxRecordBytes {
		return Raw{}, &LimitError{What: "value", Size: len(value), Limit: MaxRecordBytes}
	}
	d := decoder{scanner: scanner{text: value}}
	if !d.value() || !d.end() {
		return Raw{}, d.failure()
	}
	if d.problem != nil {
		return Raw{}, d.problem
	}
	return d.event, d.event.Check()
}

// decoder fills an event while it scans. A field of the wrong type does not end
// the scan: that the text is no JSON at all is the more important thing to say.
type decoder struct {
	scanner
	event   Raw
	problem *DecodeError // the first field that cannot be read
	short   strings.Builder
}

func (d *decoder) value() bool {
	if d.peek() != '{' {
		return d.mismatch("value", "object")
	}
	return d.members(d.member)
}

// members passes an object and calls member at the value of each.
func (d *decoder) members(member func(name literal) bool) bool {
	if !d.open() {
		return false
	}
	for first := true; ; first = false {
		if more, ok := d.more(first, '}'); !more {
			return ok
		}
		if name, ok := d.name(); !ok || !member(name) {
			return false
		}
	}
}

func (d *decoder) member(literal literal) bool {
	name, plain := literal.plain()
	if !plain {
		name = []byte(literal.unquote())
	}
	e := &d.event
	switch string(name) {
	case "eventId":
		return d.string("eventId", &e.EventID)
	case "eventType":
		return d.string("eventType", &e.EventType)
	case "eventVersion":
		return integer(d, "eventVersion", &e.EventVersion)
	case "occurredAt":
		return d.time("occurredAt", &e.OccurredAt)
	case "publishedAt":
		return d.time("publishedAt", &e.PublishedAt)
	case "producer":
		return d.string("producer", &e.Producer)
	case "tenantId":
		return d.string("tenantId", &e.TenantID)
	case "aggregateType":
		return d.string("aggregateType", &e.AggregateType)
	case "aggregateId":
		return d.string("aggregateId", &e.AggregateID)
	case "aggregateVersion":
		return integer(d, "aggregateVersion", &e.AggregateVersion)
	case "correlationId":
		return d.string("correlationId", &e.CorrelationID)
	case "causationId":
		return d.string("causationId", &e.CausationID)
	case "traceId":
		return d.string("traceId", &e.TraceID)
	case "schemaRef":
		return d.string("schemaRef", &e.SchemaRef)
	case "payload":
		return d.payload()
	case "metadata":
		return d.metadata()
	}
	return d.skip()
}

func (d *decoder) string(field string, into *string) bool {
	if d.peek() != '"' {
		return d.mismatch(field, "string")
	}
	text, ok := d.literal()
	if ok {
		*into = d.keep(text)
	}
	return ok
}

// shortBytes is room for the identifiers of an ordinary event.
const shortBytes = 384

// keep copies a string out of the value. Short ones share one allocation, so
// whoever keeps one of them keeps at most shortBytes alive.
func (d *decoder) keep(text literal) string {
	plain, ok := text.plain()
	if !ok {
		return text.unquote()
	}
	if d.short.Cap() == 0 {
		d.short.Grow(min(shortBytes, len(d.text)))
	}
	from := d.short.Len()
	if len(plain) > d.short.Cap()-from {
		return string(plain)
	}
	d.short.Write(plain)
	return d.short.String()[from:]
}

func integer[N int | int64](d *decoder, field string, into *N) bool {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		return d.mismatch(field, "integer")
	}
	text, ok := d.raw()
	if !ok {
		return false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || int64(N(n)) != n {
		d.refuse(field, "JSON number that is fractional or too large, want integer")
		return true
	}
	*into = N(n)
	return true
}

func (d *decoder) time(field string, into *time.Time) bool {
	if d.peek() != '"' {
		return d.mismatch(field, "RFC 3339 time")
	}
	text, ok := d.literal()
	if ok && into.UnmarshalJSON(text.quoted) != nil {
		d.refuse(field, "no RFC 3339 time")
	}
	return ok
}

func (d *decoder) payload() bool {
	text, ok := d.raw()
	d.event.Payload = bytes.Clone(text)
	return ok
}

// metadata adds to what an earlier member of that name gave, as encoding/json
// does with a map.
func (d *decoder) metadata() bool {
	switch d.peek() {
	case '{':
	case 'n':
		d.event.Metadata = nil
		return d.skip()
	default:
		return d.mismatch("metadata", "object of strings")
	}
	if d.event.Metadata == nil {
		d.event.Metadata = map[string]string{}
	}
	return d.members(func(name literal) bool {
		var value string
		ok := d.string("metadata", &value)
		d.event.Metadata[d.metadataName(name)] = value
		return ok
	})
}

// metadataName saves an allocation for each name the contract knows.
func (d *decoder) metadataName(name literal) string {
	plain, _ := name.plain()
	switch string(plain) {
	case "sourceCommandId":
		return "sourceCommandId"
	case "idempotencyKey":
		return "idempotencyKey"
	case "actorType":
		return "actorType"
	case "actorId":
		return "actorId"
	}
	return d.keep(name)
}

// mismatch passes a value that is not of the type wanted. A null is no problem:
// it leaves the field as it is.
func (d *decoder) mismatch(field, want string) bool {
	kind := kindOf(d.peek())
	if !d.skip() {
		return false
	}
	if kind != "null" {
		d.refuse(field, fmt.Sprintf("JSON type %s, want %s", kind, want))
	}
	return true
}

func (d *decoder) refuse(field, reason string) {
	if d.problem == nil {
		d.problem = &DecodeError{Field: field, Reason: reason}
	}
}

func kindOf(first byte) string {
	switch first {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	}
	return "number"
}
