package envelope

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
)

// The nine headers of an event record. They repeat the value for routing and
// observability; nothing of the business stands only there.
const (
	HeaderEventID       = "eventId"
	HeaderEventType     = "eventType"
	HeaderEventVersion  = "eventVersion"
	HeaderCorrelationID = "correlationId"
	HeaderCausationID   = "causationId"
	HeaderTraceparent   = "traceparent"
	HeaderTenantID      = "tenantId"
	HeaderSchemaRef     = "schemaRef"
	HeaderProducer      = "producer"
)

// Header is one record header. A nil Value differs from an empty one.
type Header struct {
	Key   string
	Value []byte
}

// Headers returns the nine headers of e. An empty field gives no header.
// traceparent is the W3C header of the span that appended the event.
func Headers[T any](e Event[T], traceparent string) []Header {
	all := []Header{
		{HeaderEventID, []byte(e.EventID)},
		{HeaderEventType, []byte(e.EventType)},
		{HeaderEventVersion, strconv.AppendInt(nil, int64(e.EventVersion), 10)},
		{HeaderCorrelationID, []byte(e.CorrelationID)},
		{HeaderCausationID, []byte(e.CausationID)},
		{HeaderTraceparent, []byte(traceparent)},
		{HeaderTenantID, []byte(e.TenantID)},
		{HeaderSchemaRef, []byte(e.SchemaRef)},
		{HeaderProducer, []byte(e.Producer)},
	}
	kept := all[:0]
	for _, h := range all {
		if len(h.Value) > 0 {
			kept = append(kept, h)
		}
	}
	return kept
}

// HeaderValue returns the value of the last header with this key, as Kafka
// clients read repeated headers, and whether there is one.
func HeaderValue(headers []Header, key string) ([]byte, bool) {
	for _, header := range slices.Backward(headers) {
		if header.Key == key {
			return header.Value, true
		}
	}
	return nil, false
}

// errHeaders is what every malformed header text comes down to: it can only be
// read from our own tables, so there is nothing finer to tell a caller.
var errHeaders = errors.New("envelope: decode headers: the stored bytes are malformed; the row was not written by this library")

// EncodeHeaders writes headers into bytes for storage: order, repeated keys,
// and nil against empty values are kept. No headers give nil.
func EncodeHeaders(headers []Header) []byte {
	if len(headers) == 0 {
		return nil
	}
	size := 2
	for _, h := range headers {
		size += len(h.Key) + len(h.Value) + 4 // a length rarely needs more than two bytes
	}
	out := binary.AppendUvarint(make([]byte, 0, size), uint64(len(headers)))
	for _, h := range headers {
		out = binary.AppendUvarint(out, uint64(len(h.Key)))
		out = append(out, h.Key...)
		if h.Value == nil {
			out = binary.AppendUvarint(out, 0)
			continue
		}
		out = binary.AppendUvarint(out, uint64(len(h.Value))+1)
		out = append(out, h.Value...)
	}
	return out
}

// DecodeHeaders reads what [EncodeHeaders] wrote. The values share memory with
// text.
func DecodeHeaders(text []byte) ([]Header, error) {
	var headers []Header
	err := RangeHeaders(text, func(key string, value []byte) { headers = append(headers, Header{key, value}) })
	if err != nil {
		return nil, err
	}
	return headers, nil
}

func takeHeader(text []byte) (Header, []byte, bool) {
	size, rest, ok := takeUvarint(text)
	if !ok || size > uint64(len(rest)) {
		return Header{}, nil, false
	}
	h := Header{Key: internKey(rest[:size])}
	size, rest, ok = takeUvarint(rest[size:])
	if !ok || size > uint64(len(rest))+1 {
		return Header{}, nil, false
	}
	if size > 0 {
		h.Value, rest = rest[:size-1:size-1], rest[size-1:]
	}
	return h, rest, true
}

func takeUvarint(text []byte) (uint64, []byte, bool) {
	n, read := binary.Uvarint(text)
	if read <= 0 {
		return 0, nil, false
	}
	return n, text[read:], true
}

// CheckHeaders reports whether headers keep [MaxHeaders] and [MaxHeaderBytes].
func CheckHeaders(headers []Header) error {
	if len(headers) > MaxHeaders {
		return &LimitError{What: "headers", Size: len(headers), Limit: MaxHeaders, Unit: "headers"}
	}
	size := 0
	for _, h := range headers {
		size += len(h.Key) + len(h.Value)
	}
	if size > MaxHeaderBytes {
		return &LimitError{What: "headers", Size: size, Limit: MaxHeaderBytes}
	}
	return nil
}

// RangeHeaders calls yield for every header that [EncodeHeaders] wrote, without
// an allocation for the keys of events. Values share memory with text.
func RangeHeaders(text []byte, yield func(key string, value []byte)) error {
	if len(text) == 0 {
		return nil
	}
	count, rest, ok := takeUvarint(text)
	if !ok || count > uint64(len(rest)) {
		return errHeaders
	}
	for range count {
		var h Header
		if h, rest, ok = takeHeader(rest); !ok {
			return errHeaders
		}
		yield(h.Key, h.Value)
	}
	if len(rest) > 0 {
		return errHeaders
	}
	return nil
}

// internKey saves an allocation for each of the nine headers of every event.
func internKey(key []byte) string {
	switch string(key) {
	case HeaderEventID:
		return HeaderEventID
	case HeaderEventType:
		return HeaderEventType
	case HeaderEventVersion:
		return HeaderEventVersion
	case HeaderCorrelationID:
		return HeaderCorrelationID
	case HeaderCausationID:
		return HeaderCausationID
	case HeaderTraceparent:
		return HeaderTraceparent
	case HeaderTenantID:
		return HeaderTenantID
	case HeaderSchemaRef:
		return HeaderSchemaRef
	case HeaderProducer:
		return HeaderProducer
	}
	return string(key)
}
