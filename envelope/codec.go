package envelope

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"time"
)

// timeLayout is RFC 3339 in UTC with exactly three digits of a second, so that
// one instant has one text.
const timeLayout = "2006-01-02T15:04:05.000Z"

// FormatTime writes t the way every time of an event is written.
func FormatTime(t time.Time) string { return t.UTC().Format(timeLayout) }

// Template is an encoded event that still lacks its aggregateVersion, which
// only the database knows. The whole value is Prefix, the decimal version,
// Suffix.
type Template struct {
	Prefix, Suffix []byte
}

// Value returns the encoded event with the version filled in.
func (t Template) Value(aggregateVersion int64) []byte {
	out := make([]byte, 0, len(t.Prefix)+len(t.Suffix)+20)
	out = append(out, t.Prefix...)
	out = strconv.AppendInt(out, aggregateVersion, 10)
	return append(out, t.Suffix...)
}

// Encode returns the value of e as it stands on the wire. A zero PublishedAt is
// left out, for [Stamp] to add. The payload must marshal to a JSON object.
func Encode[T any](e Event[T]) ([]byte, error) {
	payload, err := json.Marshal(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("envelope: encode payload of %s: %w", e.EventType, err)
	}
	t, err := template(e, payload)
	if err != nil {
		return nil, err
	}
	value := t.Value(e.AggregateVersion)
	if !e.PublishedAt.IsZero() {
		value = Stamp(value, e.PublishedAt)
	}
	return value, nil
}

// EncodeTemplate encodes e around the place of its aggregateVersion. It ignores
// AggregateVersion and PublishedAt. The payload is taken as it stands: it must be
// what [json.Marshal] makes of an object.
func EncodeTemplate(e Raw) (Template, error) { return template(e, e.Payload) }

func template[T any](e Event[T], payload []byte) (Template, error) {
	if len(payload) == 0 || payload[0] != '{' {
		return Template{}, fmt.Errorf("envelope: encode payload of %s: it is no JSON object; pass a struct or a map", e.EventType)
	}
	w := objectWriter{buf: make([]byte, 0, len(payload)+600)}
	w.text("eventId", e.EventID)
	w.text("eventType", e.EventType)
	w.number("eventVersion", int64(e.EventVersion))
	w.text("occurredAt", FormatTime(e.OccurredAt))
	w.text("producer", e.Producer)
	w.text("tenantId", e.TenantID)
	w.text("aggregateType", e.AggregateType)
	w.text("aggregateId", e.AggregateID)
	w.name("aggregateVersion")
	cut := len(w.buf)
	w.optional("correlationId", e.CorrelationID)
	w.optional("causationId", e.CausationID)
	w.optional("traceId", e.TraceID)
	w.optional("schemaRef", e.SchemaRef)
	w.raw("payload", payload)
	w.object("metadata", e.Metadata)
	w.buf = append(w.buf, '}')
	return Template{Prefix: w.buf[:cut:cut], Suffix: w.buf[cut:]}, nil
}

// StampBytes is by how much publishedAt lengthens a value.
const StampBytes = len(`,"publishedAt":""`) + len(timeLayout)

// Stamp returns value with publishedAt added as its last member. The value must
// come from [Encode] or [Template.Value] without one.
func Stamp(value []byte, publishedAt time.Time) []byte {
	out := make([]byte, 0, len(value)+StampBytes)
	out = append(out, value[:len(value)-1]...)
	return append(out, StampSuffix(publishedAt)...)
}

// StampSuffix returns what replaces the last byte of a value to make it what
// [Stamp] returns, for those who have room behind the value: StampBytes + 1
// bytes, the same for every value.
func StampSuffix(publishedAt time.Time) []byte {
	return []byte(`,"publishedAt":"` + FormatTime(publishedAt) + `"}`)
}

// Check reports whether the nine fields that every reader requires are there:
// eventId, eventType, eventVersion, occurredAt, producer, tenantId,
// aggregateType, aggregateId and payload, and that identifiers keep their
// limits.
func (e Event[T]) Check() error {
	for _, f := range []struct{ name, value string }{
		{"eventId", e.EventID},
		{"eventType", e.EventType},
		{"producer", e.Producer},
		{"tenantId", e.TenantID},
		{"aggregateType", e.AggregateType},
		{"aggregateId", e.AggregateID},
	} {
		if err := CheckID(f.name, f.value); err != nil {
			return &DecodeError{Field: f.name, Reason: reasonOf(err, f.value)}
		}
	}
	switch {
	case e.EventVersion < 1:
		return &DecodeError{Field: "eventVersion", Reason: "it is missing or below 1"}
	case e.OccurredAt.IsZero():
		return &DecodeError{Field: "occurredAt", Reason: "it is missing"}
	case e.AggregateVersion < 0:
		return &DecodeError{Field: "aggregateVersion", Reason: "it is negative"}
	}
	if raw, ok := any(e.Payload).(json.RawMessage); ok && (len(raw) == 0 || raw[0] != '{') {
		return &DecodeError{Field: "payload", Reason: "it is missing or no JSON object"}
	}
	return nil
}

func reasonOf(err error, value string) string {
	var limit *LimitError
	switch {
	case value == "":
		return "it is missing"
	case errors.As(err, &limit):
		return fmt.Sprintf("%d bytes is over the limit of %d", limit.Size, limit.Limit)
	}
	return "it holds characters that do not print"
}

// objectWriter appends the members of one JSON object. Encoding by hand keeps
// the order of the fields, which Stamp and Template rest on.
type objectWriter struct{ buf []byte }

func (w *objectWriter) name(name string) {
	sep := byte(',')
	if len(w.buf) == 0 {
		sep = '{'
	}
	w.buf = append(w.buf, sep, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

func (w *objectWriter) text(name, value string) {
	w.name(name)
	w.buf = AppendString(w.buf, value)
}

func (w *objectWriter) optional(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

func (w *objectWriter) number(name string, value int64) {
	w.name(name)
	w.buf = strconv.AppendInt(w.buf, value, 10)
}

func (w *objectWriter) raw(name string, value []byte) {
	w.name(name)
	w.buf = append(w.buf, value...)
}

func (w *objectWriter) object(name string, members map[string]string) {
	if len(members) == 0 {
		return
	}
	names := make([]string, 0, len(members))
	for n := range members {
		names = append(names, n)
	}
	sort.Strings(names)
	w.name(name)
	for i, n := range names {
		w.buf = append(w.buf, "{,"[min(i, 1)])
		w.buf = AppendString(w.buf, n)
		w.buf = append(w.buf, ':')
		w.buf = AppendString(w.buf, members[n])
	}
	w.buf = append(w.buf, '}')
}

// AppendString appends s as JSON. Broken UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	if isPlain(s) {
		dst = append(dst, '"')
		dst = append(dst, s...)
		return append(dst, '"')
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return append(dst, bytes.TrimRight(b.Bytes(), "\n")...)
}

func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
