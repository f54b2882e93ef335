package deadletter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/consumer"
	"factline.dev/envelope"
	"factline.dev/internal/named"
)

// unreadable is the class of a record that is no dead letter of this library.
// It is kept as it is, under its own coordinates.
const unreadable consumer.Class = "UNREADABLE_DEAD_LETTER"

// row is a dead letter ready for the collect statement.
type row struct {
	Letter
	derivedID       string
	orderKey        []byte
	dltTopic        string
	dltPartition    int32
	dltOffset       int64
	headersEncoding []byte
}

// consumersID is what a consumer makes; another id could claim to be a derived one.
var consumersID = regexp.MustCompile(`^dlt_[0-9A-Za-z]{1,40}$`)

func decode(r *kgo.Record) row {
	w := row{dltTopic: r.Topic, dltPartition: r.Partition, dltOffset: r.Offset}
	if err := json.Unmarshal(r.Value, &w.Record); err != nil || w.Record.SourceTopic == "" {
		w.Record = foreign(r)
	}
	w.clean()
	w.describe()
	w.derivedID = derivedID(w.Record)
	w.ID = w.Record.ID
	if !consumersID.MatchString(w.ID) {
		w.ID = w.derivedID
	}
	return w
}

// foreign keeps bytes that are no dead letter.
func foreign(r *kgo.Record) consumer.DeadLetter {
	d := consumer.DeadLetter{
		FailedAt: r.Timestamp, SourceTopic: r.Topic, SourcePartition: r.Partition, SourceOffset: r.Offset,
		ConsumerGroup: "unknown", ErrorClass: unreadable, OriginalKey: r.Key, OriginalValue: r.Value,
		ErrorMessage: "the record is no dead letter of this library",
	}
	for _, h := range r.Headers {
		d.OriginalHeaders = append(d.OriginalHeaders, envelope.Header{Key: h.Key, Value: h.Value})
	}
	return d
}

// clean makes every text fit a text column: valid UTF-8 without NUL, bounded.
func (w *row) clean() {
	d := &w.Record
	for text, limit := range map[*string]int{
		&d.SourceTopic: 255, &d.ConsumerGroup: 255, &d.EventID: 255, &d.EventType: 255, &d.RedriveID: 255, &d.ErrorMessage: 16 << 10,
	} {
		*text = storable(*text, limit)
	}
	d.ErrorClass = consumer.Class(storable(string(d.ErrorClass), 255))
	if d.Omitted == nil {
		d.Omitted = []string{}
	}
	for i := range d.Omitted {
		d.Omitted[i] = storable(d.Omitted[i], 255)
	}
}

func storable(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	return strings.ToValidUTF8(text[:min(len(text), limit)], "")
}

// describe takes what the record says of its event, or else the original one, as
// far as it can be read.
func (w *row) describe() {
	d := w.Record
	w.TenantID, w.AggregateType, w.AggregateID, w.AggregateVersion = d.TenantID, d.AggregateType, d.AggregateID, d.AggregateVersion
	if e, err := envelope.DecodeRaw(d.OriginalValue); err == nil && d.AggregateID == "" {
		w.TenantID, w.AggregateType, w.AggregateID, w.AggregateVersion = e.TenantID, e.AggregateType, e.AggregateID, e.AggregateVersion
	}
	if tenant, ok := envelope.HeaderValue(d.OriginalHeaders, envelope.HeaderTenantID); ok && w.TenantID == "" {
		w.TenantID = string(tenant)
	}
	for _, text := range []*string{&w.TenantID, &w.AggregateType, &w.AggregateID} {
		*text = storable(*text, 255)
	}
	w.orderKey = d.OriginalKey
	if w.orderKey == nil {
		w.orderKey = []byte(w.AggregateID)
	}
	w.Fingerprint = Fingerprint(d.ErrorClass, d.ErrorMessage)
	w.headersEncoding = envelope.EncodeHeaders(d.OriginalHeaders)
}

// derivedID is the same for every record of one letter.
func derivedID(d consumer.DeadLetter) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d %d", d.ConsumerGroup, d.SourceTopic, d.SourcePartition, d.SourceOffset))
	return "dlt-" + hex.EncodeToString(sum[:13])
}

type coordinates struct {
	consumer, topic string
	partition       int32
	offset          int64
}

// rows are those of one statement: no letter and no id twice.
type rows struct {
	all  []row
	seen map[coordinates]bool
	ids  map[string]bool
}

func newRows(first row) *rows {
	r := &rows{seen: map[coordinates]bool{}, ids: map[string]bool{}}
	r.add(first)
	return r
}

func (r *rows) add(w row) bool {
	d := w.Record
	at := coordinates{d.ConsumerGroup, d.SourceTopic, d.SourcePartition, d.SourceOffset}
	if r.seen[at] || r.ids[w.ID] {
		return false
	}
	r.seen[at], r.ids[w.ID] = true, true
	r.all = append(r.all, w)
	return true
}

// column makes an array of one field of each row.
func column[T any](r *rows, field func(w *row) T) []T {
	values := make([]T, len(r.all))
	for i := range r.all {
		values[i] = field(&r.all[i])
	}
	return values
}

func (r *rows) args(now time.Time) named.Args {
	return named.Args{
		"now":                now,
		"letter_ids":         column(r, func(w *row) string { return w.ID }),
		"derived_ids":        column(r, func(w *row) string { return w.derivedID }),
		"consumers":          column(r, func(w *row) string { return w.Record.ConsumerGroup }),
		"topics":             column(r, func(w *row) string { return w.Record.SourceTopic }),
		"partitions":         column(r, func(w *row) int32 { return w.Record.SourcePartition }),
		"offsets":            column(r, func(w *row) int64 { return w.Record.SourceOffset }),
		"tenant_ids":         column(r, func(w *row) string { return w.TenantID }),
		"aggregate_types":    column(r, func(w *row) string { return w.AggregateType }),
		"aggregate_ids":      column(r, func(w *row) string { return w.AggregateID }),
		"aggregate_versions": column(r, func(w *row) int64 { return w.AggregateVersion }),
		"event_ids":          column(r, func(w *row) string { return w.Record.EventID }),
		"event_types":        column(r, func(w *row) string { return w.Record.EventType }),
		"classes":            column(r, func(w *row) string { return string(w.Record.ErrorClass) }),
		"messages":           column(r, func(w *row) string { return w.Record.ErrorMessage }),
		"fingerprints":       column(r, func(w *row) string { return w.Fingerprint }),
		"attempts":           column(r, func(w *row) int32 { return int32(min(max(w.Record.AttemptCount, 0), 1<<30)) }), //nolint:gosec // bounded beside
		"blocks_keys":        column(r, func(w *row) bool { return w.Record.Blocks }),
		"redrive_ids":        column(r, func(w *row) string { return w.Record.RedriveID }),
		"order_keys":         column(r, func(w *row) []byte { return w.orderKey }),
		"record_keys":        column(r, func(w *row) []byte { return w.Record.OriginalKey }),
		"headers":            column(r, func(w *row) []byte { return w.headersEncoding }),
		"values":             column(r, func(w *row) []byte { return w.Record.OriginalValue }),
		"omitted":            column(r, func(w *row) string { return strings.Join(w.Record.Omitted, ",") }),
		"failed_ats":         column(r, func(w *row) time.Time { return w.Record.FailedAt }),
		"dlt_topics":         column(r, func(w *row) string { return w.dltTopic }),
		"dlt_partitions":     column(r, func(w *row) int32 { return w.dltPartition }),
		"dlt_offsets":        column(r, func(w *row) int64 { return w.dltOffset }),
	}
}
