package consumer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"factline.dev/envelope"
)

// Class says why an event was given up.
type Class string

const (
	// SchemaValidationFailed is a record that cannot be read or breaks its
	// contract.
	SchemaValidationFailed Class = "SCHEMA_VALIDATION_FAILED"
	// UnknownEventVersion is a version of a handled type that the catalogue
	// does not hold: the reader is older than the producer.
	UnknownEventVersion Class = "UNKNOWN_EVENT_VERSION"
	// TenantViolation is an event of a tenant the service may not process, or one
	// that its handler called [Unauthorized].
	TenantViolation Class = "TENANT_VIOLATION"
	// VersionConflict is a second event with a version that another event of
	// the aggregate has: a producer restored from a backup.
	VersionConflict Class = "VERSION_CONFLICT"
	// HandlerFailed is an event whose handler failed to the last attempt.
	HandlerFailed Class = "HANDLER_FAILED"
	// DependencyExhausted is an event whose handler still asked to retry later
	// in its last attempt.
	DependencyExhausted Class = "DEPENDENCY_EXHAUSTED"
)

// DeadLetter is a record of a dead-letter topic. It is not an event: it holds
// one that was given up, complete enough to reproduce it byte by byte.
type DeadLetter struct {
	// ID names the dead letter to the group. It stays the same when it is tried
	// again and fails, with the id of that redrive.
	ID, RedriveID string
	// Blocks says that later events of the record key wait for it.
	Blocks bool
	// TenantID and the aggregate are empty where the bytes could not be read.
	TenantID, AggregateType, AggregateID string
	AggregateVersion                     int64

	FailedAt        time.Time
	SourceTopic     string
	SourcePartition int32
	SourceOffset    int64
	ConsumerGroup   string
	// EventID and EventType are empty where the bytes could not be read.
	EventID, EventType string
	ErrorClass         Class
	ErrorMessage       string
	AttemptCount       int
	OriginalKey        []byte
	OriginalHeaders    []envelope.Header
	// OriginalValue is nil for a tombstone.
	OriginalValue []byte
	// Omitted names the parts of the original record, "value" and where that is
	// not enough "headers" and "key", that are nil here only because a record
	// with them is larger than the outbox forwards, 8 MiB. The table
	// factline.dead_letter has them.
	Omitted []string
}

type deadLetterJSON struct {
	FailedAt        string       `json:"failedAt"`
	SourceTopic     string       `json:"sourceTopic"`
	SourcePartition int32        `json:"sourcePartition"`
	SourceOffset    int64        `json:"sourceOffset"`
	ConsumerGroup   string       `json:"consumerGroup"`
	EventID         string       `json:"eventId"`
	EventType       string       `json:"eventType"`
	ErrorClass      Class        `json:"errorClass"`
	ErrorMessage    string       `json:"errorMessage"`
	AttemptCount    int          `json:"attemptCount"`
	OriginalRecord  originalJSON `json:"originalRecord"`

	ID               string `json:"deadLetterId,omitempty"`
	RedriveID        string `json:"redriveId,omitempty"`
	Blocks           bool   `json:"blocksKey"`
	TenantID         string `json:"tenantId,omitempty"`
	AggregateType    string `json:"aggregateType,omitempty"`
	AggregateID      string `json:"aggregateId,omitempty"`
	AggregateVersion int64  `json:"aggregateVersion,omitempty"`
}

// originalJSON is readable where the record is text, and exact in any case: an
// encoding stands beside each part that JSON cannot hold as it is.
type originalJSON struct {
	Key           *string           `json:"key"`
	KeyEncoding   string            `json:"keyEncoding,omitempty"`
	Headers       map[string]string `json:"headers"`
	HeadersExact  []byte            `json:"headersExact,omitempty"`
	Value         *string           `json:"value"`
	ValueEncoding string            `json:"valueEncoding,omitempty"`
	Omitted       []string          `json:"omitted,omitempty"`
}

const base64Encoding = "base64"

// maxReadableBytes is how long a part may become in JSON before being short
// counts more than being readable: control characters grow sixfold.
const maxReadableBytes = 1 << 20

// MarshalJSON writes the form that stands on dead-letter topics. A key or value
// that is no UTF-8, or larger than 1 MiB in JSON and shorter in base64, is base64
// with keyEncoding or valueEncoding "base64"; originalRecord.omitted is Omitted;
// headers that an object of texts cannot hold exactly (repeated names, bytes,
// nil) are also in headersExact.
func (d DeadLetter) MarshalJSON() ([]byte, error) {
	original := originalJSON{Headers: make(map[string]string, len(d.OriginalHeaders)), Omitted: d.Omitted}
	original.Key, original.KeyEncoding = textOf(d.OriginalKey)
	original.Value, original.ValueEncoding = textOf(d.OriginalValue)
	exact := true
	for _, h := range d.OriginalHeaders {
		_, repeated := original.Headers[h.Key]
		exact = exact && !repeated && h.Value != nil && utf8.ValidString(h.Key) && utf8.Valid(h.Value)
		original.Headers[h.Key] = string(h.Value)
	}
	if !exact {
		original.HeadersExact = envelope.EncodeHeaders(d.OriginalHeaders)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(deadLetterJSON{
		FailedAt: envelope.FormatTime(d.FailedAt), SourceTopic: d.SourceTopic, SourcePartition: d.SourcePartition,
		SourceOffset: d.SourceOffset, ConsumerGroup: d.ConsumerGroup, EventID: d.EventID, EventType: d.EventType,
		ErrorClass: d.ErrorClass, ErrorMessage: d.ErrorMessage, AttemptCount: d.AttemptCount, OriginalRecord: original,
		ID: d.ID, RedriveID: d.RedriveID, Blocks: d.Blocks, TenantID: d.TenantID,
		AggregateType: d.AggregateType, AggregateID: d.AggregateID, AggregateVersion: d.AggregateVersion,
	})
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// UnmarshalJSON reads what [DeadLetter.MarshalJSON] wrote.
func (d *DeadLetter) UnmarshalJSON(text []byte) error {
	var j deadLetterJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return fmt.Errorf("consumer: decode dead letter: %w; it was not written by this library", err)
	}
	failedAt, err := time.Parse(time.RFC3339, j.FailedAt)
	if err != nil {
		return fmt.Errorf("consumer: decode dead letter: failedAt is no RFC 3339 time; it was not written by this library")
	}
	*d = DeadLetter{
		ID: j.ID, RedriveID: j.RedriveID, Blocks: j.Blocks, TenantID: j.TenantID,
		AggregateType: j.AggregateType, AggregateID: j.AggregateID, AggregateVersion: j.AggregateVersion,
		FailedAt: failedAt, SourceTopic: j.SourceTopic, SourcePartition: j.SourcePartition,
		SourceOffset: j.SourceOffset, ConsumerGroup: j.ConsumerGroup, EventID: j.EventID, EventType: j.EventType,
		ErrorClass: j.ErrorClass, ErrorMessage: j.ErrorMessage, AttemptCount: j.AttemptCount,
		Omitted: j.OriginalRecord.Omitted,
	}
	return d.readOriginal(j.OriginalRecord)
}

func (d *DeadLetter) readOriginal(original originalJSON) (err error) {
	if d.OriginalKey, err = bytesOf("key", original.Key, original.KeyEncoding); err != nil {
		return err
	}
	if d.OriginalValue, err = bytesOf("value", original.Value, original.ValueEncoding); err != nil {
		return err
	}
	if original.HeadersExact != nil {
		d.OriginalHeaders, err = envelope.DecodeHeaders(original.HeadersExact)
		return err
	}
	// An object has no order: the documented names come first, as they are written.
	for _, name := range headerOrder(original.Headers) {
		d.OriginalHeaders = append(d.OriginalHeaders, envelope.Header{Key: name, Value: []byte(original.Headers[name])})
	}
	return nil
}

func textOf(b []byte) (text *string, encoding string) {
	if b == nil {
		return nil, ""
	}
	s := string(b)
	if n := escapedLen(s); !utf8.ValidString(s) || (n > maxReadableBytes && n > base64.StdEncoding.EncodedLen(len(s))) {
		s, encoding = base64.StdEncoding.EncodeToString(b), base64Encoding
	}
	return &s, encoding
}

// escapedLen is about how long s becomes in JSON.
func escapedLen(s string) (n int) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n += 2
		case c < ' ':
			n += 6
		default:
			n++
		}
	}
	return n
}

func bytesOf(field string, text *string, encoding string) ([]byte, error) {
	switch {
	case text == nil:
		return nil, nil
	case encoding == "":
		return []byte(*text), nil
	case encoding != base64Encoding:
		return nil, fmt.Errorf("consumer: decode dead letter: unknown encoding of originalRecord.%s; upgrade this reader", field)
	}
	b, err := base64.StdEncoding.DecodeString(*text)
	if err != nil {
		return nil, fmt.Errorf("consumer: decode dead letter: originalRecord.%s is no base64", field)
	}
	return b, nil
}

// deadLetterTopic is the dead-letter topic of a topic that no contract names.
func deadLetterTopic(topic string) string { return derivedTopic(topic, "dlt") }

// derivedTopic puts a part before the version of a topic's name.
func derivedTopic(topic, part string) string {
	if dot := strings.LastIndex(topic, ".v"); dot > 0 {
		if _, err := strconv.Atoi(topic[dot+2:]); err == nil {
			return topic[:dot] + "." + part + topic[dot:]
		}
	}
	return topic + "." + part + ".v1"
}
