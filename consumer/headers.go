package consumer

import (
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"factline.dev/envelope"
)

// eventHeaders is the order in which envelope.Headers writes.
func eventHeaders() []string {
	return []string{
		envelope.HeaderEventID, envelope.HeaderEventType, envelope.HeaderEventVersion, envelope.HeaderCorrelationID,
		envelope.HeaderCausationID, envelope.HeaderTraceparent, envelope.HeaderTenantID, envelope.HeaderSchemaRef,
		envelope.HeaderProducer,
	}
}

func headerOrder(headers map[string]string) []string {
	known := eventHeaders()
	rank := func(name string) int {
		if i := slices.Index(known, name); i >= 0 {
			return i
		}
		return len(known)
	}
	names := slices.Collect(maps.Keys(headers))
	slices.SortFunc(names, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names
}

func headersOf(record *kgo.Record) []envelope.Header {
	if len(record.Headers) == 0 {
		return nil
	}
	headers := make([]envelope.Header, len(record.Headers))
	for i, h := range record.Headers {
		headers[i] = envelope.Header{Key: h.Key, Value: h.Value}
	}
	return headers
}
