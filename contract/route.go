package contract

import (
	"encoding/json"
	"strings"
)

// Route is where an event goes and what its contract fixes about it.
type Route struct {
	// Topic carries the event.
	Topic string
	// Key is the record key.
	Key string
	// SchemaRef is the reference for the envelope.
	SchemaRef string
	// Producer is the only service that may append the event, empty when any
	// may.
	Producer string
	// AggregateType is the kind of entity that the event belongs to.
	AggregateType string
}

// Route tells where an event goes. payload is the JSON of the payload alone;
// the record key is the value of the contract's key field in it, so a producer
// cannot choose another. Errors: [UnknownEventError]; [ViolationError] when the
// payload is no JSON object or the key field is no string with content.
func (c *Catalogue) Route(eventType string, eventVersion int, payload []byte) (Route, error) {
	e, err := c.lookup(eventType, eventVersion)
	if err != nil {
		return Route{}, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(payload, &fields); err != nil || fields == nil {
		return Route{}, e.violation("payload", "must be a JSON object")
	}
	key, err := e.keyIn(fields)
	if err != nil {
		return Route{}, err
	}
	return Route{
		Topic:         e.Topic,
		Key:           key,
		SchemaRef:     e.SchemaRef(),
		Producer:      e.soleProducer(),
		AggregateType: e.AggregateType,
	}, nil
}

func (e *Event) soleProducer() string {
	if e.AnyProducer {
		return ""
	}
	return e.OwnerService
}

func (e *Event) keyIn(fields map[string]json.RawMessage) (string, error) {
	for _, name := range e.Key {
		raw, ok := fields[name]
		if !ok {
			continue
		}
		var key string
		if err := json.Unmarshal(raw, &key); err != nil || key == "" {
			return "", e.violation("payload."+name, "must be a string with content, because it keys the record")
		}
		return key, nil
	}
	return "", e.violation("payload."+e.Key[len(e.Key)-1], "is required, because it keys the record")
}

func (e *Event) violation(path, message string) *ViolationError {
	return &ViolationError{
		EventType:    e.Type,
		EventVersion: e.Version,
		Violations:   []Violation{{Path: path, Message: message}},
	}
}

// KeyName is the contract's key in words: "quoteId", or "quoteId, else
// pricingRunId".
func (e *Event) KeyName() string { return strings.Join(e.Key, ", else ") }
