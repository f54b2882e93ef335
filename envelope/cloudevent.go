package envelope

import (
	"net/url"
	"time"
)

// The headers of the CloudEvents binary content mode on Kafka (CloudEvents
// Kafka Protocol Binding 1.0.2, section 3.2).
const (
	cloudEventSpecVersion = "1.0"
	cloudEventPrefix      = "ce_"
	headerContentType     = "content-type"
)

// CloudEventHeaders returns the headers that make the record of e a CloudEvent
// 1.0 in binary mode for foreign readers. They stand beside those of [Headers],
// never instead, and the record's value stays what it is: the data of the
// CloudEvent is the whole event.
//
// The attributes are id, source (the producer), type, subject (the aggregate's
// id), time (when the fact happened, not when it was published), dataschema and
// the extensions tenantid, correlationid, causationid, traceparent and
// partitionkey (key, the record's). An empty one gives no header.
func CloudEventHeaders[T any](e Event[T], key, traceparent string) []Header {
	source := url.URL{Path: e.Producer} // a URI reference, whatever stands in the name
	attributes := []struct{ name, value string }{
		{"specversion", cloudEventSpecVersion},
		{"id", e.EventID},
		{"source", source.String()},
		{"type", e.EventType},
		{"subject", e.AggregateID},
		{"time", e.OccurredAt.UTC().Format(time.RFC3339Nano)},
		{"dataschema", e.SchemaRef},
		{"tenantid", e.TenantID},
		{"correlationid", e.CorrelationID},
		{"causationid", e.CausationID},
		{"traceparent", traceparent},
		{"partitionkey", key},
	}
	headers := []Header{{headerContentType, []byte("application/json")}}
	for _, a := range attributes {
		if a.value != "" {
			headers = append(headers, Header{cloudEventPrefix + a.name, []byte(a.value)})
		}
	}
	return headers
}
